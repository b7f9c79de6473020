//! DestinationRule.

use std::collections::HashSet;

use super::checks::Checks;
use crate::networking::{
    DestinationRule, TrafficPolicy,
    traffic_policy::{
        ClientTls, ClientTlsMode, ConnectionPool, ConsistentHash, LoadBalancer, LocalityLb, OutlierDetection,
    },
};

pub(super) fn check(spec: &DestinationRule, checks: &mut Checks<'_>) {
    checks.host(if spec.host.is_empty() { "spec" } else { "spec.host" }, &spec.host);
    if let Some(policy) = &spec.traffic_policy {
        check_policy(policy, "spec.trafficPolicy", checks);
    }
    let mut names = HashSet::new();
    for (index, subset) in spec.subsets.iter().enumerate() {
        let at = format!("spec.subsets[{index}]");
        if subset.name.is_empty() {
            checks.error(&at, "the subset has no name");
        } else {
            checks.label_name(format!("{at}.name"), "the subset", &subset.name);
            if !names.insert(subset.name.as_str()) {
                checks.error(format!("{at}.name"), format!("the subset {:?} is defined twice", subset.name));
            }
        }
        if let Some(policy) = &subset.traffic_policy {
            check_policy(policy, &format!("{at}.trafficPolicy"), checks);
        }
    }
    checks.export_to(&spec.export_to);
}

fn check_policy(policy: &TrafficPolicy, at: &str, checks: &mut Checks<'_>) {
    settings(
        at,
        policy.load_balancer.as_ref(),
        policy.connection_pool.as_ref(),
        policy.outlier_detection.as_ref(),
        policy.tls.as_ref(),
        checks,
    );
    let mut ports = HashSet::new();
    for (index, port) in policy.port_level_settings.iter().enumerate() {
        let at = format!("{at}.portLevelSettings[{index}]");
        match &port.port {
            None => checks.error(&at, "the port is missing"),
            Some(selector) => {
                checks.port(format!("{at}.port.number"), selector.number);
                if !ports.insert(selector.number) {
                    checks.error(format!("{at}.port.number"), format!("port {} has settings already", selector.number));
                }
            }
        }
        settings(
            &at,
            port.load_balancer.as_ref(),
            port.connection_pool.as_ref(),
            port.outlier_detection.as_ref(),
            port.tls.as_ref(),
            checks,
        );
    }
    if let Some(tunnel) = &policy.tunnel {
        let at = format!("{at}.tunnel");
        if !matches!(tunnel.protocol.as_str(), "" | "CONNECT" | "POST") {
            checks.error(format!("{at}.protocol"), "the protocol must be CONNECT or POST");
        }
        checks.host(format!("{at}.targetHost"), &tunnel.target_host);
        checks.port(format!("{at}.targetPort"), tunnel.target_port);
    }
    if let Some(budget) = &policy.retry_budget
        && let Some(percent) = budget.percent
    {
        checks.percent(format!("{at}.retryBudget.percent"), percent);
    }
}

fn settings(
    at: &str,
    load_balancer: Option<&LoadBalancer>,
    pool: Option<&ConnectionPool>,
    outlier: Option<&OutlierDetection>,
    tls: Option<&ClientTls>,
    checks: &mut Checks<'_>,
) {
    if let Some(load_balancer) = load_balancer {
        check_load_balancer(load_balancer, &format!("{at}.loadBalancer"), checks);
    }
    if let Some(pool) = pool {
        check_pool(pool, &format!("{at}.connectionPool"), checks);
    }
    if let Some(outlier) = outlier {
        check_outlier(outlier, &format!("{at}.outlierDetection"), checks);
    }
    if let Some(tls) = tls {
        check_tls(tls, &format!("{at}.tls"), checks);
    }
}

fn check_load_balancer(load_balancer: &LoadBalancer, at: &str, checks: &mut Checks<'_>) {
    if load_balancer.simple.is_some() && load_balancer.consistent_hash.is_some() {
        checks.error(at, "only one of simple and consistentHash may be given");
    }
    if let Some(hash) = &load_balancer.consistent_hash {
        check_hash(hash, &format!("{at}.consistentHash"), checks);
    }
    if let Some(locality) = &load_balancer.locality_lb_setting {
        check_locality(locality, &format!("{at}.localityLbSetting"), checks);
    }
    checks.duration(format!("{at}.warmupDurationSecs"), load_balancer.warmup_duration_secs);
    if let Some(warmup) = &load_balancer.warmup {
        let at = format!("{at}.warmup");
        if warmup.duration.is_none() {
            checks.error(&at, "the duration is missing");
        }
        checks.duration(format!("{at}.duration"), warmup.duration);
        if let Some(percent) = warmup.minimum_percent {
            checks.percent(format!("{at}.minimumPercent"), percent);
        }
        if let Some(aggression) = warmup.aggression.filter(|aggression| aggression.is_nan() || *aggression < 1.0) {
            checks.error(format!("{at}.aggression"), format!("{aggression} is below 1"));
        }
    }
}

