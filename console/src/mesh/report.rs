//! The state of the mesh as a whole.

mod serving;
mod verdicts;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use futures::future::join_all;
use weft_model::{
    config::Dependency,
    details::SyncState,
    mesh::{Authority, Certificate, ControlPlane, Cost, MeshState, ProxyRow},
};

use super::{exposition, fleet::Seen, measured::Figure, proxy};
use crate::{app::App, clock::now_ms, config::View, estate, telemetry::prometheus::Series};

/// Proxies listed at most, those in trouble first.
const MOST: usize = 1_000;
/// What proxies measure of themselves. The second part leaves out what is no proxy.
pub(super) const MEMORY: &str = "process_resident_memory_bytes and on (instance) weft_proxy_config_generation";
pub(super) const CPU: &str = "rate(process_cpu_seconds_total[5m]) and on (instance) weft_proxy_config_generation";
pub(super) const EXPIRY: &str = "weft_proxy_cert_expiry_seconds";

/// Asks everyone. `sees` says which namespaces the reader may see; "" is the mesh as a whole.
pub async fn state(app: &App, sees: &(dyn Fn(&str) -> bool + Sync)) -> MeshState {
    let view = app.view();
    let (figures, seen, planes, served) = tokio::join!(
        app.measured.get(),
        app.fleet.seen(&view.control_planes),
        planes(app, &view),
        serving::ask(app.fleet.operator(), &view.control_planes)
    );
    let (mut control_planes, authorities): (Vec<ControlPlane>, Vec<Option<Authority>>) = planes.into_iter().unzip();
    for (index, plane) in control_planes.iter_mut().enumerate() {
        plane.proxies = seen.proxies.values().filter(|(at, _)| *at == index).count();
        plane.problem = seen.planes.get(index).and_then(|(_, problem)| problem.clone()).or(plane.problem.take());
    }
    let by_address = by_address(&view);
    let mut proxies = proxies(&view, &seen, &control_planes, sees);
    let good = proxies.iter().filter(|proxy| proxy.sync == SyncState::Synced).count();
    let in_step = (proxies.len(), good);
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for proxy in proxies.iter().filter(|proxy| !proxy.version.is_empty()) {
        *versions.entry(proxy.version.clone()).or_default() += 1;
    }
    let now_ms = now_ms();
    let leaf_ttl_s = authorities.iter().flatten().map(|authority| authority.leaf_ttl_s).max();
    let mut certificates: Vec<Certificate> = Vec::new();
    for certificate in authorities.iter().flatten().flat_map(|authority| &authority.certificates) {
        if !certificates.contains(certificate) {
            certificates.push(certificate.clone());
        }
    }
    let expiry = &figures.expiry;
    let certificates_note = match (certificates.is_empty(), expiry.note(now_ms)) {
        (true, _) => {
            Some("No operator tells its certificates: it cannot be asked, or is of an older version.".to_owned())
        }
        (false, Some(note)) if expiry.series().is_empty() => {
            Some(format!("The workloads' certificates are not known: {note}"))
        }
        (false, Some(note)) => Some(format!("The workloads' certificates are of before: {note}")),
        (false, None) if expiry.is_empty() => {
            Some("The workloads' certificates are not known: Prometheus has no figures of proxies.".to_owned())
        }
        _ => None,
    };
    // How long they hold was told at that time.
    certificates.extend(leaves(expiry.series(), &by_address, leaf_ttl_s, expiry.at_ms(now_ms), sees));
    certificates.sort_by_key(|certificate| certificate.not_after_ms);
    let costs_note = costs_note(&figures.memory, now_ms);
    let costs = costs(figures.memory.series(), figures.cpu.series(), &by_address, sees);
    let (serving, serving_note) = serving::seen(served, sees);
    let dependency = |problem: Option<String>| Dependency { up: problem.is_none(), problem };
    let whole = sees("");
    if !whole {
        control_planes.iter_mut().enumerate().for_each(|(index, plane)| without_address(plane, index));
    }
    // Those in trouble are never the ones that are left out.
    proxies.sort_by(|a, b| {
        (b.sync, b.skewed).cmp(&(a.sync, a.skewed)).then_with(|| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)))
    });
    let mut state = MeshState {
        at_ms: now_ms,
        console_version: env!("CARGO_PKG_VERSION").to_owned(),
        verdicts: Vec::new(),
        control_planes,
        in_step,
        versions: versions.into_iter().collect(),
        certificates,
        certificates_note,
        serving,
        serving_note,
        costs,
        costs_note,
        // A share of everybody's traffic.
        mtls_share: figures.mtls_share().filter(|_| whole),
        prometheus: figures.prometheus(),
        operator: dependency(seen.problem()),
        commands: commands(app, whole),
        proxies,
    };
    state.verdicts = verdicts::of(&state, &unproxied(&view, sees), verdicts::errors(&view.list, sees), leaf_ttl_s);
    state.proxies.truncate(MOST);
    state
}

