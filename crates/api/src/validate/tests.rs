use serde_json::{Value, json};

use crate::{Kind, parse};

/// Field and message of everything that is wrong with a spec.
fn errors(kind: Kind, spec: Value) -> Vec<(String, String)> {
    let value = json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": {"name": "x"}, "spec": spec});
    let object = parse(&value, "default").unwrap().object;
    object.validate().into_iter().map(|error| (error.field, error.message)).collect()
}

fn fields(kind: Kind, spec: Value) -> Vec<String> {
    errors(kind, spec).into_iter().map(|(field, _)| field).collect()
}

#[test]
fn a_virtual_service_as_people_write_it() {
    let spec = json!({"hosts": ["order-service", "*.example.com", "10.0.0.1"], "gateways": ["mesh", "ns/gw"], "http": [
        {"match": [{"headers": {"x-canary": {"exact": "true"}, "x-any": {}}, "uri": {"regex": "/a/[0-9]+"}}],
         "timeout": "0s", "retries": {"attempts": 2, "perTryTimeout": "3s", "retryOn": "connect-failure,refused-stream,503"},
         "route": [{"destination": {"host": "order-service", "subset": "v1"}, "weight": 90},
                   {"destination": {"host": "order-service", "subset": "v2", "port": {"number": 8080}}, "weight": 10}]}]});
    assert_eq!(errors(Kind::VirtualService, spec), []);
    // Weights are relative, so a sum other than 100 is no error of the object.
    let spec = json!({"hosts": ["a"], "tcp": [{"route": [{"destination": {"host": "a"}, "weight": 1},
        {"destination": {"host": "b"}, "weight": 2}]}]});
    assert_eq!(errors(Kind::VirtualService, spec), []);
}

#[test]
fn faults_of_virtual_services() {
    let route = |route: Value| fields(Kind::VirtualService, json!({"hosts": ["a"], "http": [route]}));
    let to = json!([{"destination": {"host": "a"}}]);
    assert_eq!(route(json!({})), ["spec.http[0]"]);
    assert_eq!(route(json!({"route": to, "redirect": {"uri": "/"}})), ["spec.http[0]"]);
    assert_eq!(route(json!({"route": [{"destination": {"host": ""}}]})), ["spec.http[0].route[0].destination"]);
    assert_eq!(
        route(json!({"route": [{"destination": {"host": "a"}, "weight": -1}, {"destination": {"host": "b"}}]})),
        ["spec.http[0].route[0].weight"]
    );
    assert_eq!(
        route(json!({"route": [{"destination": {"host": "a"}}, {"destination": {"host": "b"}}]})),
        ["spec.http[0].route"]
    );
    assert_eq!(route(json!({"route": to, "timeout": "10us"})), ["spec.http[0].timeout"]);
    assert_eq!(
        route(json!({"route": to, "retries": {"attempts": -1, "retryOn": "5xx,conect-failure"}})),
        ["spec.http[0].retries.attempts", "spec.http[0].retries.retryOn"]
    );
    assert_eq!(
        route(json!({"route": to, "fault": {"abort": {"percentage": {"value": 101}, "httpStatus": 99}}})),
        ["spec.http[0].fault.abort.percentage.value", "spec.http[0].fault.abort.httpStatus"]
    );
    assert_eq!(route(json!({"route": to, "match": [{"uri": {"regex": "("}}]})), ["spec.http[0].match[0].uri.regex"]);
    assert_eq!(fields(Kind::VirtualService, json!({"hosts": ["a", "a"], "http": [{"route": to}]})), ["spec.hosts[1]"]);
    assert_eq!(fields(Kind::VirtualService, json!({"hosts": ["a"]})), ["spec"]);
}

#[test]
fn destination_rules() {
    let spec = json!({"host": "order-service", "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"},
        "connectionPool": {"tcp": {"maxConnections": 100}, "http": {"http1MaxPendingRequests": 50, "maxRequestsPerConnection": 2}},
        "outlierDetection": {"consecutive5xxErrors": 5, "interval": "10s", "baseEjectionTime": "30s", "maxEjectionPercent": 50}},
        "subsets": [{"name": "v1", "labels": {"version": "v1"}}]});
    assert_eq!(errors(Kind::DestinationRule, spec), []);
    let spec = json!({"host": "a", "trafficPolicy": {"outlierDetection": {"maxEjectionPercent": 150},
        "loadBalancer": {"consistentHash": {}}, "tls": {"mode": "MUTUAL", "privateKey": "/k"}},
        "subsets": [{"name": "v1"}, {"name": "v1"}]});
    assert_eq!(
        fields(Kind::DestinationRule, spec),
        [
            "spec.trafficPolicy.loadBalancer.consistentHash",
            "spec.trafficPolicy.outlierDetection.maxEjectionPercent",
            "spec.trafficPolicy.tls",
            "spec.subsets[1].name"
        ]
    );
}