fn check_hash(hash: &ConsistentHash, at: &str, checks: &mut Checks<'_>) {
    let keys = [
        hash.http_header_name.is_some(),
        hash.http_cookie.is_some(),
        hash.use_source_ip.unwrap_or(false),
        hash.http_query_parameter_name.is_some(),
    ];
    match keys.iter().filter(|given| **given).count() {
        0 => {
            checks.error(at, "one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName must be given")
        }
        1 => {}
        _ => checks
            .error(at, "only one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName may be given"),
    }
    if let Some(cookie) = &hash.http_cookie
        && cookie.name.is_empty()
    {
        checks.error(format!("{at}.httpCookie"), "the cookie has no name");
    }
    if let Some(name) = &hash.http_header_name {
        checks.header_name(format!("{at}.httpHeaderName"), name);
    }
    if hash.ring_hash.is_some() && hash.maglev.is_some() {
        checks.error(at, "only one of ringHash and maglev may be given");
    }
    if let Some(size) = hash.maglev.as_ref().and_then(|maglev| maglev.table_size) {
        let prime = size > 1 && (2..).take_while(|n: &u64| n * n <= size).all(|n| size % n != 0);
        if size > 5_000_011 || !prime {
            checks.error(format!("{at}.maglev.tableSize"), format!("{size} is not a prime up to 5000011"));
        }
    }
}

fn check_locality(locality: &LocalityLb, at: &str, checks: &mut Checks<'_>) {
    let ways =
        [!locality.distribute.is_empty(), !locality.failover.is_empty() || !locality.failover_priority.is_empty()];
    if ways == [true, true] {
        checks.error(at, "only one of distribute and failover may be given");
    }
    for (index, distribute) in locality.distribute.iter().enumerate() {
        let total: u64 = distribute.to.values().map(|share| u64::from(*share)).sum();
        if total != 100 {
            checks.error(format!("{at}.distribute[{index}].to"), format!("the shares add up to {total}, not 100"));
        }
    }
    for (index, failover) in locality.failover.iter().enumerate() {
        if failover.from == failover.to {
            checks.error(format!("{at}.failover[{index}]"), "from and to are the same region");
        }
    }
}

fn check_pool(pool: &ConnectionPool, at: &str, checks: &mut Checks<'_>) {
    if pool.tcp.is_none() && pool.http.is_none() {
        checks.error(at, "one of tcp and http must be given");
    }
    if let Some(tcp) = &pool.tcp {
        let at = format!("{at}.tcp");
        checks.not_negative(format!("{at}.maxConnections"), tcp.max_connections);
        checks.duration(format!("{at}.connectTimeout"), tcp.connect_timeout);
        checks.duration(format!("{at}.maxConnectionDuration"), tcp.max_connection_duration);
        if let Some(keepalive) = &tcp.tcp_keepalive {
            checks.duration(format!("{at}.tcpKeepalive.time"), keepalive.time);
            checks.duration(format!("{at}.tcpKeepalive.interval"), keepalive.interval);
        }
    }
    if let Some(http) = &pool.http {
        let at = format!("{at}.http");
        checks.not_negative(format!("{at}.http1MaxPendingRequests"), http.http1_max_pending_requests);
        checks.not_negative(format!("{at}.http2MaxRequests"), http.http2_max_requests);
        checks.not_negative(format!("{at}.maxRequestsPerConnection"), http.max_requests_per_connection);
        checks.not_negative(format!("{at}.maxRetries"), http.max_retries);
        checks.not_negative(format!("{at}.maxConcurrentStreams"), http.max_concurrent_streams);
        // Zero turns the timeout off.
        checks.duration(format!("{at}.idleTimeout"), http.idle_timeout.filter(|idle| !idle.get().is_zero()));
    }
}

fn check_outlier(outlier: &OutlierDetection, at: &str, checks: &mut Checks<'_>) {
    checks.duration(format!("{at}.interval"), outlier.interval);
    checks.duration(format!("{at}.baseEjectionTime"), outlier.base_ejection_time);
    checks.not_negative(format!("{at}.consecutiveErrors"), outlier.consecutive_errors);
    for (name, share) in
        [("maxEjectionPercent", outlier.max_ejection_percent), ("minHealthPercent", outlier.min_health_percent)]
    {
        if let Some(share) = share {
            checks.percent(format!("{at}.{name}"), f64::from(share));
        }
    }
    if outlier.consecutive_local_origin_failures.is_some_and(|n| n > 0) && !outlier.split_external_local_origin_errors {
        checks.error(
            format!("{at}.consecutiveLocalOriginFailures"),
            "this counts only when splitExternalLocalOriginErrors is true",
        );
    }
}

fn check_tls(tls: &ClientTls, at: &str, checks: &mut Checks<'_>) {
    let files = !tls.client_certificate.is_empty() || !tls.private_key.is_empty();
    if !tls.credential_name.is_empty() && (files || !tls.ca_certificates.is_empty()) {
        checks.error(format!("{at}.credentialName"), "a Secret and files may not both be given");
    }
    match tls.mode {
        ClientTlsMode::Mutual if tls.credential_name.is_empty() => {
            for (name, file) in [("clientCertificate", &tls.client_certificate), ("privateKey", &tls.private_key)] {
                if file.is_empty() {
                    checks.error(at, format!("mode MUTUAL needs {name} or credentialName"));
                }
            }
        }
        ClientTlsMode::IstioMutual if files || !tls.ca_certificates.is_empty() || !tls.credential_name.is_empty() => {
            checks.error(at, "mode ISTIO_MUTUAL uses the mesh's certificates; leave all others out");
        }
        _ => {}
    }
}
