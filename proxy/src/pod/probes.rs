//! The application's probes and lifecycle handlers, as injection moved them to the proxy: a JSON object from path to
//! action, Istio's `ISTIO_KUBE_APP_PROBERS`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header::HOST};
use serde::Deserialize;

/// Kubernetes' default for `timeoutSeconds`.
const TIMEOUT: Duration = Duration::from_secs(1);
/// No probe takes longer, whatever it says.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// Paths that one pod can sensibly have.
const MAX_PROBES: usize = 512;

/// Actions by the path of 15020 that runs them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Probes(Arc<BTreeMap<String, Probe>>);

/// One probe or lifecycle handler.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What is done.
    pub action: Action,
    /// In which time.
    pub timeout: Duration,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Action {
    /// `httpGet`.
    Http {
        /// Whether over TLS; the certificate is not verified, as the kubelet does not.
        tls: bool,
        /// Host to dial instead of the pod.
        host: Option<String>,
        /// Port.
        port: u16,
        /// Path with query.
        path: String,
        /// Headers of the probe.
        headers: HeaderMap,
    },
    /// `tcpSocket`: succeeds when a connection comes about.
    Tcp {
        /// Host to dial instead of the pod.
        host: Option<String>,
        /// Port.
        port: u16,
    },
    /// `grpc`: the standard health service.
    Grpc {
        /// Port.
        port: u16,
        /// Service that is asked for.
        service: String,
    },
}

/// Why the JSON cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProbes {
    /// Not the form.
    #[error("not an object of probes: {0}")]
    Json(#[from] serde_json::Error),
    /// One entry.
    #[error("{0:?}: {1}")]
    Entry(String, String),
    /// More than any pod has.
    #[error("more than {MAX_PROBES} probes")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    http_get: Option<HttpGet>,
    tcp_socket: Option<TcpSocket>,
    grpc: Option<Grpc>,
    timeout_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpGet {
    path: Option<String>,
    port: Port,
    host: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    http_headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct TcpSocket {
    port: Port,
    host: Option<String>,
}

#[derive(Deserialize)]
struct Grpc {
    port: Port,
    service: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Port {
    Number(u16),
    Text(String),
}

impl Port {
    /// Injection writes numbers: names of container ports mean nothing to the proxy.
    pub(super) fn number(&self) -> Result<u16, String> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        };
        number.filter(|number| *number > 0).ok_or_else(|| "the port must be a number from 1 to 65535".into())
    }
}

impl Probes {
    /// Reads the JSON; empty text is no probes.
    pub fn parse(text: &str) -> Result<Self, InvalidProbes> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let entries: BTreeMap<String, Entry> = serde_json::from_str(text)?;
        if entries.len() > MAX_PROBES {
            return Err(InvalidProbes::TooMany);
        }
        let read = |(path, entry): (String, Entry)| match probe(&path, entry) {
            Ok(probe) => Ok((path, probe)),
            Err(why) => Err(InvalidProbes::Entry(path, why)),
        };
        Ok(Self(Arc::new(entries.into_iter().map(read).collect::<Result<_, _>>()?)))
    }

    /// The action of a path.
    pub fn get(&self, path: &str) -> Option<&Probe> {
        self.0.get(path)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn probe(path: &str, entry: Entry) -> Result<Probe, String> {
    if !known_path(path) {
        return Err("the path is neither /app-health/<container>/… nor /app-lifecycle/<container>/…".into());
    }
    let action = match (entry.http_get, entry.tcp_socket, entry.grpc) {
        (Some(http), None, None) => http_action(http)?,
        (None, Some(tcp), None) => {
            Action::Tcp { host: tcp.host.filter(|host| !host.is_empty()), port: tcp.port.number()? }
        }
        (None, None, Some(grpc)) => {
            Action::Grpc { port: grpc.port.number()?, service: grpc.service.unwrap_or_default() }
        }
        _ => return Err("exactly one of httpGet, tcpSocket and grpc is needed".into()),
    };
    let timeout = entry.timeout_seconds.filter(|seconds| *seconds > 0).map_or(TIMEOUT, Duration::from_secs);
    Ok(Probe { action, timeout: timeout.min(MAX_TIMEOUT) })
}

fn known_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["", "app-health", container, "livez" | "readyz" | "startupz"]
        | ["", "app-lifecycle", container, "prestopz" | "poststartz"] => !container.is_empty(),
        _ => false,
    }
}

