//! The place for a token, who its owner is, and what they may.

use leptos::{ev, html, prelude::*, task::spawn_local};
use weft_model::config::{Problem, Right, Who, Writes};

use super::{
    modal::Modal,
    shape::{Glyph, HealthShape},
};
use crate::{
    api,
    icons::Icon,
    state::{App, app},
};

/// Whether changes need a token here.
pub fn is_needed(app: App) -> bool {
    app.meta.with(|load| load.value.as_ref().is_some_and(|meta| meta.writes == Writes::Token))
}

/// In the top bar: who one is, or that one can only read.
#[component]
pub fn Badge() -> impl IntoView {
    let app = app();
    let name = move || app.who.with(|who| who.as_ref().map(|who| short(&who.user).to_owned()));
    view! {
        <Show when=move || is_needed(app)>
            <button
                class="button"
                data-testid="token-open"
                title="Changes are made with your own token"
                on:click=move |_| app.signing.set(true)
            >
                <Glyph icon=Signal::derive(move || if name().is_some() { Icon::Unlock } else { Icon::Lock }) />
                <span data-testid="token-user">{move || name().unwrap_or_else(|| "Read only".to_owned())}</span>
            </button>
        </Show>
    }
}

/// The last part of a long name: `deployer` of `system:serviceaccount:shop:deployer`.
fn short(user: &str) -> &str {
    user.rsplit(':').next().unwrap_or(user)
}

/// The dialog, closed by Escape, the button or a click beside it.
#[component]
pub fn Token() -> impl IntoView {
    let app = app();
    view! {
        <Show when=move || app.signing.get()>
            <Dialog />
        </Show>
    }
}

#[component]
fn Dialog() -> impl IntoView {
    let app = app();
    let field = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<Problem>);
    let busy = RwSignal::new(false);
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            let _ = field.focus();
        }
    });
    let give = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(input) = field.get_untracked() else { return };
        api::give_token(&input.value());
        input.set_value("");
        busy.set(true);
        spawn_local(async move {
            let answer = api::who().await;
            let _ = busy.try_set(false);
            match answer {
                Ok(who) => {
                    let _ = problem.try_set(None);
                    app.who.set(Some(who));
                }
                Err(refused) => {
                    api::give_token("");
                    app.who.set(None);
                    let _ = problem.try_set(Some(refused));
                }
            }
        });
    };
    let forget = move |_| {
        api::give_token("");
        app.who.set(None);
    };
    let close = Callback::new(move |()| app.signing.set(false));
    view! {
        <Modal labelled="token-title" testid="token" close>
            <header>
                <h2 id="token-title">"Your token"</h2>
                <button class="icon-button" aria-label="Close" on:click=move |_| close.run(())>
                    <Glyph icon=Icon::Close />
                </button>
            </header>
            <p>
                "The console itself can only read. Changes are made with your token and your rights. It stays in this tab's memory: a reload forgets it, and the console neither keeps nor logs it."
            </p>
            <form class="token-form" on:submit=give>
                <input
                    node_ref=field
                    type="password"
                    autocomplete="off"
                    spellcheck="false"
                    aria-label="Token"
                    placeholder="kubectl create token NAME"
                    data-testid="token-input"
                />
                <button class="button primary" data-testid="token-give" disabled=move || busy.get()>
                    {move || if busy.get() { "Asking …" } else { "Use" }}
                </button>
            </form>
            {move || problem.get().map(|problem| view! { <Refused problem /> })}
            {move || app.who.get().map(|who| view! { <Known who forget /> })}
        </Modal>
    }
}

#[component]
fn Refused(problem: Problem) -> impl IntoView {
    view! {
        <div class="conflict refused" role="alert" data-testid="token-refused">
            <HealthShape health=weft_model::graph::Health::Failing silent=true />
            <div class="grow">
                <p><strong>{problem.title}</strong></p>
                <p>{problem.detail}</p>
            </div>
        </div>
    }
}

/// Who one is and what one may.
#[component]
fn Known(who: Who, forget: impl Fn(ev::MouseEvent) + 'static) -> impl IntoView {
    let Who { user, groups, rights } = who;
    let line = |right: Right| {
        let (health, words) = if right.allowed {
            (weft_model::graph::Health::Healthy, "may move weights")
        } else {
            (weft_model::graph::Health::Failing, "may not move weights")
        };
        let reason = if right.reason.is_empty() { String::new() } else { format!(": {}", right.reason) };
        let namespace = right.namespace.clone();
        view! {
            <li data-namespace=namespace data-allowed=right.allowed.to_string()>
                <HealthShape health=health silent=true />
                <span>{right.namespace}" – "{words}{reason}</span>
            </li>
        }
    };
    view! {
        <div data-testid="token-who">
            <p>"You are " <strong>{user}</strong> "."</p>
            <p class="quiet">"Groups: "{groups.join(", ")}</p>
            <ul class="finding-lines" data-testid="token-rights">{rights.into_iter().map(line).collect_view()}</ul>
            <p>
                <button class="button" data-testid="token-forget" on:click=forget>"Forget the token"</button>
            </p>
        </div>
    }
}
