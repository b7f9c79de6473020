//! The ingress gateway: a proxy that stands alone.

use serde_json::{Value, json};
use weft_api::mesh::{Profile, ServiceType};

use super::{
    frame::Frame,
    pod::{Workload, env, service},
};
use crate::{InjectConfig, names, names::GATEWAY_COMPONENT as COMPONENT, profile, proxy};

pub(super) fn objects(frame: &Frame<'_>) -> Vec<Value> {
    let mesh = &frame.input.mesh;
    let name = frame.name(names::INGRESS_GATEWAY);
    let overrides = &mesh.components.ingress_gateway;
    let small = mesh.profile() != Profile::Default;
    let requests = if small { [("cpu", "10m"), ("memory", "40Mi")] } else { [("cpu", "100m"), ("memory", "128Mi")] };
    let config = InjectConfig { image: image(frame), ..InjectConfig::new(frame.input) };
    let mut container = proxy::container(&config, proxy::Role::Gateway);
    if let Some(list) = container["env"].as_array_mut() {
        list.push(env("WEFT_LOG_FORMAT", "json"));
        // Traces begin here.
        list.extend(config.span_variables(&config.proxy_config, |name| overrides.env.contains_key(name)));
    }
    let extra = overrides.service_ports.iter().map(|port| {
        let target = port.target_port.unwrap_or(port.port);
        let mut entry = json!({"name": port.name, "port": port.port, "targetPort": target, "protocol": "TCP"});
        if let Some(node) = port.node_port {
            entry["nodePort"] = node.into();
        }
        entry
    });
    let ports: Vec<Value> = [("status-port", 15021, 15021), ("http2", 80, 8080), ("https", 443, 8443)]
        .into_iter()
        .map(|(name, port, target)| json!({"name": name, "port": port, "targetPort": target, "protocol": "TCP"}))
        .chain(extra)
        .collect();
    let open = ports.iter().filter(|port| port["targetPort"] != 15021);
    let open = open.map(|port| json!({"name": port["name"], "containerPort": port["targetPort"], "protocol": "TCP"}));
    if let Some(list) = container["ports"].as_array_mut() {
        list.extend(open);
    }
    let workload = Workload {
        component: COMPONENT,
        name: name.clone(),
        overrides,
        replicas: if small { 1 } else { 2 },
        resources: profile::resources(&requests, &[("memory", "1Gi")], &overrides.resources),
        container,
        volumes: proxy::volumes().into(),
        user: proxy::USER,
        // What the selectors of Istio's users match.
        pod_labels: json!({
            "app": "istio-ingressgateway",
            "istio": "ingressgateway",
            "service.istio.io/canonical-name": "istio-ingressgateway",
            "service.istio.io/canonical-revision": "latest",
        }),
        pod_annotations: json!({
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "15020",
            "prometheus.io/path": "/stats/prometheus",
        }),
        grace: 60,
    };
    let mut exposed = overrides.clone();
    exposed.service_type.get_or_insert(if small { ServiceType::ClusterIP } else { ServiceType::LoadBalancer });
    let mut entrance = service(frame, COMPONENT, &name, &exposed, ports.into());
    for (label, value) in [("app", "istio-ingressgateway"), ("istio", "ingressgateway")] {
        entrance["metadata"]["labels"][label] = value.into();
    }
    let mut objects = vec![frame.service_account(COMPONENT, &name), entrance];
    objects.extend(workload.objects(frame));
    objects
}

fn image(frame: &Frame<'_>) -> String {
    let own = frame.input.mesh.components.ingress_gateway.image.clone();
    own.unwrap_or_else(|| frame.settings.proxy_image.clone())
}