fn http_action(http: HttpGet) -> Result<Action, String> {
    let tls = match http.scheme.as_deref().unwrap_or("HTTP") {
        scheme if scheme.eq_ignore_ascii_case("http") => false,
        scheme if scheme.eq_ignore_ascii_case("https") => true,
        other => return Err(format!("the scheme {other:?} is neither HTTP nor HTTPS")),
    };
    let mut headers = HeaderMap::new();
    for Header { name, value } in http.http_headers {
        let bad = || format!("{name:?} is no header");
        let value = HeaderValue::from_str(&value).map_err(|_| bad())?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        // There is one host only; of other headers all are sent.
        match name == HOST {
            true => drop(headers.insert(name, value)),
            false => drop(headers.append(name, value)),
        }
    }
    let path = http.path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".into());
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    http::uri::PathAndQuery::try_from(path.as_str()).map_err(|_| format!("{path:?} is no path"))?;
    Ok(Action::Http { tls, host: http.host.filter(|host| !host.is_empty()), port: http.port.number()?, path, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_injection_writes() {
        let probes = Probes::parse(
            r#"{"/app-health/web/readyz":{"httpGet":{"path":"ready?x=1","port":8080,"scheme":"HTTPS",
                  "httpHeaders":[{"name":"X-Probe","value":"1"}]},"timeoutSeconds":3},
                "/app-health/web/livez":{"tcpSocket":{"port":"9000"}},
                "/app-health/db/startupz":{"grpc":{"port":5000,"service":"db"},"timeoutSeconds":0},
                "/app-lifecycle/web/prestopz":{"httpGet":{"port":8080}}}"#,
        )
        .unwrap();
        let ready = probes.get("/app-health/web/readyz").unwrap();
        assert_eq!(ready.timeout, Duration::from_secs(3));
        assert!(matches!(&ready.action, Action::Http { tls: true, port: 8080, path, headers, .. }
            if path == "/ready?x=1" && headers["x-probe"] == "1"));
        assert!(matches!(probes.get("/app-health/web/livez").unwrap().action, Action::Tcp { port: 9000, .. }));
        let started = probes.get("/app-health/db/startupz").unwrap();
        assert!(matches!(&started.action, Action::Grpc { port: 5000, service } if service == "db"));
        assert_eq!(started.timeout, TIMEOUT);
        assert!(
            matches!(&probes.get("/app-lifecycle/web/prestopz").unwrap().action, Action::Http { path, .. } if path == "/")
        );
        assert!(Probes::parse(" ").unwrap().is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        for (bad, why) in [
            ("[]", "not an object"),
            (r#"{"/health":{"tcpSocket":{"port":1}}}"#, "app-health"),
            (r#"{"/app-health//livez":{"tcpSocket":{"port":1}}}"#, "app-health"),
            (r#"{"/app-health/a/livez":{}}"#, "exactly one"),
            (r#"{"/app-health/a/livez":{"tcpSocket":{"port":"http"}}}"#, "port"),
            (r#"{"/app-health/a/livez":{"tcpSocket":{"port":0}}}"#, "port"),
            (r#"{"/app-health/a/livez":{"httpGet":{"port":1,"scheme":"ftp"}}}"#, "scheme"),
            (r#"{"/app-health/a/livez":{"httpGet":{"port":1,"httpHeaders":[{"name":"a b","value":""}]}}}"#, "header"),
        ] {
            let error = Probes::parse(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
