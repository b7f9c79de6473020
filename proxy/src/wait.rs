//! `weft-proxy wait`: returns when the proxy is ready. A pod's postStart hook runs it to hold the application back until
//! its connections can be served.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use http::HeaderMap;
use weft_model::ports;
use weft_runtime::{StartupError, log::LogArgs};

use crate::pod::{self, Place};

/// Waits until the proxy in this pod is ready.
#[derive(Clone, Debug, Parser)]
#[command(name = "weft-proxy wait", version)]
pub struct Flags {
    /// The proxy's readiness endpoint.
    #[arg(long, value_name = "IP:PORT", default_value_t = SocketAddr::from(([127, 0, 0, 1], ports::PROXY_READINESS)))]
    pub address: SocketAddr,
    /// How long to wait.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// How often to ask.
    #[arg(long, default_value = "100ms", value_parser = humantime::parse_duration)]
    pub period: Duration,
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Asks until the answer is yes; the error is the last answer.
pub async fn run(flags: Flags) -> anyhow::Result<()> {
    let mut last = "it was not asked yet".to_owned();
    let ready = async {
        loop {
            match ask(flags.address, flags.period).await {
                Ok(()) => return,
                Err(why) => last = why,
            }
            tokio::time::sleep(flags.period).await;
        }
    };
    if tokio::time::timeout(flags.timeout, ready).await.is_err() {
        let what = format!("the proxy was not ready within {}", humantime::format_duration(flags.timeout));
        return Err(StartupError::new(what, last, "see the log of the container istio-proxy").into());
    }
    Ok(())
}

async fn ask(address: SocketAddr, patience: Duration) -> Result<(), String> {
    let place = Place { address, source: None, tls: false };
    let asked = async {
        let headers = HeaderMap::new();
        let (response, _link) = pod::get(place, "/healthz/ready", &headers).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = pod::read(address, response.into_body(), 4096).await.unwrap_or_default();
        match status.is_success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&body).trim().to_owned()),
        }
    };
    let patience = patience.max(Duration::from_secs(1));
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err("it does not answer".into()))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Router, http::StatusCode, routing::get};

    use super::*;

    async fn flags(ready_after: usize) -> Flags {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = move || {
            let ready = asked.fetch_add(1, Ordering::Relaxed) >= ready_after;
            async move {
                if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "no certificate") }
            }
        };
        let router = Router::new().route("/healthz/ready", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Flags::parse_from(["wait", "--address", &address, "--period", "1ms", "--timeout", "200ms"])
    }

    #[tokio::test]
    async fn waits_until_ready_or_says_why_not() {
        run(Flags { timeout: Duration::from_secs(60), ..flags(3).await }).await.unwrap();
        let error = run(flags(usize::MAX).await).await.unwrap_err().to_string();
        assert!(error.contains("within 200ms") && error.contains("no certificate"), "{error}");
    }
}
