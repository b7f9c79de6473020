//! Plaintext that proxies refused where TLS is required, mutual or a gateway's. They close such a connection before there is
//! a request, so nothing that counts requests shows it: whoever called is simply gone.

use std::{collections::BTreeSet, time::Duration};

use weft_model::details::Instance;

use crate::telemetry::prometheus::{Prometheus, Series};

/// Connections per second, by the address of the proxy.
const REFUSED: &str = "sum by (instance) (rate(weft_proxy_malformed_total{kind=\"plaintext_refused\"}[1m])) > 0";
/// How long a page waits for it.
const WITHIN: Duration = Duration::from_secs(2);

/// How many connections per second the proxies of `instances` refused over the last minute; 0 where that is not known.
pub async fn plaintext(prometheus: &Prometheus, instances: &[Instance]) -> f64 {
    if instances.is_empty() {
        return 0.0;
    }
    match tokio::time::timeout(WITHIN, prometheus.instant(REFUSED, None)).await {
        Ok(Ok(series)) => total(&series, instances),
        Ok(Err(error)) => {
            tracing::debug!(%error, "what proxies refused is not known");
            0.0
        }
        Err(_) => 0.0,
    }
}

/// The same in a sentence that follows another; nothing where nothing was refused.
pub fn words(rate: f64) -> String {
    if rate <= 0.0 {
        return String::new();
    }
    let rate =
        if rate < 0.1 { "Now and then a connection is".to_owned() } else { format!("{rate:.1} connections/s are") };
    format!(" {rate} refused because of plaintext: TLS is required here.")
}

fn total(series: &[Series], instances: &[Instance]) -> f64 {
    let own: BTreeSet<&str> = instances.iter().map(|one| one.address.as_str()).filter(|one| !one.is_empty()).collect();
    series.iter().filter(|one| own.contains(one.labels.host())).fold(0.0, |sum, one| sum + one.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_its_own_proxies_refused_counts() {
        let series = |instance: &str, value| Series { labels: [("instance", instance)].into(), value };
        let all = [series("10.0.0.7:15020", 2.0), series("10.0.0.8:15020", 4.0), series("[fd00::7]:15020", 1.0)];
        let one = |address: &str| Instance { address: address.into(), ..Instance::default() };
        assert_eq!(total(&all, &[one("10.0.0.7"), one("fd00::7")]), 3.0);
        assert_eq!(total(&all, &[one(""), one("10.0.0.9")]), 0.0);
        assert_eq!(words(0.0), "");
        assert_eq!(words(2.0), " 2.0 connections/s are refused because of plaintext: TLS is required here.");
        assert!(words(0.02).contains("Now and then"));
    }
}
