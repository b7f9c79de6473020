//! A change is made and written down to its end, also when whoever asked for it hangs up.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::*;

const HISTORY: &str = "/api/v1/canaries/history?apiVersion=networking.istio.io/v1&kind=VirtualService\
                       &namespace=shop&name=order-service&routeIndex=1";

/// Sends a write, whole, and waits for no answer.
async fn hang_up(console: &Running, path: &str, body: &Value) {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nx-weft-request: 1\r\ncontent-type: application/json\r\n",
        console.address
    );
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(console.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn what_nobody_waits_for_is_made_and_written_down() {
    let console = Running::start(&[]).await;
    let canary = console.json("/api/v1/canaries").await["canaries"][0].clone();
    let edit =
        json!({"object": canary["object"], "routeIndex": 1, "weights": [50, 50], "revision": canary["revision"]});
    hang_up(&console, "/api/v1/canaries/apply", &edit).await;
    until("the move is in the route's history", async || {
        (console.json(HISTORY).await["changes"][0]["to"] == json!([50, 50])).then_some(())
    })
    .await;
    let yaml = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: strict, namespace: shop}\n\
                spec: {mtls: {mode: STRICT}}\n";
    hang_up(&console, "/api/v1/config/apply", &json!({"action": "create", "yaml": yaml})).await;
    let audit = until("both are in the audit", async || {
        let audit = console.json("/api/v1/audit").await;
        (audit["entries"].as_array().map(Vec::len) == Some(2)).then_some(audit)
    })
    .await;
    assert_eq!((&audit["entries"][0]["action"], &audit["entries"][1]["action"]), (&json!("create"), &json!("weights")));
    assert!(audit["entries"][0]["diff"].as_str().unwrap().contains("STRICT"), "{audit}");
    console.stop().await;
}
