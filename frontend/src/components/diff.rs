//! A unified diff with its added and removed lines set apart, and what is hidden in them shown.

use leptos::prelude::*;

use crate::shown::visible;

/// The diff, line by line.
#[component]
pub fn Diff(diff: String, #[prop(default = "diff")] testid: &'static str) -> impl IntoView {
    let line = |line: &str| {
        let class = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => "diff-file",
            [b'@', ..] => "diff-place",
            [b'+', ..] => "diff-added",
            [b'-', ..] => "diff-removed",
            _ => "",
        };
        view! { <span class=class>{visible(line)}{"\n"}</span> }
    };
    view! { <pre class="diff" data-testid=testid>{diff.lines().map(line).collect_view()}</pre> }
}
