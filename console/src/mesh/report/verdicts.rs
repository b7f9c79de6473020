//! What is wrong with the mesh, as sentences.

use weft_model::{
    Severity,
    config::ConfigList,
    details::SyncState,
    graph::Health,
    mesh::{MeshState, ProxyRow, ServingCertificate, Verdict},
    validity::Validity,
};

use crate::details::words::percent;

/// Where the page lists workloads, those whose proxies are in trouble first.
const WORKLOADS: &str = "workloads?sort=proxies";
/// Things named in one sentence at most.
const NAMED: usize = 3;

/// Errors of the configuration that the reader may see; what is of no namespace is for who sees the mesh as a whole.
pub fn errors(list: &ConfigList, sees: &dyn Fn(&str) -> bool) -> usize {
    let rows = list.rows.iter().filter(|row| sees(&row.object.namespace)).flat_map(|row| &row.findings);
    let files = list.file_findings.iter();
    let files = files.filter(|one| sees(one.object.as_ref().map_or("", |object| object.namespace.as_str())));
    rows.chain(files).filter(|finding| finding.severity == Severity::Error).count()
}

/// Sentences, the worst first; one that all is well if there is nothing else to say. `errors` are the configuration's.
pub fn of(state: &MeshState, unproxied: &[String], errors: usize, leaf_ttl_s: Option<u64>) -> Vec<Verdict> {
    let mut all = dependencies(state);
    all.extend(proxies(&state.proxies));
    all.extend(certificates(state, leaf_ttl_s));
    all.extend(serving(state));
    if !unproxied.is_empty() {
        let text = format!(
            "{}: calls to and from {} are plaintext.",
            counted(unproxied, "workload is", "workloads are", "without a proxy"),
            if unproxied.len() == 1 { "it" } else { "them" }
        );
        all.push(Verdict { health: Health::Degraded, text, place: WORKLOADS.to_owned() });
    }
    if let Some(share) = state.mtls_share.filter(|share| *share < 1.0) {
        let text = format!(
            "{} of the last minute's requests were plaintext; broken locks in the graph say where.",
            percent(1.0 - share)
        );
        all.push(Verdict { health: Health::Degraded, text, place: "graph".to_owned() });
    }
    if errors > 0 {
        let text = if errors == 1 {
            "Configuration has an error; the room of that name says which.".to_owned()
        } else {
            format!("Configuration has {errors} errors; the room of that name lists them.")
        };
        // As the top bar colours them.
        all.push(Verdict { health: Health::Failing, text, place: "configuration?severity=error".to_owned() });
    }
    all.sort_by_key(|verdict| std::cmp::Reverse(verdict.health));
    if all.is_empty() {
        let text = match state.in_step.0 {
            0 => "Nothing is wrong. No proxy is expected yet: start one, or have pods injected.".to_owned(),
            1 => "All is well: the one proxy is in step with its control plane.".to_owned(),
            proxies => format!("All is well: {proxies} proxies are in step with their control plane."),
        };
        all.push(Verdict { health: Health::Healthy, text, ..Verdict::default() });
    }
    all
}

fn dependencies(state: &MeshState) -> Vec<Verdict> {
    let mut all = Vec::new();
    if let Some(problem) = &state.operator.problem {
        all.push(Verdict { health: Health::Failing, text: format!("{problem}."), ..Verdict::default() });
    }
    if let Some(problem) = &state.prometheus.problem {
        all.push(Verdict { health: Health::Degraded, text: format!("{problem}."), ..Verdict::default() });
    }
    all
}

fn proxies(rows: &[ProxyRow]) -> Vec<Verdict> {
    let of = |state: SyncState| -> Vec<&ProxyRow> { rows.iter().filter(|row| row.sync == state).collect() };
    let names =
        |rows: &[&ProxyRow]| rows.iter().map(|row| format!("{}/{}", row.namespace, row.name)).collect::<Vec<_>>();
    let mut all = Vec::new();
    let refused = of(SyncState::Refused);
    for row in refused.iter().take(NAMED) {
        let words: String = row.words.lines().next().unwrap_or_default().chars().take(300).collect();
        all.push(Verdict {
            health: Health::Failing,
            text: format!(
                "The proxy of {}/{} refuses configuration ({words}); its last good version stays in force.",
                row.namespace, row.name
            ),
            place: WORKLOADS.to_owned(),
        });
    }
    if refused.len() > NAMED {
        let text = format!("{} more proxies refuse configuration; they head the list.", refused.len() - NAMED);
        all.push(Verdict { health: Health::Failing, text, place: WORKLOADS.to_owned() });
    }
    let away = of(SyncState::Away);
    if !away.is_empty() {
        let text = format!(
            "{}: what it was sent last stays in force. Look whether it runs.",
            counted(&names(&away), "proxy is", "proxies are", "not connected to a control plane")
        );
        all.push(Verdict { health: Health::Failing, text, place: WORKLOADS.to_owned() });
    }
    let stale = of(SyncState::Stale);
    if !stale.is_empty() {
        let text = format!(
            "{}.",
            counted(&names(&stale), "proxy has", "proxies have", "not confirmed the newest configuration yet")
        );
        all.push(Verdict { health: Health::Degraded, text, place: WORKLOADS.to_owned() });
    }
    let skewed: Vec<&ProxyRow> = rows.iter().filter(|row| row.skewed).collect();
    if !skewed.is_empty() {
        let text = format!(
            "{}; start its workload again.",
            counted(
                &names(&skewed),
                "proxy is",
                "proxies are",
                "more than one minor version away from the control plane"
            )
        );
        all.push(Verdict { health: Health::Degraded, text, place: WORKLOADS.to_owned() });
    }
    all
}