/// Without where it is; one that no pod names is named by its address.
fn without_address(plane: &mut ControlPlane, index: usize) {
    if plane.name == plane.address {
        plane.name = format!("control plane {}", index + 1);
    }
    plane.address.clear();
}

fn commands(app: &App, whole: bool) -> Vec<(String, String)> {
    let place = match (app.auth.reviewer(), app.fleet.operator()) {
        (None, Some(operator)) if whole => format!(" --operator-admin {}", operator.urls(&[]).concat()),
        _ => String::new(),
    };
    [
        ("Proxies", format!("weft proxy-status{place}")),
        ("What is installed and what it costs", "weft status --cost".to_owned()),
        ("Memory", MEMORY.to_owned()),
        ("CPU", CPU.to_owned()),
        ("Seconds until certificates expire", EXPIRY.to_owned()),
        ("The same as JSON", "curl -s $CONSOLE/api/v1/mesh".to_owned()),
    ]
    .map(|(what, command)| (what.to_owned(), command))
    .into()
}

/// Each control plane with what it says of itself.
async fn planes(app: &App, view: &View) -> Vec<(ControlPlane, Option<Authority>)> {
    let Some(operator) = app.fleet.operator() else { return Vec::new() };
    let names: BTreeMap<IpAddr, (&str, &str)> = view
        .snapshot
        .workloads()
        .values()
        .filter_map(|pod| Some((pod.ip?, (pod.reference.name.as_str(), pod.label("istio.io/rev")))))
        .collect();
    let urls = operator.urls(&view.control_planes);
    let asked = urls.into_iter().enumerate().map(|(index, url)| {
        let address = view.control_planes.get(index);
        let (name, revision) = address.and_then(|ip| names.get(ip)).copied().unwrap_or((url.as_str(), ""));
        let plane = ControlPlane { name: name.to_owned(), revision: revision.to_owned(), ..ControlPlane::default() };
        async move {
            let (metrics, authority) =
                tokio::join!(operator.text(&url, "/metrics"), operator.text(&url, "/debug/authority"));
            let authority = authority.ok().and_then(|page| serde_json::from_slice::<Authority>(&page).ok());
            let mut plane = ControlPlane { address: url, ..plane };
            plane.version = authority.as_ref().map(|authority| authority.version.clone()).unwrap_or_default();
            match metrics {
                Ok(page) => figures(&mut plane, &String::from_utf8_lossy(&page)),
                Err(error) => plane.problem = Some(error.to_string()),
            }
            (plane, authority)
        }
    });
    join_all(asked).await
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn figures(plane: &mut ControlPlane, page: &str) {
    const ACK: &str = "weft_operator_proxy_ack_seconds";
    plane.pushes = exposition::sum(page, &format!("{ACK}_count")) as u64;
    plane.push_p50_ms = exposition::quantile(page, ACK, 0.5).map(|seconds| seconds * 1000.0);
    plane.push_p99_ms = exposition::quantile(page, ACK, 0.99).map(|seconds| seconds * 1000.0);
    plane.nacks = exposition::sum(page, "weft_operator_nacks_total") as u64;
}

/// Instances by address, which is how Prometheus names what it scrapes.
fn by_address(view: &View) -> BTreeMap<String, (String, String)> {
    let workloads = view.snapshot.workloads().values();
    workloads
        .filter_map(|one| Some((one.ip?.to_string(), (one.reference.namespace.clone(), one.reference.name.clone()))))
        .collect()
}

/// Proxies that there are or should be.
fn proxies(view: &View, seen: &Seen, planes: &[ControlPlane], sees: &dyn Fn(&str) -> bool) -> Vec<ProxyRow> {
    let estate = &view.estate;
    let proxied = view.snapshot.workloads().values().filter(|one| {
        one.has_mutual_tls() || estate.workloads.get(&estate::id(one)).is_some_and(|known| known.gateway)
    });
    let expected = proxied.map(|one| (one.reference.namespace.clone(), one.reference.name.clone()));
    let all: BTreeSet<(String, String)> = expected.chain(seen.proxies.keys().cloned()).collect();
    let version = |namespace: &str, name: &str| {
        let (_, url) = seen.proxy(namespace, name)?;
        planes.iter().find(|plane| plane.address == url).map(|plane| plane.version.as_str())
    };
    let seen_by_all = all.into_iter().filter(|(namespace, _)| sees(namespace));
    seen_by_all
        .map(|(namespace, name)| proxy::row(seen, &namespace, &name, version(&namespace, &name).unwrap_or_default()))
        .collect()
}

/// Workloads that should have a proxy and have none.
fn unproxied(view: &View, sees: &dyn Fn(&str) -> bool) -> Vec<String> {
    let listed = view.estate.workloads.iter().filter(|(_, known)| known.listed && !known.meshed);
    listed.filter(|(_, known)| sees(&known.namespace)).map(|(id, _)| id.clone()).collect()
}

/// The first and the last workload certificate to expire; a timeline of thousands tells nobody more.
fn leaves(
    expiry: &[Series],
    by_address: &BTreeMap<String, (String, String)>,
    ttl_s: Option<u64>,
    now_ms: u64,
    sees: &dyn Fn(&str) -> bool,
) -> Vec<Certificate> {
    let known = expiry.iter().filter_map(|series| {
        let (namespace, name) = by_address.get(series.labels.host())?;
        sees(namespace).then(|| (series.value, format!("{namespace}/{name}")))
    });
    let mut all: Vec<(f64, String)> = known.collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = all.len();
    let certificate = |(left, name): &(f64, String), which: &str| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let not_after_ms = now_ms + (left.max(0.0) * 1000.0) as u64;
        Certificate {
            role: "workload".to_owned(),
            name: if count == 1 { name.clone() } else { format!("{which} of {count} workload certificates: {name}") },
            fingerprint: String::new(),
            // How long it lives is the newest that is known; it holds already, whatever that says.
            not_before_ms: not_after_ms.saturating_sub(ttl_s.unwrap_or(86_400) * 1000).min(now_ms),
            not_after_ms,
            signs: false,
        }
    };
    match &all[..] {
        [] => Vec::new(),
        [one] => vec![certificate(one, "")],
        [first, .., last] => vec![certificate(first, "First"), certificate(last, "Last")],
    }
}

