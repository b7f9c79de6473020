//! Which objects a list of configuration shows.

use std::collections::BTreeMap;

use weft_model::{ObjectRef, Severity, config::ConfigRow};

/// What a list is narrowed to; what is empty narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Each occurs somewhere in the row; in lower case.
    pub words: Vec<String>,
    /// Only with findings.
    pub faulty: bool,
    /// Only of this kind.
    pub kind: String,
    /// Only with this worst finding: `error`, `warning` or `info`.
    pub severity: String,
    /// Only what this one keeps.
    pub owner: String,
}

/// An object in the address.
pub fn key(object: &ObjectRef) -> String {
    [&object.api_version, &object.kind, &object.namespace, &object.name].map(String::as_str).join("~")
}

/// Who keeps an object as it is: the tool that left its marks, else the file that it stands in, else whoever applied it.
pub fn owner(row: &ConfigRow) -> &str {
    match (&row.owner, &row.file) {
        (Some(owner), _) => owner,
        (None, Some(_)) => "File",
        (None, None) => "By hand",
    }
}

/// The worst severity among an object's findings, as it is written in addresses; empty without any.
pub fn worst(row: &ConfigRow) -> &'static str {
    match row.findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Info) => "info",
        None => "",
    }
}

impl Filter {
    /// Whether the list shows a row.
    pub fn takes(&self, row: &ConfigRow) -> bool {
        (!self.faulty || !row.findings.is_empty())
            && (self.kind.is_empty() || self.kind == row.object.kind)
            && (self.severity.is_empty() || self.severity == worst(row))
            && (self.owner.is_empty() || self.owner == owner(row))
            && self.has_words(row)
    }

    fn has_words(&self, row: &ConfigRow) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let mut text = format!("{} {} {}", row.object.kind, row.object.namespace, row.object.name);
        for finding in &row.findings {
            text.push_str(&format!(" {} {} {}", finding.severity, finding.code, finding.message));
        }
        let text = text.to_lowercase();
        self.words.iter().all(|word| text.contains(word))
    }
}

/// How many rows have each value, by value.
pub fn tally<'a>(
    rows: impl Iterator<Item = &'a ConfigRow>,
    value: impl Fn(&'a ConfigRow) -> &'a str,
) -> BTreeMap<&'a str, usize> {
    let mut out = BTreeMap::new();
    for row in rows {
        *out.entry(value(row)).or_default() += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str, name: &str, owner: Option<&str>, file: Option<&str>) -> ConfigRow {
        ConfigRow {
            object: ObjectRef { kind: kind.into(), name: name.into(), ..ObjectRef::default() },
            owner: owner.map(str::to_owned),
            file: file.map(str::to_owned),
            ..ConfigRow::default()
        }
    }

    #[test]
    fn each_part_narrows() {
        let one = row("Gateway", "Public", Some("Argo CD"), None);
        let two = row("Sidecar", "cart", None, Some("a.yaml"));
        let filter = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            (filter.takes(&one), filter.takes(&two))
        };
        assert_eq!(filter(|_| {}), (true, true));
        assert_eq!(filter(|filter| filter.kind = "Gateway".into()), (true, false));
        assert_eq!(filter(|filter| filter.owner = "File".into()), (false, true));
        assert_eq!(filter(|filter| filter.words = vec!["public".into(), "gate".into()]), (true, false));
        assert_eq!(filter(|filter| filter.faulty = true), (false, false));
        assert_eq!(filter(|filter| filter.severity = "error".into()), (false, false));
        assert_eq!(owner(&row("Sidecar", "x", None, None)), "By hand");
        let rows = [one, two];
        assert_eq!(tally(rows.iter(), owner), BTreeMap::from([("Argo CD", 1), ("File", 1)]));
    }
}
