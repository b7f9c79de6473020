//! The list of objects.

use leptos::prelude::*;
use weft_model::{Severity, config::ConfigRow};

use super::{filters::filter, key};
use crate::{
    browser,
    components::{placeholder::Empty, shape::HealthShape},
    findings::worst_first,
    format,
    location::selecting,
    objects::owner,
    shown::visible,
    state::app,
    words,
};

/// Rows that scope and filter leave, those with findings first.
#[component]
pub fn Table() -> impl IntoView {
    let app = app();
    let keys = Memo::new(move |_| {
        app.view.with(|view| {
            let filter = filter(view);
            app.config.with(|load| {
                let rows = load.value.iter().flat_map(|list| &list.rows);
                let shown = rows.filter(|row| view.shows(&row.object.namespace)).filter(|row| filter.takes(row));
                worst_first(shown).into_iter().map(|row| key(&row.object)).collect::<Vec<_>>()
            })
        })
    });
    let base = app.unselected();
    let total = Memo::new(move |_| app.config.with(|load| load.value.as_ref().map_or(0, |list| list.rows.len())));
    view! {
        <Show
            when=move || !keys.with(Vec::is_empty)
            fallback=move || {
                if total.get() == 0 {
                    view! {
                        <Empty title="There are no objects yet">
                            <p>"Save YAML into the directory, or apply it to the cluster; it appears here at once, without a restart."</p>
                        </Empty>
                    }
                        .into_any()
                } else {
                    view! {
                        <Empty title="Nothing fits">
                            <p>"The filters or the chosen namespaces leave no object of "{total.get()}"."</p>
                            <p><button class="button" data-testid="config-all" on:click=move |_| app.change(super::filters::clear)>"Show all"</button></p>
                        </Empty>
                    }
                        .into_any()
                }
            }
        >
            <table class="list objects">
                <thead>
                    <tr>
                        <th>"Kind"</th>
                        <th>"Name"</th>
                        <th>"Namespace"</th>
                        <th>"Findings"</th>
                        <th class="extra">"Owner"</th>
                        <th class="file extra">"File"</th>
                        <th class="numeral extra">"Age"</th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || keys.get() key=|key| key.clone() let:key>
                        <Row key=key base=base />
                    </For>
                </tbody>
            </table>
            <p class="quiet list-foot">{move || keys.with(Vec::len)}" of "{move || format::plural(total.get(), "object", "objects")}</p>
        </Show>
    }
}

#[component]
fn Row(key: String, base: Memo<String>) -> impl IntoView {
    let app = app();
    let wanted = key.clone();
    let row: Memo<Option<ConfigRow>> = Memo::new(move |_| {
        app.config.with(|load| load.value.as_ref()?.rows.iter().find(|row| super::key(&row.object) == wanted).cloned())
    });
    let read = move |part: fn(&ConfigRow) -> String| move || row.with(|row| row.as_ref().map(part).unwrap_or_default());
    let (chosen, target, own) = (key.clone(), key.clone(), key);
    // A file tells when it was changed, a cluster when the object was made.
    let since = Memo::new(move |_| {
        row.with(|row| {
            let row = row.as_ref()?;
            let made = row.created.as_deref().and_then(browser::read_moment).map(|at| (at, "Made"));
            made.or(row.changed_at_ms.map(|at| (at as f64, "File changed")))
        })
    });
    view! {
        <tr
            data-testid="config-row"
            data-kind=read(|row| row.object.kind.clone())
            data-name=read(|row| row.object.name.clone())
            data-namespace=read(|row| row.object.namespace.clone())
            data-findings=read(|row| row.findings.len().to_string())
            class:chosen=move || app.view.with(|view| view.select == chosen)
            on:click=move |event| {
                if browser::follows(&event) {
                    app.change(|view| view.select.clone_from(&target));
                }
            }
        >
            <td class="quiet">{read(|row| row.object.kind.clone())}</td>
            <th scope="row">
                <a class="link" data-row="" href=move || base.with(|base| selecting(base, &own))>
                    {read(|row| visible(&row.object.name))}
                </a>
            </th>
            <td>{read(|row| row.object.namespace.clone())}</td>
            <td>{move || row.with(|row| row.as_ref().map(counts))}</td>
            <td class="quiet extra">{read(|row| owner(row).to_owned())}</td>
            <td class="quiet file extra" title=read(|row| row.file.clone().unwrap_or_default())>{read(place)}</td>
            <td class="numeral quiet extra" title=move || since.get().map(|(at, what)| format!("{what} {}", browser::moment(at)))>
                {move || since.get().map(|(at, _)| format::ago(app.now.get() - at))}
            </td>
        </tr>
    }
}

/// File name and line; the whole path is in the tooltip.
fn place(row: &ConfigRow) -> String {
    let file = row.file.as_deref().unwrap_or_default();
    let name = file.rsplit('/').next().unwrap_or_default();
    row.line.map_or_else(|| name.to_owned(), |line| format!("{name}:{line}"))
}

/// How many findings of each severity.
fn counts(row: &ConfigRow) -> impl IntoView + use<> {
    let all = [Severity::Error, Severity::Warning, Severity::Info];
    let count = |severity: Severity| row.findings.iter().filter(|finding| finding.severity == severity).count();
    let parts: Vec<_> =
        all.into_iter().map(|severity| (severity, count(severity))).filter(|(_, count)| *count > 0).collect();
    parts
        .into_iter()
        .map(|(severity, count)| {
            let (one, many) = match severity {
                Severity::Error => ("error", "errors"),
                Severity::Warning => ("warning", "warnings"),
                Severity::Info => ("note", "notes"),
            };
            view! {
                <span class="fact-part">
                    <HealthShape health=words::severity_health(severity) silent=true />
                    {format::plural(count, one, many)}
                </span>
            }
        })
        .collect_view()
}