fn costs_note(memory: &Figure, now_ms: u64) -> Option<String> {
    memory.note(now_ms).or_else(|| {
        let none = "Prometheus has no figures of proxies; weft status --cost asks the cluster's metrics.";
        memory.is_empty().then(|| none.to_owned())
    })
}

fn costs(
    memory: &[Series],
    cpu: &[Series],
    by_address: &BTreeMap<String, (String, String)>,
    sees: &dyn Fn(&str) -> bool,
) -> Vec<Cost> {
    let mut costs: BTreeMap<&str, Cost> = BTreeMap::new();
    let namespace = |series: &Series| by_address.get(series.labels.host()).map(|(namespace, _)| namespace.as_str());
    for (series, namespace) in memory.iter().filter_map(|series| Some((series, namespace(series)?))) {
        let cost = costs.entry(namespace).or_default();
        cost.proxies += 1;
        cost.memory += series.value;
    }
    for (series, namespace) in cpu.iter().filter_map(|series| Some((series, namespace(series)?))) {
        costs.entry(namespace).or_default().cpu += series.value;
    }
    let named = costs.into_iter().filter(|(namespace, _)| sees(namespace));
    let mut all: Vec<Cost> = named.map(|(namespace, cost)| Cost { namespace: namespace.to_owned(), ..cost }).collect();
    all.sort_by(|a, b| b.memory.total_cmp(&a.memory));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it lives is not told of each one: 24 hours are assumed where nobody tells.
    #[test]
    fn a_workloads_certificate_holds_already() {
        let week = Series { labels: [("instance", "10.0.0.7:15020")].into(), value: 6.0 * 86_400.0 };
        let by_address = BTreeMap::from([("10.0.0.7".to_owned(), ("shop".to_owned(), "cart".to_owned()))]);
        let told = leaves(&[week], &by_address, None, 1_000, &|_| true);
        assert_eq!((told[0].not_before_ms, told[0].not_after_ms), (1_000, 518_401_000));
    }

    #[test]
    fn who_does_not_see_the_mesh_hears_no_address() {
        let url = "http://10.0.0.7:15014";
        let plane = |name: &str| ControlPlane { name: name.into(), address: url.into(), ..ControlPlane::default() };
        let (mut named, mut pod) = (plane(url), plane("weft-operator-0"));
        without_address(&mut named, 0);
        without_address(&mut pod, 1);
        assert_eq!((named.name.as_str(), named.address.as_str()), ("control plane 1", ""));
        assert_eq!((pod.name.as_str(), pod.address.as_str()), ("weft-operator-0", ""));
    }
}
