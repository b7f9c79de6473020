//! Which localities a client prefers, by Istio's rules
//! (<https://istio.io/latest/docs/tasks/traffic-management/locality-load-balancing/>): its own sub-zone, zone and region
//! before the others, and before those the region that a failover names. Priorities are counted without gaps.

use std::collections::{BTreeMap, BTreeSet};

use weft_api::networking::traffic_policy::LocalityLb;

/// A client's preference.
#[derive(Clone, Copy, Debug)]
pub(in crate::translate) struct Preference<'a> {
    from: &'a str,
    setting: Option<&'a LocalityLb>,
    on: bool,
}

impl<'a> Preference<'a> {
    /// `on` says whether localities count at all; they do not for a client that is nowhere.
    pub(in crate::translate) fn new(from: &'a str, setting: Option<&'a LocalityLb>, on: bool) -> Self {
        let on = on && !from.is_empty() && setting.is_none_or(|s| s.enabled != Some(false) && s.distribute.is_empty());
        Self { from, setting, on }
    }

    /// The priority of each locality; none where all are alike.
    pub(super) fn priorities<'l>(&self, localities: impl Iterator<Item = &'l str>) -> BTreeMap<&'l str, u32> {
        if !self.on {
            return BTreeMap::new();
        }
        let distances: BTreeMap<&str, u32> = localities.map(|l| (l, self.distance(l))).collect();
        let ranks: BTreeSet<u32> = distances.values().copied().collect();
        let rank = |distance: u32| u32::try_from(ranks.range(..distance).count()).unwrap_or(0);
        distances.into_iter().map(|(locality, distance)| (locality, rank(distance))).collect()
    }

    fn distance(&self, locality: &str) -> u32 {
        let [region, zone, subzone] = parts(self.from);
        let [to_region, to_zone, to_subzone] = parts(locality);
        if region != to_region {
            let next = self.setting.and_then(|s| s.failover.iter().find(|f| f.from == region));
            return if next.is_some_and(|f| f.to == to_region) { 3 } else { 4 };
        }
        match (zone == to_zone, subzone == to_subzone) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        }
    }
}

fn parts(locality: &str) -> [&str; 3] {
    let mut parts = locality.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    [part(), part(), part()]
}

#[cfg(test)]
mod tests {
    use weft_api::networking::traffic_policy::Failover;

    use super::*;

    #[test]
    fn nearer_comes_first_without_gaps() {
        let there = ["eu/a/1", "eu/a/2", "eu/b", "us/a", "ap/a"];
        let failover = vec![Failover { from: "eu".into(), to: "us".into() }];
        let setting = LocalityLb { failover, ..LocalityLb::default() };
        let found = Preference::new("eu/a/1", Some(&setting), true).priorities(there.into_iter());
        assert_eq!(there.map(|l| found[l]), [0, 1, 2, 3, 4]);
        let found = Preference::new("eu/a/1", None, true).priorities(["us/a", "eu/b"].into_iter());
        assert_eq!((found["eu/b"], found["us/a"]), (0, 1));
    }

    #[test]
    fn a_client_that_is_nowhere_prefers_nothing() {
        assert!(Preference::new("", None, true).priorities(["eu/a"].into_iter()).is_empty());
        assert!(Preference::new("eu/a", None, false).priorities(["eu/a"].into_iter()).is_empty());
        let off = LocalityLb { enabled: Some(false), ..LocalityLb::default() };
        assert!(Preference::new("eu/a", Some(&off), true).priorities(["eu/a"].into_iter()).is_empty());
    }
}
