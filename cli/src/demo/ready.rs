//! Waiting until a process answers, and giving up with its own words when it ends instead.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use weft_runtime::StartupError;

use super::{plan::Plan, supervisor::Supervisor};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(25);
/// How long nothing is said of a process that is not ready.
const QUIET: Duration = Duration::from_secs(2);

/// Bytes of an answer that are read; the shop's page is the largest.
const MOST: usize = 1024 * 1024;

/// What a process answered.
type Answer = (StatusCode, String);

/// Waits for 200 from `path` of the process of workload `who`.
pub async fn http_ok(
    supervisor: &mut Supervisor,
    address: &SocketAddr,
    path: &str,
    who: &str,
    say: &impl Fn(&str),
) -> anyhow::Result<()> {
    poll(supervisor, who, say, || get(*address, path, None)).await
}

/// Waits until a request has gone through the gateway and the whole application.
pub async fn first_answer(supervisor: &mut Supervisor, plan: &Plan, say: &impl Fn(&str)) -> anyhow::Result<()> {
    let gateway = plan.gateway_http();
    poll(supervisor, "istio-ingressgateway", say, || get(gateway, "/", Some("shop.example.com"))).await
}

async fn poll<F: Future<Output = Option<Answer>>>(
    supervisor: &mut Supervisor,
    who: &str,
    say: &impl Fn(&str),
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut last = None;
    // What was said last: a wait is explained once for each reason.
    let mut told = String::new();
    while started.elapsed() < PATIENCE {
        supervisor.check()?;
        last = tokio::time::timeout(Duration::from_secs(2), ask()).await.ok().flatten();
        if last.as_ref().is_some_and(|(status, _)| *status == StatusCode::OK) {
            return Ok(());
        }
        if started.elapsed() > QUIET {
            let why = reason(last.as_ref());
            if why != told {
                say(&format!("Waiting for {who}: {why}"));
                told = why;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    let last = reason(last.as_ref());
    eprintln!("{}", supervisor.last_output(who));
    Err(StartupError::new(
        format!("{who} is not ready after {} s", PATIENCE.as_secs()),
        last,
        "mend what it names; its last output is above",
    )
    .into())
}

/// Why a process is not ready, in its own words where it has some: `not ready: cannot listen on …`.
fn reason(answer: Option<&Answer>) -> String {
    match answer {
        None => "no answer".to_owned(),
        Some((status, body)) => match body.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(line) => line.chars().take(300).collect(),
            None => format!("last answer {status}"),
        },
    }
}

async fn get(address: SocketAddr, path: &str, host: Option<&str>) -> Option<Answer> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::get(format!("http://{address}{path}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let response = client.request(request.body(Empty::new()).ok()?).await.ok()?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST).collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_process_says() {
        let not = "not ready: listeners not bound yet, cannot listen on 127.78.32.11:8080: address in use\n";
        let answer = (StatusCode::SERVICE_UNAVAILABLE, not.to_owned());
        assert_eq!(reason(Some(&answer)), not.trim_end());
        assert_eq!(reason(Some(&(StatusCode::NOT_FOUND, "\n".to_owned()))), "last answer 404 Not Found");
        assert_eq!(reason(None), "no answer");
    }

    #[tokio::test]
    async fn what_is_answered_is_read() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 16]).await.unwrap();
            let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 12\r\n\r\nnot ready: x";
            stream.write_all(answer).await.unwrap();
        });
        let answer = get(address, "/healthz/ready", None).await;
        assert_eq!(answer, Some((StatusCode::SERVICE_UNAVAILABLE, "not ready: x".to_owned())));
        server.await.unwrap();
    }
}
