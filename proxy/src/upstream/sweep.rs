//! Once a second, on each thread: idle connections are closed, pools of vanished endpoints retired, and connections
//! with an old certificate let go once their requests are over.

use std::{
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use weft_policy::{config::Config, upstream::Host};

use super::{Inner, Pool};

const PERIOD: Duration = Duration::from_secs(1);
/// Hosts by original destination that are remembered between sweeps.
const MAX_ORIGINALS: usize = 1024;

pub(super) async fn run(inner: Weak<Inner>) {
    let mut timer = tokio::time::interval(PERIOD);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = Seen { generation: 0, identity: 0, facts: 0 };
    loop {
        timer.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        inner.sweep(&mut seen);
    }
}

/// What was in force at the last sweep; the last two by address.
struct Seen {
    generation: u64,
    identity: usize,
    facts: usize,
}

impl Inner {
    fn sweep(&self, seen: &mut Seen) {
        let pace = &self.pace;
        pace.tick.set(pace.tick.get().wrapping_add(1));
        let identity = self.shared.identity.load().as_ref().map_or(0, |identity| Arc::as_ptr(identity) as usize);
        if identity != seen.identity {
            seen.identity = identity;
            pace.era.set(pace.era.get().wrapping_add(1));
        }
        let facts = Arc::as_ptr(&self.shared.facts.load_full()) as usize;
        let generation = self.shared.generation();
        let changed = generation != seen.generation;
        if changed || facts != seen.facts {
            seen.facts = facts;
            seen.generation = generation;
            pace.epoch.set(pace.epoch.get().wrapping_add(1));
        }
        let config = self.shared.config.load_full();
        let pools: Vec<Rc<Pool>> = self.pools.borrow().values().cloned().collect();
        for pool in pools {
            let upstream = config.upstream(&pool.cluster);
            if changed && !known(&config, &pool.cluster, &pool.host) {
                pool.retire();
            }
            let busy = upstream.is_some_and(|upstream| pool.sweep(&upstream.cluster));
            if !busy && Rc::strong_count(&pool) == 2 {
                self.pools.borrow_mut().remove(&(Arc::as_ptr(&pool.host) as usize));
            }
        }
        let mut originals = self.originals.borrow_mut();
        if originals.len() > MAX_ORIGINALS {
            originals.retain(|_, host| Arc::strong_count(host) > 1);
        }
    }
}

/// Whether the configuration still has this very host. Hosts by original destination are not in it and are always known.
fn known(config: &Config, cluster: &str, host: &Arc<Host>) -> bool {
    let Some(upstream) = config.upstream(cluster) else { return false };
    upstream.hosts.is_empty() || upstream.hosts.iter().any(|known| Arc::ptr_eq(known, host))
}
