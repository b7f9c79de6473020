//! YAML with line numbers; a line with a finding says so below itself.

use std::collections::BTreeMap;

use leptos::prelude::*;
use weft_model::Diagnostic;

use crate::{
    shown::{runs, visible},
    words,
    yaml::{Tone, pieces},
};

/// The document as it stands in its file.
#[component]
pub fn Source(yaml: String, first_line: u32, findings: Vec<Diagnostic>) -> impl IntoView {
    let mut by_line: BTreeMap<u32, Vec<Diagnostic>> = BTreeMap::new();
    for finding in findings {
        if let Some(line) = finding.line {
            by_line.entry(line).or_default().push(finding);
        }
    }
    let rows: Vec<_> = yaml
        .lines()
        .zip(first_line..)
        .map(|(text, number)| {
            let findings = by_line.remove(&number).unwrap_or_default();
            let class = findings
                .iter()
                .map(|finding| finding.severity)
                .max()
                .map_or("", |severity| words::health(words::severity_health(severity)));
            let column = findings.iter().filter_map(|finding| finding.column).min();
            view! {
                <div class=format!("line {class}") data-line=number.to_string()>
                    <span class="line-number">{number}</span>
                    <code>{coloured(text, column)}</code>
                </div>
                {findings.into_iter().map(|finding| view! { <Remark finding /> }).collect_view()}
            }
        })
        .collect();
    view! { <div class="source" tabindex="0" role="region" aria-label="YAML" data-testid="config-source">{rows}</div> }
}

/// The line in colours, what is hidden in it by its numbers; from the finding's column on it is underlined.
pub(super) fn coloured(text: &str, column: Option<u32>) -> impl IntoView + use<> {
    let from = column.map_or(usize::MAX, |column| column.saturating_sub(1) as usize);
    let mut at = 0;
    let mut out = Vec::new();
    for (tone, piece) in pieces(text) {
        let class = match tone {
            Tone::Plain => "",
            Tone::Key => "yaml-key",
            Tone::Text => "yaml-text",
            Tone::Comment => "yaml-comment",
        };
        for (hidden, run) in runs(piece) {
            let class = if hidden { "hidden-letter" } else { class };
            let length = run.chars().count();
            let (before, after): (String, String) = if hidden || tone == Tone::Comment || at + length <= from {
                (visible(run), String::new())
            } else {
                let cut = from.saturating_sub(at);
                (run.chars().take(cut).collect(), run.chars().skip(cut).collect())
            };
            let marked = after.trim_end().len();
            let (marked, rest) = (after[..marked].to_owned(), after[marked..].to_owned());
            out.push(view! { <span class=class>{before}{(!marked.is_empty()).then(|| view! { <span class="squiggle">{marked}</span> })}{rest}</span> });
            at += length;
        }
    }
    out
}

/// The finding's words under its line.
#[component]
fn Remark(finding: Diagnostic) -> impl IntoView {
    let class = words::health(words::severity_health(finding.severity));
    view! {
        <div class=format!("remark {class}")>
            <strong>{finding.severity.to_string()}": "</strong>
            {visible(&finding.message)}
            {finding.suggestion.map(|suggestion| view! { <p><strong>"fix: "</strong>{visible(&suggestion)}</p> })}
        </div>
    }
}
