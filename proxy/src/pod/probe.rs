//! Running one probe against the application, in the kubelet's place.

mod grpc;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderValue, StatusCode, Uri, header};

use super::{
    Action, Probe, bypass,
    fetch::{FetchError, Place, dial, get},
};
use crate::state::{Capture, NodeInfo};

/// Redirects of one server that are followed, as the kubelet does.
const MAX_REDIRECTS: usize = 10;

/// What the kubelet is answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The application's own status, or 200 and 500 where it has none.
    pub status: StatusCode,
    /// Why, for the kubelet's event.
    pub message: String,
}

impl Verdict {
    fn failed(why: impl ToString) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: why.to_string() }
    }

    fn passed() -> Self {
        Self { status: StatusCode::OK, message: String::new() }
    }
}

/// Runs it within its time.
pub async fn run(node: &NodeInfo, probe: &Probe, agent: Option<&HeaderValue>) -> Verdict {
    let outcome = tokio::time::timeout(probe.timeout, attempt(node, &probe.action, agent)).await;
    match outcome {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => Verdict::failed(error),
        Err(_) => Verdict::failed(format!("no answer within {} s", probe.timeout.as_secs())),
    }
}

async fn attempt(node: &NodeInfo, action: &Action, agent: Option<&HeaderValue>) -> Result<Verdict, FetchError> {
    match action {
        Action::Tcp { host, port } => {
            let (address, source) = place(node, host.as_deref(), *port);
            dial(address, source).await.map(|_| Verdict::passed())
        }
        Action::Grpc { port, service } => {
            let (address, source) = place(node, None, *port);
            let stream = dial(address, source).await?;
            Ok(match grpc::check(address, stream, service).await {
                Ok(()) => Verdict::passed(),
                Err(why) => Verdict::failed(why),
            })
        }
        Action::Http { tls, host, port, path, headers } => {
            let (address, source) = place(node, host.as_deref(), *port);
            let mut headers = headers.clone();
            if let Some(host) = host
                && !headers.contains_key(header::HOST)
                && let Ok(host) = HeaderValue::try_from(format!("{host}:{port}"))
            {
                headers.insert(header::HOST, host);
            }
            if let Some(agent) = agent {
                headers.entry(header::USER_AGENT).or_insert_with(|| agent.clone());
            }
            headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
            let mut path = path.clone();
            for _ in 0..=MAX_REDIRECTS {
                let (response, _link) = get(Place { address, source, tls: *tls }, &path, &headers).await?;
                let status = response.status();
                match response.headers().get(header::LOCATION).filter(|_| status.is_redirection()) {
                    // Another server says nothing about this one, so the redirect itself counts, as for the kubelet.
                    Some(location) => match same_server(location, address) {
                        Some(next) => path = next,
                        None => return Ok(answered(status)),
                    },
                    None => return Ok(answered(status)),
                }
            }
            Ok(Verdict::failed(format!("more than {MAX_REDIRECTS} redirects")))
        }
    }
}

fn answered(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..400 => Verdict { status, message: String::new() },
        _ => Verdict { status, message: format!("the application answered {status}") },
    }
}

/// The path of a redirect that stays at the application.
fn same_server(location: &HeaderValue, address: SocketAddr) -> Option<String> {
    let uri: Uri = location.to_str().ok()?.parse().ok()?;
    let stays = match uri.authority() {
        None => true,
        Some(authority) => authority.as_str() == address.to_string(),
    };
    stays.then(|| uri.path_and_query().map_or("/", |path| path.as_str()).to_owned())
}

/// Where the application is dialled, and from where: from an address that is not redirected, where connections are.
pub(super) fn place(node: &NodeInfo, host: Option<&str>, port: u16) -> (SocketAddr, Option<IpAddr>) {
    let ip = match host {
        Some("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(host) => host.parse().unwrap_or(node.address),
        None => node.address,
    };
    let source = (node.capture == Capture::Redirect).then(|| bypass(ip));
    (SocketAddr::new(ip, port), source)
}

#[cfg(test)]
mod tests;
