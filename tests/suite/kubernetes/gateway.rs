//! The gateway with a certificate that somebody else renews, as cert-manager does.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use weft_tests::{
    cluster::{Cluster, mesh::SYSTEM},
    http::get_tls,
    wait::{ensure, until},
};

use super::workload::{app, injected};

/// A certificate and the Secret that cert-manager would write for it.
fn secret(name: &str, host: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let secret = format!(
        "{{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {{name: {name}, namespace: {SYSTEM}}}, \
         data: {{tls.crt: {}, tls.key: {}}}}}",
        STANDARD.encode(&certificate),
        STANDARD.encode(key),
    );
    (certificate, secret)
}

#[tokio::test]
async fn a_renewed_secret_is_served_without_a_restart() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "entrance").await;
    let host = format!("{}.example.test", namespace.name);
    let name = format!("{}-certificate", namespace.name);
    namespace.apply(&app("store", 1)).await;
    namespace
        .apply(&format!(
            "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: entrance}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    tls: {{mode: SIMPLE, credentialName: {name}}}
    hosts: ['{host}']
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: entrance}}
spec:
  hosts: ['{host}']
  gateways: [entrance]
  http: [{{route: [{{destination: {{host: store}}}}]}}]
"
        ))
        .await;
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;

    // Until it is there, and while it holds no certificate, its Gateway says so.
    let told = async |words: &str| {
        until("the Gateway tells of its credential", Duration::from_secs(60), || async {
            let found =
                cluster.read(&["gateway.networking.istio.io", "-n", &namespace.name, "entrance"]).await.unwrap();
            let messages = &found["status"]["validationMessages"];
            let quiet = messages.as_array().is_none_or(Vec::is_empty);
            ensure(if words.is_empty() { quiet } else { messages.to_string().contains(words) }, || messages.to_string())
        })
        .await;
    };
    told("IST0101").await;
    until("an event tells it too", Duration::from_secs(10), || async {
        let events = namespace.kubectl(&["get", "events", "-o", "json"]).await;
        ensure(events.contains("WEFT0115") && events.contains(&name), || events.clone())
    })
    .await;
    let (first, manifest) = secret(&name, &host);
    let (other, _) = secret(&name, &host);
    cluster.apply(&manifest.replace(&STANDARD.encode(&first), &STANDARD.encode(other))).await;
    told("do not go together").await;
    cluster.apply(&manifest).await;
    told("").await;
    let service = cluster.read(&["service", "-n", SYSTEM, "weft-ingressgateway"]).await.unwrap();
    let address: SocketAddr = format!("{}:443", service["spec"]["clusterIP"].as_str().unwrap()).parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let served = async |certificate: &str| {
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, certificate).unwrap();
        until("the gateway serves the certificate of the Secret", Duration::from_secs(30), || async {
            let answer = get_tls(address, &host, "/", &file).await?;
            ensure(answer.status == 200, || format!("{answer:?}"))
        })
        .await;
    };
    served(&first).await;
    let (second, manifest) = secret(&name, &host);
    cluster.apply(&manifest).await;
    served(&second).await;
    cluster.delete(&manifest).await;
    told("IST0101").await;
}
