//! An estate's workloads as manifests.

use std::fmt::Write as _;

use super::{Estate, Workload};

impl Estate {
    pub(super) fn workload_yaml(&self) -> String {
        let mut text = String::new();
        let mut services: Vec<(&str, &str)> = Vec::new();
        for workload in &self.workloads {
            let ip = self.ip(self.host(&format!("{}/{}", workload.namespace, workload.name)));
            let Workload { namespace, name, app, version, .. } = workload;
            if !services.contains(&(namespace, app)) && (workload.serves || workload.gateway) {
                services.push((namespace, app));
                let ports = if workload.gateway {
                    "[{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]".to_owned()
                } else {
                    let further = workload.ports.iter().map(|(name, port)| format!(", {{name: {name}, port: {port}}}"));
                    format!("[{{name: http, port: 8080, targetPort: 8080}}{}]", further.collect::<String>())
                };
                writeln!(
                    text,
                    "apiVersion: v1\nkind: Service\nmetadata: {{name: {app}, namespace: {namespace}}}\n\
                     spec: {{selector: {{app: {app}}}, ports: {ports}}}\n---"
                )
                .expect("text");
            }
            let tls = if workload.proxy { ", security.istio.io/tlsMode: istio" } else { "" };
            let gateway = if workload.gateway { ", istio: ingressgateway" } else { "" };
            writeln!(
                text,
                "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
                 spec: {{address: {ip}, serviceAccount: {app}, labels: {{app: {app}, version: {version}, instance: {name}{tls}{gateway}}}}}\n---"
            )
            .expect("text");
            if workload.proxy && !workload.gateway {
                let egress = self.ip(self.host(&format!("{namespace}/{name}")) + 100);
                let listen = |port: u16, name: &str| {
                    match name.split('-').next() {
                        Some(protocol @ ("http" | "grpc" | "tcp")) => {
                            format!("port: {{number: {port}, protocol: {}, name: {name}}}", protocol.to_uppercase())
                        }
                        // Left undeclared, to be found out by looking.
                        _ => format!("port: {{number: {port}, name: {name}}}"),
                    }
                };
                let mut ingress =
                    format!("{{{}, defaultEndpoint: '0.0.0.0:9080', captureMode: NONE}}", listen(8080, "http"));
                for (name, port) in &workload.ports {
                    let endpoint = port + 1000;
                    write!(
                        ingress,
                        ", {{{}, defaultEndpoint: '0.0.0.0:{endpoint}', captureMode: NONE}}",
                        listen(*port, name)
                    )
                    .expect("text");
                }
                let mut calls =
                    format!("{{{}, bind: {egress}, captureMode: NONE, hosts: ['*/*']}}", listen(8080, "http"));
                for (name, host, port) in &workload.calls {
                    write!(
                        calls,
                        ", {{{}, bind: {egress}, captureMode: NONE, hosts: ['{host}']}}",
                        listen(*port, name)
                    )
                    .expect("text");
                }
                writeln!(
                    text,
                    "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
                     spec:\n  workloadSelector: {{labels: {{instance: {name}}}}}\n  ingress: [{ingress}]\n  egress: [{calls}]\n---"
                )
                .expect("text");
            }
        }
        text
    }
}