fn certificates(state: &MeshState, leaf_ttl_s: Option<u64>) -> Vec<Verdict> {
    let mut all = Vec::new();
    for certificate in &state.certificates {
        let left_ms = certificate.not_after_ms.saturating_sub(state.at_ms);
        let leaf = certificate.role == "workload";
        let validity = Validity::of(certificate.not_before_ms, certificate.not_after_ms, state.at_ms);
        // A workload's certificate is renewed at half of its life: in its last quarter something keeps it from that.
        let late = leaf && left_ms < leaf_ttl_s.unwrap_or(86_400) * 1000 / 4;
        if left_ms == 0 {
            let text = format!("The {} certificate of {} has expired.", certificate.role, certificate.name);
            all.push(Verdict { health: Health::Failing, text, ..Verdict::default() });
        } else if late {
            let text = format!("A workload's certificate was not renewed in time ({}).", certificate.name);
            all.push(Verdict { health: Health::Degraded, text, ..Verdict::default() });
        } else if validity == Validity::NotYet {
            let text = format!(
                "The {} certificate {} does not hold yet: its time has not begun, or a clock is wrong.",
                certificate.role, certificate.name
            );
            all.push(Verdict { health: Health::Failing, text, ..Verdict::default() });
        } else if !leaf && validity == Validity::Due {
            let text = format!(
                "The {} certificate {} expires in {} days; rotate it.",
                certificate.role,
                certificate.name,
                left_ms / 86_400_000
            );
            all.push(Verdict { health: Health::Degraded, text, ..Verdict::default() });
        }
    }
    all
}

/// What clients from outside are shown; what a Secret lacks is a finding of its Gateway.
fn serving(state: &MeshState) -> Vec<Verdict> {
    let named = |wanted: Validity| -> Vec<String> {
        let of = |one: &ServingCertificate| Validity::of(one.not_before_ms, one.not_after_ms, state.at_ms);
        let fits = state.serving.iter().filter(|one| one.problem.is_none() && of(one) == wanted);
        let name = |one: &ServingCertificate| {
            let ServingCertificate { gateway, namespace, secret, .. } = one;
            format!("Gateway {}/{}, Secret {namespace}/{secret}", gateway.namespace, gateway.name)
        };
        fits.map(name).collect()
    };
    let (one, many) = ("serving certificate", "serving certificates");
    let told = [
        (Validity::Expired, ["has", "have"], "expired", "clients refuse what is served with it"),
        (Validity::NotYet, ["is", "are"], "not valid yet", "clients refuse what is served with it until then"),
        (Validity::Due, ["is", "are"], "due for renewal", "renew it, or look why nothing did"),
    ];
    let sentence = |(validity, [is, are], what, so): (Validity, [&str; 2], &str, &str)| {
        let names = named(validity);
        let text = format!("{}: {so}.", counted(&names, &format!("{one} {is}"), &format!("{many} {are}"), what));
        (!names.is_empty()).then(|| Verdict { health: validity.health(), text, ..Verdict::default() })
    };
    told.into_iter().filter_map(sentence).collect()
}

