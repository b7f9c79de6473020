//! The webhooks, asked as the API server asks them: over TLS on connections that stay open, a few at a time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::identity;

/// Connections, each with one review at a time.
const CONNECTIONS: usize = 4;

/// Asks `path` about each object; gives how long each answer took. `expected` says whether an answer is the right one.
///
/// # Errors
/// When a connection fails, or at a wrong answer.
pub async fn ask(
    address: SocketAddr,
    root: &str,
    path: &str,
    objects: &[Value],
    expected: fn(&Value) -> bool,
) -> Result<Vec<Duration>> {
    let share = objects.len().div_ceil(CONNECTIONS);
    let connections = objects.chunks(share).map(|share| connection(address, root, path, share, expected));
    let times = futures::future::try_join_all(connections).await?;
    Ok(times.concat())
}

async fn connection(
    address: SocketAddr,
    root: &str,
    path: &str,
    objects: &[Value],
    expected: fn(&Value) -> bool,
) -> Result<Vec<Duration>> {
    let connector = identity::connector(root, None, "http/1.1")?;
    let stream = TcpStream::connect(address).await.context("cannot connect to the webhooks")?;
    stream.set_nodelay(true)?;
    let stream = connector.connect(identity::server()?, stream).await.context("TLS with the webhooks")?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(driver);
    let mut times = Vec::with_capacity(objects.len());
    for (number, object) in objects.iter().enumerate() {
        let body = review(&format!("review-{number}"), object);
        let request = Request::post(path).header("host", "weft").header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body)))?;
        sender.ready().await?;
        let asked = Instant::now();
        let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        times.push(asked.elapsed());
        let answer: Value = serde_json::from_slice(&answer)?;
        ensure!(expected(&answer["response"]), "{path} answered {answer}");
    }
    driver.abort();
    Ok(times)
}

fn review(uid: &str, object: &Value) -> String {
    let metadata = &object["metadata"];
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": uid, "operation": "CREATE", "namespace": metadata["namespace"], "name": metadata["name"],
            "userInfo": { "username": "system:serviceaccount:kube-system:replicaset-controller" },
            "object": object, "oldObject": null, "dryRun": false,
        },
    })
    .to_string()
}
