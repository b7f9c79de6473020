//! One proxy: what its control plane wants, what it has, and in what the two differ.

use kube::Client;
use serde_json::Value;
use weft_mesh::snapshot::Workload;
use weft_model::{
    details::SyncState,
    mesh::{ProxyDetail, ProxyRow},
    ports,
};
use weft_source::kubernetes::forward;

use super::{
    dump::{self, MOST, Wanted},
    fleet::{Fleet, Seen},
    reading::ReadingError,
    versions,
};

/// The largest page that is read of a pod: whoever runs it says what is in it.
const MAX_PAGE: usize = 16 * 1024 * 1024;
/// Pages of a proxy, and why one cannot be read.
type Pages = [Result<Vec<u8>, String>; 3];
/// What is in force, certificates, figures.
const PAGES: [&str; 3] = ["/config_dump", "/certs", "/stats"];

/// Where the admin port of an instance's proxy is, if this console may go there by itself: a process of this machine, which
/// has a loopback address of its own. A pod's is reached in a person's name, and any other address is somebody's
/// manifest's word.
fn admin_url(instance: &Workload) -> Option<String> {
    let address = instance.ip.filter(|ip| ip.is_loopback() && !instance.is_pod())?;
    Some(format!("http://{}", std::net::SocketAddr::new(address, ports::PROXY_ADMIN)))
}

/// The row of one instance's proxy.
pub fn row(seen: &Seen, namespace: &str, name: &str, control_plane_version: &str) -> ProxyRow {
    let (sync, words) = seen.state(namespace, name);
    let known = seen.proxy(namespace, name);
    let version = known.map(|(proxy, _)| proxy.version.clone()).unwrap_or_default();
    ProxyRow {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        control_plane: known.map(|(_, url)| url.to_owned()).unwrap_or_default(),
        sync,
        words,
        connected_at_ms: known.map_or(0, |(proxy, _)| proxy.connected_at_ms),
        skewed: versions::skewed(&version, control_plane_version),
        version,
    }
}

/// Everything about one proxy, objects included that not everybody sees. `pod` opens a way to a pod in the name of whoever
/// asks; the error in it says why it does not.
pub async fn detail(
    fleet: &Fleet,
    seen: &Seen,
    instance: &Workload,
    pod: Option<Result<Client, String>>,
) -> Result<ProxyDetail, ReadingError> {
    let held = fleet.reading().hold().await?;
    let (namespace, name) = (&instance.reference.namespace, &instance.reference.name);
    let mut detail =
        ProxyDetail { row: row(seen, namespace, name, env!("CARGO_PKG_VERSION")), ..ProxyDetail::default() };
    let admin = admin_url(instance);
    let own = async {
        match (&admin, pod) {
            (Some(url), _) => {
                let [config, certificates, stats] = PAGES.map(|path| format!("{url}{path}"));
                let (config, certificates, stats) =
                    tokio::join!(fleet.proxy_page(&config), fleet.proxy_page(&certificates), fleet.proxy_page(&stats));
                Some([config, certificates, stats])
            }
            (None, Some(client)) => Some(of_pod(client, namespace, name).await),
            (None, _) => None,
        }
    };
    let (wanted, own) = tokio::join!(wanted(fleet, seen, namespace, name), own);
    let read = move || {
        fill(&mut detail, wanted, own);
        detail
    };
    let mut detail = fleet.reading().read(held, read).await?;
    let place = match &admin {
        Some(url) => format!("--proxy-admin {url}"),
        None => format!("{name} -n {namespace}"),
    };
    let parts = ["listeners", "routes", "clusters", "endpoints", "secrets"];
    detail.commands = parts.map(|part| (part.to_owned(), format!("weft proxy-config {part} {place}"))).into();
    detail.commands.push((
        "Its state".to_owned(),
        match (&admin, fleet.operator()) {
            (Some(_), Some(operator)) => {
                format!("weft proxy-status {name}.{namespace} --operator-admin {}", operator.urls(&[]).concat())
            }
            _ => format!("weft proxy-status {name}.{namespace}"),
        },
    ));
    detail.commands.push(("All of this".to_owned(), format!("weft console proxy {namespace}/{name}")));
    Ok(detail)
}

/// Reads the pages: what the control plane wants, and the proxy's own.
fn fill(detail: &mut ProxyDetail, wanted: Result<Vec<u8>, String>, own: Option<Pages>) {
    let mut in_force: Option<Value> = None;
    match own {
        Some([config, certificates, stats]) => {
            let json = |page: Result<Vec<u8>, String>| {
                page.and_then(|page| serde_json::from_slice::<Value>(&page).map_err(|error| error.to_string()))
            };
            match json(config) {
                Ok(config) => {
                    detail.tables = dump::tables(&config);
                    in_force = Some(config);
                }
                Err(why) => detail.notes.push(format!(
                    "The proxy itself cannot be asked: {why}. What its control plane wants, and what it confirmed or \
                     refused, is here."
                )),
            }
            detail.certificates = json(certificates).map(|page| dump::certificates(&page)).unwrap_or_default();
            detail.stats = stats.map(|page| dump::stats(&String::from_utf8_lossy(&page))).unwrap_or_default();
        }
        None => detail.notes.push(
            "What is in force in the proxy itself is open to its own machine alone; the command shows it. What its \
             control plane wants, and what it confirmed or refused, is here."
                .to_owned(),
        ),
    }
    let wanted = wanted.and_then(|page| {
        serde_json::from_slice::<Wanted>(&page)
            .map_err(|error| format!("What the operator says of this proxy cannot be read: {error}."))
    });
    match wanted {
        Ok(wanted) => {
            detail.wanted = wanted.resources.len();
            detail.drift = dump::drift(&wanted.resources, in_force.as_ref());
            detail.identity = wanted.proxy.identity;
            detail.types = wanted.proxy.types;
        }
        Err(why) => detail.notes.push(why),
    }
    detail.more_drift = detail.drift.len().saturating_sub(MOST);
    detail.drift.truncate(MOST);
}

async fn of_pod(client: Result<Client, String>, namespace: &str, pod: &str) -> Pages {
    let pages = match client {
        Ok(client) => forward::get_all(&client, namespace, pod, ports::PROXY_ADMIN, PAGES, MAX_PAGE).await,
        Err(why) => return PAGES.map(|_| Err(why.clone())),
    };
    match pages {
        Ok(pages) => pages.map(|page| page.map(Into::into).map_err(|error| error.to_string())),
        Err(error) => PAGES.map(|_| Err(error.to_string())),
    }
}

/// What the control plane wants of it, as it says it.
async fn wanted(fleet: &Fleet, seen: &Seen, namespace: &str, name: &str) -> Result<Vec<u8>, String> {
    let (Some((proxy, url)), Some(operator)) = (seen.proxy(namespace, name), fleet.operator()) else {
        return Err(match seen.state(namespace, name) {
            (SyncState::Unknown, problem) => problem,
            _ => "No control plane has this proxy on the line, so none says what it should have.".to_owned(),
        });
    };
    let node: String = url::form_urlencoded::byte_serialize(proxy.node.as_bytes()).collect();
    operator.text(url, &format!("/debug/config_dump?proxy={node}")).await.map_err(|error| error.to_string())
}
