//! One proxy: in what it differs from what its control plane wants, and what is in force in it.

use weft_model::mesh::{Drift, ProxyDetail, Table};

use super::{clean, clean_lines, lists::sync, moment, note, section, table};

/// Its state and what is wrong, then all that there is.
pub fn proxy(detail: &ProxyDetail) -> String {
    let row = &detail.row;
    let own = vec![
        format!("{}/{}", row.namespace, row.name),
        sync(row.sync).to_owned(),
        row.version.clone(),
        row.control_plane.clone(),
        moment(row.connected_at_ms),
        detail.identity.clone(),
    ];
    let mut text = table(&["PROXY", "STATE", "VERSION", "CONTROL PLANE", "SINCE", "IDENTITY"], vec![own], "");
    text.push_str(&format!("\n{}\n", clean_lines(&row.words)));
    detail.notes.iter().for_each(|words| text.push_str(&note(Some(words))));
    let head = ["TYPE", "RESOURCE", "STATE", "FROM", "WORDS"];
    text.push_str(&section("Differences:", &head, detail.drift.iter().map(drift).collect()));
    text.push_str(&more(detail.more_drift));
    let types = detail.types.iter().map(|one| {
        let confirmed = if one.synced { "yes" } else { "NO" };
        vec![one.kind.clone(), one.resources.to_string(), confirmed.to_owned(), one.nack.clone().unwrap_or_default()]
    });
    text.push_str(&section("Sent to it:", &["TYPE", "RESOURCES", "CONFIRMED", "REFUSED"], types.collect()));
    detail.tables.iter().for_each(|one| text.push_str(&in_force(one)));
    let certificates =
        detail.certificates.iter().map(|one| vec![one.role.clone(), one.name.clone(), moment(one.not_after_ms)]);
    text.push_str(&section("Certificates:", &["ROLE", "NAME", "UNTIL"], certificates.collect()));
    let stats = detail.stats.iter().map(|(name, value)| vec![name.clone(), value.clone()]);
    text.push_str(&section("Figures:", &["FIGURE", "VALUE"], stats.collect()));
    text
}

fn drift(one: &Drift) -> Vec<String> {
    let mut from: Vec<String> = one.origins.iter().map(ToString::to_string).collect();
    if one.hidden_origins > 0 {
        from.push(format!("{} that you may not see", one.hidden_origins));
    }
    vec![one.kind.clone(), one.name.clone(), one.state.clone(), from.join(", "), one.words.clone()]
}

fn in_force(one: &Table) -> String {
    let head: Vec<String> = one.head.iter().map(|name| clean(name).to_uppercase()).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    section(&format!("In force, {}:", clean(&one.key)), &head, one.rows.clone()) + &more(one.more)
}

fn more(left_out: usize) -> String {
    if left_out > 0 { format!("and {left_out} more\n") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use weft_model::{details::SyncState, mesh::ProxyRow};

    use super::*;

    #[test]
    fn a_proxy_begins_with_what_is_wrong() {
        let detail = ProxyDetail {
            row: ProxyRow {
                namespace: "shop".into(),
                name: "cart-0".into(),
                sync: SyncState::Refused,
                words: "lds: port in use\u{1b}[2J\ncds: no".into(),
                ..ProxyRow::default()
            },
            drift: vec![Drift {
                kind: "lds".into(),
                name: "0.0.0.0_80".into(),
                state: "refused".into(),
                hidden_origins: 2,
                ..Drift::default()
            }],
            more_drift: 3,
            tables: vec![Table {
                key: "listeners".into(),
                head: vec!["Name".into()],
                rows: vec![vec!["10.0.0.1_80".into()]],
                more: 4,
            }],
            notes: vec!["The proxy itself cannot be asked.".into()],
            ..ProxyDetail::default()
        };
        let text = proxy(&detail);
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words}:\n{text}"));
        let told = [
            "REFUSED",
            "lds: port in use\u{fffd}[2J\ncds: no\n",
            "The proxy itself cannot be asked.",
            "2 that you may not see",
            "and 3 more",
            "In force, listeners:",
            "10.0.0.1_80",
            "and 4 more",
        ];
        assert!(told.map(place).is_sorted(), "{text}");
    }
}
