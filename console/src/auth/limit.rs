//! How often somebody may try something, such as to sign in.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Attempts that one address may make at once: a whole office may stand behind it in the morning.
const BURST: f64 = 100.0;
/// Attempts that it gets back in a second.
const PER_SECOND: f64 = 2.0;
/// Addresses remembered. When there are more, those that have all their attempts again are forgotten first.
const ADDRESSES: usize = 10_000;

/// A bucket of attempts for each address; an IPv6 network of 64 bits counts as one.
pub struct Limit {
    burst: f64,
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Default for Limit {
    /// That of signing in.
    fn default() -> Self {
        Self::new(BURST, PER_SECOND)
    }
}

impl Limit {
    /// So many attempts at once for each address, of which it gets so many back in a second.
    pub fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, buckets: Mutex::default() }
    }

    /// Takes one attempt; an error says how long to wait for the next.
    pub fn take(&self, address: IpAddr) -> Result<(), Duration> {
        self.take_at(address, Instant::now())
    }

    /// Gives one attempt back: it was none after all.
    pub fn put_back(&self, address: IpAddr) {
        if let Some((left, _)) = self.buckets.lock().get_mut(&network(address)) {
            *left = (*left + 1.0).min(self.burst);
        }
    }

    pub(super) fn take_at(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        let filled = |(left, at): (f64, Instant)| {
            (left + now.saturating_duration_since(at).as_secs_f64() * self.per_second).min(self.burst)
        };
        let address = network(address);
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| filled(*bucket) < self.burst);
            if buckets.len() >= ADDRESSES {
                return Err(Duration::from_secs(1));
            }
        }
        let bucket = buckets.entry(address).or_insert((self.burst, now));
        let left = filled(*bucket);
        if left < 1.0 {
            *bucket = (left, now);
            return Err(Duration::from_secs_f64((1.0 - left) / self.per_second));
        }
        *bucket = (left - 1.0, now);
        Ok(())
    }
}

/// Whom an address stands for: an IPv6 network of 64 bits is one customer's, who may use any address of it.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !0 << 64).into(),
        },
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_runs_out_and_gets_its_attempts_back() {
        let (limit, start) = (Limit::default(), Instant::now());
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        for _ in 0..100 {
            limit.take_at(one, start).unwrap();
        }
        assert_eq!(limit.take_at(one, start), Err(Duration::from_millis(500)));
        limit.take_at("10.0.0.2".parse().unwrap(), start).unwrap();
        limit.take_at(one, start + Duration::from_millis(500)).unwrap();
        limit.take_at(one, start + Duration::from_millis(500)).unwrap_err();
        limit.put_back(one);
        limit.take_at(one, start + Duration::from_millis(500)).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_memory_is_bounded() {
        let (limit, start) = (Limit::default(), Instant::now());
        for host in 0..100_u128 {
            limit.take_at(Ipv6Addr::from_bits(0x2001_0db8 << 96 | host).into(), start).unwrap();
        }
        limit.take_at("2001:db8::ffff".parse().unwrap(), start).unwrap_err();
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(network(mapped), "10.0.0.1".parse::<IpAddr>().unwrap());
        for host in 0..30_000_u32 {
            let _ = limit.take_at(IpAddr::V4(host.into()), start);
        }
        assert!(limit.buckets.lock().len() <= ADDRESSES);
        limit.take_at(IpAddr::V4(99_999.into()), start + Duration::from_secs(60)).unwrap();
    }
}
