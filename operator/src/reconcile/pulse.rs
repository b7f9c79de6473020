//! Whether this process still does what it is for: what its liveness probe tells. An API server that is away is no reason to
//! begin anew, because every request ends by itself; a loop that stands still is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Looks at the lease are 6 s apart at most.
const ELECTION: Duration = Duration::from_secs(60);
/// A Mesh is looked at again after a minute at most.
const REST: Duration = Duration::from_secs(5 * 60);
/// Longer than each request of a pass can take, one after the other.
const PASS: Duration = Duration::from_secs(15 * 60);

/// The loops' signs of life, as one term of leading gives them: a pass of an earlier term, which may end late, says nothing.
#[derive(Clone, Debug)]
pub struct Pulse {
    beats: Arc<Mutex<Beats>>,
    term: u64,
}

#[derive(Debug)]
struct Beats {
    /// The last look at the lease.
    election: Instant,
    term: u64,
    work: Work,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Nothing is to be done: another replica leads, or there is no Mesh.
    None,
    /// A Mesh is being reconciled since then.
    UnderWay(Instant),
    /// A pass ended then, and another one comes.
    Between(Instant),
}

/// A pass over one Mesh; dropping it ends the pass.
#[derive(Debug)]
pub struct Pass {
    pulse: Pulse,
    /// Whether another pass comes by itself.
    pub again: bool,
}

impl Pulse {
    /// One that begins now.
    pub fn new(now: Instant) -> Self {
        Self { beats: Arc::new(Mutex::new(Beats { election: now, term: 0, work: Work::None })), term: 0 }
    }

    /// The lease was looked at, or the API server did not answer in time.
    pub fn looked(&self, now: Instant) {
        self.beats.lock().election = now;
    }

    /// That of another term, which begins. None before it counts any more.
    pub fn lead(&self) -> Self {
        let mut beats = self.beats.lock();
        (beats.term, beats.work) = (beats.term + 1, Work::None);
        Self { beats: Arc::clone(&self.beats), term: beats.term }
    }

    /// The term is over.
    pub fn stopped(&self) {
        self.lead();
    }

    /// A pass begins.
    pub fn pass(&self, now: Instant) -> Pass {
        self.work(|_| Work::UnderWay(now));
        Pass { pulse: self.clone(), again: true }
    }

    /// There is no Mesh to come back to, unless a pass is under way.
    pub fn idle(&self) {
        self.work(|work| if let Work::Between(_) = work { Work::None } else { work });
    }

    fn work(&self, next: impl FnOnce(Work) -> Work) {
        let mut beats = self.beats.lock();
        if beats.term == self.term {
            beats.work = next(beats.work);
        }
    }

    /// Why this process should begin anew; nothing while all is well.
    pub fn stuck(&self, now: Instant) -> Option<String> {
        let beats = self.beats.lock();
        let (since, limit, what) = match beats.work {
            _ if now.saturating_duration_since(beats.election) > ELECTION => {
                (beats.election, ELECTION, "the lease was not looked at")
            }
            Work::UnderWay(since) => (since, PASS, "one Mesh is being reconciled"),
            Work::Between(since) => (since, REST, "no Mesh was reconciled"),
            Work::None => return None,
        };
        let age = now.saturating_duration_since(since);
        (age > limit).then(|| format!("{what} for {} s", age.as_secs()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let after = if self.again { Work::Between(Instant::now()) } else { Work::None };
        self.pulse.work(|_| after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let pulse = Pulse::new(start);
        let stuck = |now| {
            pulse.looked(now);
            pulse.stuck(now)
        };
        assert_eq!(pulse.stuck(at(60)), None);
        assert_eq!(pulse.stuck(at(61)).unwrap(), "the lease was not looked at for 61 s");
        assert_eq!(stuck(at(86_400)), None, "a replica that stands by for a day");

        let pass = pulse.pass(at(0));
        assert_eq!(stuck(at(900)), None);
        assert_eq!(stuck(at(901)).unwrap(), "one Mesh is being reconciled for 901 s");
        pulse.idle();
        assert!(stuck(at(901)).is_some(), "what hangs hangs, whatever Meshes there are by now");
        drop(pass);
        assert_eq!(stuck(at(200)), None);
        assert!(stuck(at(400)).unwrap().starts_with("no Mesh was reconciled for "));
        pulse.idle();
        assert_eq!(stuck(at(400)), None, "there is none any more");

        let mut last = pulse.pass(at(0));
        last.again = false;
        drop(last);
        assert_eq!(stuck(at(86_400)), None);
    }

    #[test]
    fn a_term_that_is_over_says_nothing() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        let term = pulse.lead();
        let late = term.pass(start);
        pulse.stopped();
        drop(late);
        drop(term.pass(start));
        let day = start + Duration::from_secs(86_400);
        pulse.looked(day);
        assert_eq!(pulse.stuck(day), None, "another replica reconciles");
        drop(pulse.lead().pass(start));
        assert!(pulse.stuck(day).is_some());
    }
}
