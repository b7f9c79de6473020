//! People who come with every request's own proof, a proxy's word or a token, and so never sign in here.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use weft_model::audit::How;

use crate::auth::network;

/// Somebody who was away for this long comes anew.
const AWAY: Duration = Duration::from_secs(2 * 3600);
/// Arrivals remembered. When there are more, nobody else is new until some were away.
const MAX: usize = 2_000;

/// Who was here lately, by the network of their address.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<HashMap<(How, String, IpAddr), Instant>>);

impl Arrivals {
    /// Whether somebody comes anew.
    pub(super) fn is_new(&self, how: How, who: &str, from: IpAddr) -> bool {
        self.is_new_at(how, who, from, Instant::now())
    }

    fn is_new_at(&self, how: How, who: &str, from: IpAddr, now: Instant) -> bool {
        let here = |at: &Instant| now.saturating_duration_since(*at) < AWAY;
        let mut seen = self.0.lock();
        let key = (how, who.to_owned(), network(from));
        if let Some(at) = seen.get_mut(&key) {
            let new = !here(at);
            *at = now;
            return new;
        }
        if seen.len() >= MAX {
            seen.retain(|_, at| here(at));
        }
        let room = seen.len() < MAX;
        if room {
            seen.insert(key, now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stays_is_not_new_and_memory_is_bounded() {
        let (arrivals, start) = (Arrivals::default(), Instant::now());
        let (one, two): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert!(arrivals.is_new_at(How::Proxy, "ada", one, start));
        assert!(!arrivals.is_new_at(How::Proxy, "ada", one, start + AWAY / 2));
        assert!(!arrivals.is_new_at(How::Proxy, "ada", one, start + AWAY), "not away for so long");
        assert!(arrivals.is_new_at(How::Proxy, "ada", two, start));
        assert!(arrivals.is_new_at(How::Token, "ada", one, start));
        let [three, four]: [IpAddr; 2] = ["2001:db8::1", "2001:db8::ffff:1"].map(|text| text.parse().unwrap());
        assert!(arrivals.is_new_at(How::Proxy, "ada", three, start));
        assert!(!arrivals.is_new_at(How::Proxy, "ada", four, start), "another address of the same network");
        assert!(arrivals.is_new_at(How::Proxy, "ada", one, start + 3 * AWAY));
        let new = (0..5_000).filter(|n| arrivals.is_new_at(How::Token, &n.to_string(), one, start + 3 * AWAY)).count();
        assert!(new <= MAX && arrivals.0.lock().len() <= MAX);
        assert!(arrivals.is_new_at(How::Token, "later", one, start + 5 * AWAY));
    }
}
