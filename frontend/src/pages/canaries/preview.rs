//! What applying would do, before it is done.

use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use weft_model::{Counted, Diagnostic, canary::EditPreview, config::Problem, graph::Health};

use super::{
    draft::{Draft, Outlook},
    history::list,
};
use crate::{
    api,
    app::Settle,
    components::{
        copy::{Commands, CopyButton},
        diff::Diff,
        shape::{HealthShape, SeverityMark},
    },
    shown::visible,
    sources::{ONLY_READS, may_pass, only_reads},
    state::app,
    words,
};

/// How often it is asked who moved the weights.
const ASKED: u32 = 3;

/// The preview and its button; nothing while nothing is moved.
#[component]
pub fn Preview(draft: Draft) -> impl IntoView {
    let shown = Memo::new(move |_| draft.changed());
    // While newer weights are looked at, the old preview stays, dimmed, so that nothing jumps.
    let old = move || draft.outlook.with(|outlook| matches!(outlook, Outlook::Ready(..))) && !draft.is_seen();
    let settled = move || draft.is_seen() || draft.outlook.with(|outlook| matches!(outlook, Outlook::Failed(_)));
    let testid = move || settled().then_some("canary-preview");
    let app = app();
    let missing = Memo::new(move |_| app.missing_right("VirtualService", &draft.namespace()));
    // Only trying tells whether the role file gives more, so the button can be pressed, but it invites nobody.
    let doubted = Memo::new(move |_| app.person.with(|person| person.as_ref().is_some_and(only_reads)));
    // Which rights there are by namespace is known before, and which by name only when this object's weights are looked at.
    let refusal = move || {
        draft.outlook.with(|outlook| match outlook {
            Outlook::Ready(_, preview) => {
                preview.refusal.as_ref().map(|why| format!("It cannot be applied: {}.", visible(why)))
            }
            _ => None,
        })
    };
    let why = move || {
        let missing = missing.get().map(|missing| format!("{missing}."));
        missing.or_else(refusal).or_else(|| doubted.get().then(|| ONLY_READS.to_owned()))
    };
    view! {
        <Show when=move || shown.get()>
            <div class="preview" class:old=old data-testid=testid aria-busy=move || old().to_string()>
                {move || match draft.outlook.get() {
                    Outlook::None => ().into_any(),
                    Outlook::Waiting => view! { <p class="quiet" role="status">"Looking at what this would do …"</p> }.into_any(),
                    Outlook::Ready(_, preview) => view! { <Ready preview=(*preview).clone() counted=draft.counted() /> }.into_any(),
                    Outlook::Failed(problem) if problem.kind == "conflict" => view! { <Conflict problem draft /> }.into_any(),
                    Outlook::Failed(problem) => view! { <Refused problem draft /> }.into_any(),
                }}
                {move || draft.trouble.get().map(|problem| view! { <Refused problem draft /> })}
                <div class="preview-buttons">
                    <button
                        class="button"
                        class:primary=move || !doubted.get()
                        data-testid="canary-apply"
                        disabled=move || !draft.can_apply() || missing.with(Option::is_some)
                        on:click=move |_| draft.apply()
                    >
                        {move || if draft.busy.get() { "Applying …" } else { "Apply" }}
                    </button>
                    <button class="button" data-testid="canary-discard" on:click=move |_| draft.reset()>
                        "Discard"
                    </button>
                    <p class="why" role="status" data-testid="canary-why">
                        {why}
                    </p>
                </div>
            </div>
        </Show>
    }
}

#[component]
fn Ready(preview: EditPreview, counted: Counted) -> impl IntoView {
    let EditPreview { diff, new_findings, mended_findings, moved_rate, command, refusal: _ } = preview;
    if diff.is_empty() {
        return view! { <p class="quiet">"Nothing would change."</p> }.into_any();
    }
    let moved = words::moved(counted, moved_rate);
    let clean = new_findings.is_empty() && mended_findings.is_empty();
    view! {
        <p>
            <strong>{moved}</strong>
            {clean.then_some(" Lint finds nothing new.")}
        </p>
        <Findings title="New findings" findings=new_findings />
        <Findings title="Mended findings" findings=mended_findings />
        <Diff diff=diff testid="canary-diff" />
        // What a GitOps tool would take back has none.
        {(!command.is_empty()).then(|| view! { <Commands commands=vec![("the same with kubectl".to_owned(), command)] /> })}
    }
    .into_any()
}

