//! The load generator: an open loop, so that a slow answer does not slow the next request down.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde::Serialize;
use tokio::{sync::Semaphore, time::MissedTickBehavior};
use weft_runtime::{Shutdown, StartupError};

/// Flags of `call`.
#[derive(clap::Args)]
pub struct CallArgs {
    /// What to request; may be given several times, then they take turns.
    #[arg(long = "url", required = true)]
    urls: Vec<Uri>,
    /// Host header; the URL's authority by default.
    #[arg(long)]
    host: Option<HeaderValue>,
    /// Requests per second, over all.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Every so-manieth request is a tester's and carries `x-canary: true`; 0 means none is.
    #[arg(long, default_value_t = 0)]
    tester_every: u64,
    /// Source address.
    #[arg(long)]
    local_address: Option<IpAddr>,
    /// Requests under way at once at the most; further ones are counted as skipped.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
}

#[derive(Default, Serialize)]
struct Tally {
    sent: u64,
    skipped: u64,
    /// Answers by status; `0` counts those that got none.
    by_status: BTreeMap<u16, u64>,
}

const TIMEOUT: Duration = Duration::from_secs(15);

/// Sends until shutdown, then prints one line of JSON with what happened.
pub async fn run(args: CallArgs, shutdown: Shutdown) -> anyhow::Result<()> {
    if !(args.rate.is_finite() && args.rate > 0.0 && args.rate <= 100_000.0) {
        return Err(StartupError::new("cannot send", format!("--rate {}", args.rate), "give a rate above 0").into());
    }
    let mut connector = HttpConnector::new();
    connector.set_local_address(args.local_address);
    connector.set_nodelay(true);
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(20))
        .build(connector);
    let tally = Rc::new(RefCell::new(Tally::default()));
    let permits = std::sync::Arc::new(Semaphore::new(args.concurrency));
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / args.rate));
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for count in 1u64.. {
                tokio::select! { _ = tick.tick() => {}, () = shutdown.wait() => break }
                let Ok(permit) = permits.clone().try_acquire_owned() else {
                    tally.borrow_mut().skipped += 1;
                    continue;
                };
                let tester = args.tester_every > 0 && count.is_multiple_of(args.tester_every);
                let url = args.urls[(count as usize) % args.urls.len()].clone();
                let request = request(url, args.host.clone(), tester)?;
                let (client, tally) = (client.clone(), tally.clone());
                tally.borrow_mut().sent += 1;
                tokio::task::spawn_local(async move {
                    let status =
                        tokio::time::timeout(TIMEOUT, send(&client, request)).await.ok().flatten().unwrap_or(0);
                    *tally.borrow_mut().by_status.entry(status).or_default() += 1;
                    drop(permit);
                });
            }
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    // What is under way gets its answer, within the request's own limit.
    let deadline = Instant::now() + TIMEOUT;
    local
        .run_until(async {
            while permits.available_permits() < args.concurrency && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    println!("{}", serde_json::to_string(&*tally.borrow())?);
    Ok(())
}

fn request(url: Uri, host: Option<HeaderValue>, tester: bool) -> anyhow::Result<http::Request<Empty<Bytes>>> {
    let mut request = http::Request::get(url).body(Empty::new()).context("request")?;
    if let Some(host) = host {
        request.headers_mut().insert(header::HOST, host);
    }
    if tester {
        request.headers_mut().insert(HeaderName::from_static("x-canary"), HeaderValue::from_static("true"));
    }
    Ok(request)
}

async fn send(client: &Client<HttpConnector, Empty<Bytes>>, request: http::Request<Empty<Bytes>>) -> Option<u16> {
    let response = client.request(request).await.ok()?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.ok()?;
    }
    Some(status)
}
