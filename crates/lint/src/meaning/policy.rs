//! DestinationRule.

use weft_api::networking::{
    DestinationRule, TrafficPolicy,
    traffic_policy::{ClientTlsMode, ConnectionPool, LoadBalancer, OutlierDetection, SimpleLb},
};

use super::{labels, list, percent, time};

pub(super) fn sentences(spec: &DestinationRule) -> Vec<String> {
    let mut out = Vec::new();
    let callers = match &spec.workload_selector {
        Some(selector) if !selector.match_labels.is_empty() => {
            format!("Calls from workloads with {} to {}", labels(&selector.match_labels), spec.host)
        }
        _ => format!("Calls to {}", spec.host),
    };
    if let Some(policy) = &spec.traffic_policy {
        out.extend(parts(policy).into_iter().map(|part| format!("{callers} {part}.")));
        for port in &policy.port_level_settings {
            let number = port.port.as_ref().map_or(0, |port| port.number);
            let own = TrafficPolicy {
                load_balancer: port.load_balancer.clone(),
                connection_pool: port.connection_pool.clone(),
                outlier_detection: port.outlier_detection.clone(),
                tls: port.tls.clone(),
                ..TrafficPolicy::default()
            };
            out.extend(parts(&own).into_iter().map(|part| format!("{callers}, port {number}, {part}.")));
        }
    }
    for subset in &spec.subsets {
        let which = if subset.labels.is_empty() {
            "every workload".to_owned()
        } else {
            format!("the workloads with {}", labels(&subset.labels))
        };
        out.push(format!("Subset {} is {which} behind {}.", subset.name, spec.host));
        let own = subset.traffic_policy.iter().flat_map(parts);
        out.extend(own.map(|part| format!("Calls to subset {} {part}.", subset.name)));
    }
    if out.is_empty() {
        out.push(format!("It says nothing about {} yet.", spec.host));
    }
    out
}

/// What a policy does to calls, each to follow `Calls to x`.
fn parts(policy: &TrafficPolicy) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(policy.load_balancer.as_ref().and_then(balance));
    out.extend(policy.connection_pool.as_ref().and_then(pool));
    out.extend(policy.outlier_detection.as_ref().map(outlier));
    out.extend(policy.tls.as_ref().map(|tls| match tls.mode {
        ClientTlsMode::Disable => "are made in plaintext".to_owned(),
        ClientTlsMode::Simple => "are encrypted with TLS; the server proves who it is".to_owned(),
        ClientTlsMode::Mutual => "are encrypted with mutual TLS by the certificates given here".to_owned(),
        ClientTlsMode::IstioMutual => "are encrypted with the mesh's mutual TLS".to_owned(),
    }));
    out.extend(policy.retry_budget.as_ref().map(|budget| {
        format!(
            "may be tried again for at most {} of active requests at a time",
            percent(budget.percent.unwrap_or(20.0))
        )
    }));
    out
}

fn balance(lb: &LoadBalancer) -> Option<String> {
    if let Some(hash) = &lb.consistent_hash {
        let by = match (&hash.http_header_name, &hash.http_cookie, hash.use_source_ip, &hash.http_query_parameter_name)
        {
            (Some(name), ..) => format!("the same header {name}"),
            (_, Some(cookie), ..) => format!("the same cookie {}", cookie.name),
            (_, _, Some(true), _) => "the same client address".to_owned(),
            (.., Some(name)) => format!("the same query parameter {name}"),
            _ => "the same hash".to_owned(),
        };
        return Some(format!("with {by} go to the same endpoint"));
    }
    let simple = match lb.simple? {
        SimpleLb::Unspecified | SimpleLb::LeastConn | SimpleLb::LeastRequest => "go to the less busy of two endpoints",
        SimpleLb::Random => "go to any endpoint by chance",
        SimpleLb::Passthrough => "go to the address that the caller dialled",
        SimpleLb::RoundRobin => "go to the endpoints in turn",
    };
    Some(simple.to_owned())
}

fn pool(pool: &ConnectionPool) -> Option<String> {
    let mut words = Vec::new();
    if let Some(tcp) = &pool.tcp {
        words.extend(tcp.max_connections.map(|n| format!("use at most {n} connections from each proxy")));
        words.extend(tcp.connect_timeout.map(|limit| format!("must connect within {}", time(limit))));
        words.extend(tcp.idle_timeout.map(|limit| format!("close connections idle for {}", time(limit))));
    }
    if let Some(http) = &pool.http {
        words
            .extend(http.http1_max_pending_requests.map(|n| format!("fail at once (503) beyond {n} waiting requests")));
        words.extend(http.http2_max_requests.map(|n| format!("fail at once (503) beyond {n} requests under way")));
        words.extend(
            http.max_requests_per_connection
                .filter(|n| *n > 0)
                .map(|n| format!("use each connection for {n} requests")),
        );
        words.extend(http.max_retries.map(|n| format!("have at most {n} retries under way")));
        words.extend(http.idle_timeout.map(|limit| format!("close connections idle for {}", time(limit))));
    }
    (!words.is_empty()).then(|| list(&words, "and"))
}

fn outlier(outlier: &OutlierDetection) -> String {
    let mut causes = Vec::new();
    let errors = outlier.consecutive_5xx_errors.or(outlier.consecutive_errors.and_then(|n| u32::try_from(n).ok()));
    causes.extend(errors.filter(|n| *n > 0).map(|n| format!("{n} server errors")));
    causes.extend(outlier.consecutive_gateway_errors.filter(|n| *n > 0).map(|n| format!("{n} gateway errors")));
    causes.extend(
        outlier.consecutive_local_origin_failures.filter(|n| *n > 0).map(|n| format!("{n} failed connections")),
    );
    let causes = if causes.is_empty() { "5 server errors".to_owned() } else { list(&causes, "or") };
    let long = outlier.base_ejection_time.map_or_else(|| "30 s".to_owned(), time);
    let most = outlier.max_ejection_percent.map_or(10.0, f64::from);
    format!(
        "leave an endpoint out for {long} or longer after {causes} in a row, at most {} of them at once",
        percent(most)
    )
}
