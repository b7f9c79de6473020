//! Pages of other programs that show a node of the graph, as flags give them.

use std::str::FromStr;

use weft_model::link::{NodeLink, PLACES, Shown};

use crate::telemetry::traces::link::{named, web};

/// Where a node is shown, as `NAME=URL` with `{namespace}`, `{workload}`, `{app}` or `{service}` where these go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub NodeLink);

/// Why a link cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write it as Jaeger=https://jaeger.example.org/search?service={{workload}}.{{namespace}}")]
pub struct TemplateError(&'static str);

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (name, template) = named(text).map_err(TemplateError)?;
        if !PLACES.into_iter().any(|place| template.contains(place)) {
            return Err(TemplateError("its address names none of {namespace}, {workload}, {app} and {service}"));
        }
        let link = NodeLink { name, template };
        let of = |all: &str, at_ms| {
            let shown = Shown { namespace: all, workload: all, app: all, service: all, from_ms: at_ms, to_ms: at_ms };
            web(&link.address(&shown).unwrap_or_default()).map_err(TemplateError)
        };
        // Where it leads must be the same for each node.
        if of("a", 0)?.origin() != of("b", 1)?.origin() {
            return Err(TemplateError("what it is of may stand in its path, query and fragment only"));
        }
        Ok(Self(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_name_and_an_address() {
        let text = "Grafana=https://grafana.example.org/d/x?var-workload={workload}&from={fromMs}";
        let Template(link) = text.parse().unwrap();
        assert_eq!(link.name, "Grafana");
        assert_eq!(link.template, "https://grafana.example.org/d/x?var-workload={workload}&from={fromMs}");
    }

    #[test]
    fn what_leads_nowhere_good_is_refused() {
        for (wrong, why) in [
            ("https://grafana/{workload}", "no name"),
            ("G=javascript:alert(1)//{workload}", "begin with http"),
            ("G=//grafana/{workload}", "is none"),
            ("G=https://grafana/", "names none of"),
            ("G=https://{namespace}.example.org/", "path, query"),
            ("G=https://grafana:{fromMs}/{app}", "path, query"),
            ("G=https://me:secret@grafana/{workload}", "password"),
            ("=https://grafana/{workload}", "name is missing"),
        ] {
            let told = wrong.parse::<Template>().unwrap_err().to_string();
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }
}