#[test]
fn gateways() {
    let server = |server: Value| fields(Kind::Gateway, json!({"selector": {"istio": "x"}, "servers": [server]}));
    let good = json!({"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["ns/*.example.com"],
        "tls": {"mode": "SIMPLE", "credentialName": "cert"}});
    assert!(server(good.clone()).is_empty());
    let mut bad = good.clone();
    bad["tls"] = Value::Null;
    assert_eq!(server(bad), ["spec.servers[0]"]);
    let mut bad = good.clone();
    bad["tls"]["credentialName"] = "".into();
    bad["port"]["number"] = 70_000.into();
    assert_eq!(server(bad), ["spec.servers[0].port.number", "spec.servers[0].tls"]);
    let mut bad = good;
    bad["port"]["protocol"] = "HTPS".into();
    assert_eq!(server(bad), ["spec.servers[0].port.protocol"]);
}

#[test]
fn security() {
    let spec = json!({"selector": {"matchLabels": {"app": "order-service"}}, "action": "ALLOW", "rules": [{
        "from": [{"source": {"principals": ["cluster.local/ns/production/sa/checkout-bff"]}}],
        "to": [{"operation": {"methods": ["GET", "POST"], "paths": ["/api/v1/orders/*"], "ports": ["8080"]}}],
        "when": [{"key": "request.headers[x-tenant]", "values": ["a"]}]}]});
    assert_eq!(errors(Kind::AuthorizationPolicy, spec), []);
    let spec = json!({"rules": [{"from": [{"source": {}}], "to": [{"operation": {"ports": ["http"]}}],
        "when": [{"key": "source.namespce", "values": ["a"]}, {"key": "source.ip", "values": ["nowhere"]}]}]});
    assert_eq!(
        fields(Kind::AuthorizationPolicy, spec),
        [
            "spec.rules[0].from[0].source",
            "spec.rules[0].to[0].operation.ports[0]",
            "spec.rules[0].when[0].key",
            "spec.rules[0].when[1].values[0]"
        ]
    );
    assert_eq!(fields(Kind::AuthorizationPolicy, json!({"action": "CUSTOM"})), ["spec"]);
    assert!(errors(Kind::AuthorizationPolicy, json!({})).is_empty());
    assert!(errors(Kind::PeerAuthentication, json!({"mtls": {"mode": "STRICT"}})).is_empty());
    let spec = json!({"portLevelMtls": {"8080": {"mode": "DISABLE"}}});
    assert_eq!(fields(Kind::PeerAuthentication, spec), ["spec.portLevelMtls"]);
}

#[test]
fn standalone_kinds() {
    let spec = json!({"workloadSelector": {"labels": {"app": "a"}},
        "ingress": [{"port": {"number": 8080, "protocol": "HTTP", "name": "http"}, "captureMode": "NONE", "defaultEndpoint": "0.0.0.0:9080"}],
        "egress": [{"port": {"number": 15081, "protocol": "HTTP", "name": "out"}, "bind": "127.0.0.1", "captureMode": "NONE", "hosts": ["*/*"]}]});
    assert_eq!(errors(Kind::Sidecar, spec), []);
    let spec = json!({"ingress": [{"port": {"number": 8080, "protocol": "HTTP"}, "defaultEndpoint": "10.0.0.1:80"}],
        "egress": [{"hosts": ["orders"]}]});
    assert_eq!(fields(Kind::Sidecar, spec), ["spec.ingress[0].defaultEndpoint", "spec.egress[0].hosts[0]"]);
    assert_eq!(errors(Kind::WorkloadEntry, json!({"address": "127.0.0.9", "labels": {"app": "a"}})), []);
    assert_eq!(fields(Kind::WorkloadEntry, json!({})), ["spec"]);
    let spec = json!({"hosts": ["api.example.com"], "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}], "resolution": "STATIC"});
    assert_eq!(fields(Kind::ServiceEntry, spec), ["spec"]);
}

#[test]
fn telemetry() {
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "metrics": [{"overrides": [{"disabled": true}]}],
        "accessLogging": [{"providers": [{"name": "envoy"}]}], "tracing": [{"match": {"mode": "SERVER"},
        "providers": [{"name": "otel"}], "randomSamplingPercentage": "12.5", "disableSpanReporting": null,
        "customTags": {"a": {"literal": {"value": "x"}}, "b": {"environment": {"name": "HOME"}},
            "c": {"header": {"name": ":path", "defaultValue": "-"}}, "d": {}}}, {"randomSamplingPercentage": 0}]});
    assert_eq!(errors(Kind::Telemetry, spec), []);
    assert_eq!(errors(Kind::Telemetry, json!({})), []);
    let spec = json!({"selector": {"matchLabels": {"app": "*"}}, "tracing": [
        {"randomSamplingPercentage": 100.5}, {"randomSamplingPercentage": "NaN"}, {"randomSamplingPercentage": -1},
        {"providers": [{}], "customTags": {"": {"literal": {"value": "x"}}, "a.b": {"literal": {}},
            "c": {"header": {"name": "x"}, "environment": {"name": ""}}}}]});
    assert_eq!(
        fields(Kind::Telemetry, spec),
        [
            "spec.selector.matchLabels.app",
            "spec.tracing[0].randomSamplingPercentage",
            "spec.tracing[1].randomSamplingPercentage",
            "spec.tracing[2].randomSamplingPercentage",
            "spec.tracing[3].providers[0]",
            "spec.tracing[3].customTags",
            "spec.tracing[3].customTags[\"a.b\"].literal",
            "spec.tracing[3].customTags.c",
            "spec.tracing[3].customTags.c.environment",
        ]
    );
    let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "targetRefs": [{"kind": "Gateway", "name": "g"}]});
    assert_eq!(fields(Kind::Telemetry, spec), ["spec"]);
}