/// What lint found; nothing where it found nothing.
#[component]
pub fn Findings(title: &'static str, findings: Vec<Diagnostic>) -> impl IntoView {
    (!findings.is_empty()).then(|| {
        view! {
            <h3>{title}</h3>
            <ul class="finding-lines">
                {crate::findings::lines(findings)
                    .into_iter()
                    .map(|(severity, words, code)| {
                        view! {
                            <li>
                                <SeverityMark severity=severity />
                                <span>{words}</span>
                                <code class="quiet">{code}</code>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        }
    })
}

/// The object changed since the page read it.
#[component]
fn Conflict(problem: Problem, draft: Draft) -> impl IntoView {
    let app = app();
    // What the page knows may be as old as the draft.
    let told = RwSignal::new(String::new());
    spawn_local(async move {
        app.canaries.update_with(api::canaries().await);
        // It is written down a moment after it was made.
        for _ in 0..ASKED {
            if let Some(change) = draft.last_move().await {
                let by = if change.by.is_empty() { "Somebody" } else { change.by.as_str() };
                let words = format!("{} moved them: {} → {}.", visible(by), list(&change.from), list(&change.to));
                let _ = told.try_set(words);
                return;
            }
            TimeoutFuture::new(1_000).await;
        }
    });
    let rows = move || {
        let (now, mine) = (draft.configured(), draft.shown());
        let row = |(index, name): (usize, String)| {
            let now = now.get(index).map(|weight| format!("{weight} %"));
            let mine = mine.get(index).copied().flatten().map(|weight| format!("{weight} %"));
            view! { <tr><th scope="row">{name}</th><td class="numeral">{now}</td><td class="numeral">{mine}</td></tr> }
        };
        draft.names().into_iter().enumerate().map(row).collect_view()
    };
    view! {
        <div class="conflict" role="alert" data-testid="canary-conflict">
            <HealthShape health=Health::Degraded silent=true />
            <div>
                <p><strong>{problem.title}</strong></p>
                <p>{move || told.get()}</p>
                <p>{problem.detail}</p>
                <table class="small" data-testid="canary-versions">
                    <thead>
                        <tr>
                            <th scope="col">"Destination"</th>
                            <th scope="col" class="numeral">"Configured now"</th>
                            <th scope="col" class="numeral">"Yours"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
                <p>
                    <button class="button" data-testid="canary-rebase" on:click=move |_| draft.rebase()>"Go on with yours, from what is there now"</button>
                </p>
            </div>
        </div>
    }
}

#[component]
fn Refused(problem: Problem, draft: Draft) -> impl IntoView {
    let text = format!("{}: {} {}", problem.kind, problem.title, problem.detail);
    let patch = problem.patch.clone().map(|patch| {
        let copied = patch.clone();
        view! {
            <Diff diff=patch testid="canary-diff" />
            <CopyButton text=copied title="Copy the patch" />
        }
    });
    // What could not be applied is, by the button below; what could not even be looked at is asked about again.
    let again = may_pass(&problem) && draft.outlook.with_untracked(|outlook| matches!(outlook, Outlook::Failed(_)));
    let wants_token = matches!(problem.kind.as_str(), "no-token" | "bad-token");
    let app = app();
    view! {
        <div class="conflict refused" role="alert" data-testid="canary-refused">
            <HealthShape health=Health::Failing silent=true />
            <div class="grow">
                <p><strong>{problem.title}</strong></p>
                <p>{problem.detail}</p>
                {again.then(|| view! {
                    <p><button class="button" data-testid="canary-again" on:click=move |_| draft.look()>"Try again"</button></p>
                })}
                {wants_token.then(|| view! {
                    <p>
                        <button class="button" on:click=move |_| app.signing.set(true)>"Give a token"</button>
                    </p>
                })}
                {patch}
            </div>
            <CopyButton text title="Copy the error" />
        </div>
    }
}