/// `1 workload is without a proxy (a)`, `5 workloads are without a proxy (a, b, c and 2 more)`.
fn counted(names: &[String], one: &str, many: &str, what: &str) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} {} {what} ({shown}{more})", names.len(), if names.len() == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use weft_model::{Diagnostic, ObjectRef, config::ConfigRow, mesh::Certificate};

    use super::*;

    fn row(name: &str, sync: SyncState, words: &str) -> ProxyRow {
        ProxyRow { namespace: "shop".into(), name: name.into(), sync, words: words.into(), ..ProxyRow::default() }
    }

    #[test]
    fn refusals_are_named_in_the_proxys_words() {
        let rows: Vec<ProxyRow> = ["a", "b", "c", "d"]
            .map(|name| row(name, SyncState::Refused, "lds: Listener x: port in use\nmore"))
            .into_iter()
            .chain([row("e", SyncState::Away, "")])
            .collect();
        let told = proxies(&rows);
        assert_eq!(told.len(), 5);
        assert!(told[0].text.contains("shop/a refuses configuration (lds: Listener x: port in use)"), "{told:?}");
        assert!(told[3].text.starts_with("1 more"), "{told:?}");
        assert!(told.iter().all(|one| one.place == WORKLOADS), "each leads to its list: {told:?}");
        assert!(told[4].text.starts_with("1 proxy is not connected to a control plane (shop/e)"), "{told:?}");
    }

    #[test]
    fn nobody_hears_of_errors_that_they_may_not_see() {
        let error = |object: Option<ObjectRef>| Diagnostic {
            code: "WEFT0001".into(),
            aliases: vec![],
            severity: Severity::Error,
            message: "it is wrong".into(),
            object,
            field: String::new(),
            file: None,
            line: None,
            column: None,
            suggestion: None,
        };
        let row = |namespace: &str| {
            let object = ObjectRef { namespace: namespace.into(), ..ObjectRef::default() };
            ConfigRow { findings: vec![error(Some(object.clone()))], object, ..ConfigRow::default() }
        };
        let list = ConfigList {
            rows: vec![row("shop"), row("bank")],
            file_findings: vec![error(None)],
            ..ConfigList::default()
        };
        assert_eq!(errors(&list, &|_| true), 3);
        assert_eq!(errors(&list, &|namespace| namespace == "shop"), 1);
        assert_eq!(errors(&list, &|_| false), 0);
    }

    #[test]
    fn certificates_are_spoken_of_in_time() {
        const DAY: u64 = 86_400_000;
        let certificate = |role: &str, days: u64| Certificate {
            role: role.into(),
            name: role.into(),
            not_after_ms: (100 + days) * DAY,
            ..Certificate::default()
        };
        let state = MeshState {
            at_ms: 100 * DAY,
            console_version: String::new(),
            verdicts: vec![],
            control_planes: vec![],
            proxies: vec![],
            in_step: (0, 0),
            versions: vec![],
            certificates: vec![
                certificate("root", 20),
                certificate("intermediate", 400),
                certificate("root", 0),
                certificate("workload", 1),
            ],
            certificates_note: None,
            serving: vec![],
            serving_note: None,
            costs: vec![],
            costs_note: None,
            mtls_share: None,
            prometheus: weft_model::config::Dependency { up: true, problem: None },
            operator: weft_model::config::Dependency { up: true, problem: None },
            commands: vec![],
        };
        let told = certificates(&state, Some(86_400));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].text.contains("expires in 20 days"));
        assert_eq!(told[1].health, Health::Failing);
        assert_eq!(certificates(&state, Some(86_400 * 10)).len(), 3, "a leaf in its last quarter");

        let shown = |secret: &str, days: u64, problem: Option<&str>| ServingCertificate {
            gateway: ObjectRef { namespace: "shop".into(), name: "web".into(), ..ObjectRef::default() },
            namespace: "edge".into(),
            secret: secret.into(),
            not_after_ms: (100 + days) * DAY,
            problem: problem.map(str::to_owned),
            ..ServingCertificate::default()
        };
        // Six days of which five are left, and one whose time begins tomorrow.
        let short = ServingCertificate { not_before_ms: 99 * DAY, ..shown("short", 5, None) };
        let early = ServingCertificate { not_before_ms: 101 * DAY, ..shown("early", 90, None) };
        let given = vec![
            shown("old", 0, None),
            shown("late", 29, None),
            shown("new", 31, None),
            shown("none", 0, Some("x")),
            short,
            early,
        ];
        let told = serving(&MeshState { serving: given, ..state });
        let told: Vec<_> = told.iter().map(|one| (one.health, one.text.as_str())).collect();
        assert_eq!(
            told,
            [
                (
                    Health::Failing,
                    "1 serving certificate has expired (Gateway shop/web, Secret edge/old): clients refuse what is served with it."
                ),
                (
                    Health::Failing,
                    "1 serving certificate is not valid yet (Gateway shop/web, Secret edge/early): clients refuse what is served with it until then."
                ),
                (
                    Health::Degraded,
                    "1 serving certificate is due for renewal (Gateway shop/web, Secret edge/late): renew it, or look why nothing did."
                ),
            ]
        );
    }

    #[test]
    fn names_are_few() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(counted(&names, "x is", "x are", "y"), "4 x are y (a, b, c and 1 more)");
        assert_eq!(counted(&names[..1], "x is", "x are", "y"), "1 x is y (a)");
    }
}
