//! Waiting until a process answers, and giving up with its own words when it ends instead.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use weft_runtime::StartupError;

use super::{plan::Plan, supervisor::Supervisor};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(25);

/// Waits for 200 from `path` of the process of workload `who`.
pub async fn http_ok(supervisor: &mut Supervisor, address: &SocketAddr, path: &str, who: &str) -> anyhow::Result<()> {
    poll(supervisor, who, || get(*address, path, None)).await
}

/// Waits until a request has gone through the gateway and the whole application.
pub async fn first_answer(supervisor: &mut Supervisor, plan: &Plan) -> anyhow::Result<()> {
    let gateway = plan.gateway_http();
    poll(supervisor, "istio-ingressgateway", || get(gateway, "/", Some("shop.example.com"))).await
}

async fn poll<F: Future<Output = Option<StatusCode>>>(
    supervisor: &mut Supervisor,
    who: &str,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut last = None;
    while started.elapsed() < PATIENCE {
        supervisor.check()?;
        last = tokio::time::timeout(Duration::from_secs(2), ask()).await.ok().flatten();
        if last == Some(StatusCode::OK) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    let last = last.map_or_else(|| "no answer".to_owned(), |status| format!("last answer {status}"));
    eprintln!("{}", supervisor.last_output(who));
    Err(StartupError::new(
        format!("{who} is not ready after {} s", PATIENCE.as_secs()),
        last,
        "mend what it names; its last output is above",
    )
    .into())
}

async fn get(address: SocketAddr, path: &str, host: Option<&str>) -> Option<StatusCode> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::get(format!("http://{address}{path}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let response = client.request(request.body(Empty::new()).ok()?).await.ok()?;
    let status = response.status();
    response.into_body().collect().await.ok()?;
    Some(status)
}
