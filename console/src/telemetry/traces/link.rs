//! Pages of other programs that show a trace.

use std::str::FromStr;

use url::Url;
use weft_model::trace::{Trace, TraceLink};

/// Stands for the trace's id.
const ID: &str = "{trace}";
/// Stand for the time around it, milliseconds since the epoch.
const FROM: &str = "{fromMs}";
const TO: &str = "{toMs}";
/// How much time is shown on both sides of a trace: stores look for it within, and their clocks differ.
const AROUND_MS: u64 = 60_000;
/// Characters of a name, bytes of an address.
const MAX_NAME: usize = 40;
const MAX_URL: usize = 4096;

/// Where a trace is shown, as `NAME=URL` with `{trace}` where its id goes; `{fromMs}` and `{toMs}` are the time around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    name: String,
    template: String,
}

/// Why a link cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write it as Jaeger=https://jaeger.example.org/trace/{{trace}}")]
pub struct LinkError(&'static str);

/// Name and template of what is written `NAME=URL`.
pub(crate) fn named(text: &str) -> Result<(String, String), &'static str> {
    let (name, template) = text.split_once('=').ok_or("it has no name before its address")?;
    let (name, template) = (name.trim(), template.trim());
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err("its name is missing, or longer than 40 characters");
    }
    if template.len() > MAX_URL {
        return Err("its address has more than 4096 bytes");
    }
    Ok((name.to_owned(), template.to_owned()))
}

/// An address that a page may lead to.
pub(crate) fn web(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "its address is none")?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("its address must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its address must not hold a password: everybody who sees the page would get it");
    }
    Ok(url)
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (name, template) = named(text).map_err(LinkError)?;
        let link = Self { name, template };
        if !link.template.contains(ID) {
            return Err(LinkError("its address has no {trace} in it"));
        }
        // Where it leads must be the same for each trace.
        let one = link.address(&"0".repeat(32), 0, 0)?;
        let other = link.address(&"f".repeat(32), 1, 1)?;
        if one.origin() != other.origin() {
            return Err(LinkError("{trace} may stand in its path, query and fragment only"));
        }
        Ok(link)
    }
}

impl Link {
    fn address(&self, trace_id: &str, from_ms: u64, to_ms: u64) -> Result<Url, LinkError> {
        let id: String = url::form_urlencoded::byte_serialize(trace_id.as_bytes()).collect();
        let text = self.template.replace(ID, &id).replace(FROM, &from_ms.to_string()).replace(TO, &to_ms.to_string());
        web(&text).map_err(LinkError)
    }

    /// The link for one trace; none for one that cannot be shown elsewhere.
    pub fn of(&self, trace: &Trace) -> Option<TraceLink> {
        let start = trace.spans.iter().map(|span| span.start_us).min()? / 1000;
        let end = trace.spans.iter().map(|span| span.start_us.saturating_add(span.duration_us)).max()? / 1000;
        let url = self.address(&trace.trace_id, start.saturating_sub(AROUND_MS), end.saturating_add(AROUND_MS)).ok()?;
        Some(TraceLink { name: self.name.clone(), url: url.into() })
    }
}

#[cfg(test)]
mod tests {
    use weft_model::trace::Span;

    use super::*;

    fn of(template: &str, trace_id: &str) -> String {
        let span = Span { start_us: 100_000_000, duration_us: 5_000_000, ..Span::default() };
        let trace = Trace { trace_id: trace_id.to_owned(), spans: vec![span], ..Trace::default() };
        template.parse::<Link>().unwrap().of(&trace).unwrap().url
    }

    #[test]
    fn a_trace_is_linked() {
        let jaeger = "Jaeger=https://jaeger.example.org/ui/trace/{trace}?uiFind=a";
        assert_eq!(of(jaeger, "0a1b"), "https://jaeger.example.org/ui/trace/0a1b?uiFind=a");
        let grafana = r#"Grafana=http://grafana:3000/explore?schemaVersion=1&panes={"a":{"datasource":"tempo","queries":[{"refId":"A","queryType":"traceql","query":"{trace}"}],"range":{"from":"{fromMs}","to":"{toMs}"}}}&orgId=1"#;
        let url = Url::parse(&of(grafana, "0a1b")).unwrap();
        let (_, panes) = url.query_pairs().find(|(name, _)| name == "panes").unwrap();
        let panes: serde_json::Value = serde_json::from_str(&panes).unwrap();
        assert_eq!(panes["a"]["queries"][0]["query"], "0a1b");
        assert_eq!(panes["a"]["range"], serde_json::json!({ "from": "40000", "to": "165000" }));
    }

    #[test]
    fn an_id_gets_nowhere_else() {
        for id in ["../../logout", "a&b=c", "a#b", "\" onclick=\"x", "<script>", "a b\n"] {
            let url = of("J=https://jaeger/trace/{trace}?x=1", id);
            let parsed = Url::parse(&url).unwrap();
            assert_eq!(
                (parsed.query(), parsed.fragment(), parsed.path_segments().unwrap().count()),
                (Some("x=1"), None, 2)
            );
            assert!(!url.contains(['"', '<', ' ', '\n']), "{url}");
        }
    }

    #[test]
    fn what_leads_nowhere_good_is_refused() {
        for (wrong, why) in [
            ("https://jaeger/trace/{trace}", "no name"),
            ("javascript:alert(1)//{trace}", "no name"),
            ("J=javascript:alert(1)//{trace}", "begin with http"),
            ("J=data:text/html,{trace}", "begin with http"),
            ("J=file:///{trace}", "begin with http"),
            ("J=//jaeger/{trace}", "is none"),
            ("J=https://jaeger/trace", "no {trace}"),
            ("J=https://{trace}/", "path, query"),
            ("J=https://{trace}.example.org/", "path, query"),
            ("J=https://me:secret@jaeger/{trace}", "password"),
            ("=https://jaeger/{trace}", "name is missing"),
        ] {
            let told = wrong.parse::<Link>().unwrap_err().to_string();
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }
}
