//! Who looks at the page: their name and rights, and signing out.

use leptos::{prelude::*, task::spawn_local};
use weft_model::{config::Problem, session::Person};

use super::shape::Glyph;
use crate::{api, browser, drafts, format, icons::Icon, state::app};

/// The present place on this console, to come back to.
pub fn here() -> String {
    let path = browser::path();
    let path = if path == "/signed-in" { "/" } else { &path };
    format!("{path}{}", browser::fragment())
}

/// Ends the session, and goes where the console says: to the provider's page for signing out, or to our own.
pub fn sign_out(problem: RwSignal<Option<Problem>>) {
    spawn_local(async move {
        match api::sign_out().await {
            Ok(location) => {
                drafts::clear();
                browser::go(&location);
            }
            Err(refused) => {
                let _ = problem.try_set(Some(refused));
            }
        }
    });
}

/// In the top bar: who one is, with what one may, and the way out.
#[component]
pub fn PersonMenu() -> impl IntoView {
    let app = app();
    move || app.person.get().map(|person| view! { <Menu person /> })
}

#[component]
fn Menu(person: Person) -> impl IntoView {
    let app = app();
    let problem = RwSignal::new(None::<Problem>);
    let until = person.expires_ms;
    let (how, details) = match person.how.as_str() {
        "anonymous" => ("You may read everything but the audit, and change nothing: nobody has signed in.", false),
        "proxy" => ("The proxy in front of this console signed you in.", true),
        "token" => ("You came with a token.", true),
        _ => ("You are signed in.", true),
    };
    let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let (groups, roles) = (listed(&person.groups), listed(&person.roles));
    let by_roles = !person.roles.is_empty();
    view! {
        <details class="menu person" data-testid="person">
            <summary title="Who you are here">
                <Glyph icon=Icon::Person />
                <span class="menu-words" data-testid="person-name">{person.name.clone()}</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list person-card" role="group" aria-label="Who you are">
                <p><strong class="person-whole">{person.name.clone()}</strong></p>
                <p class="quiet">{how}</p>
                <Show when=move || details>
                    <p><span class="quiet">"Groups: "</span>{groups.clone()}</p>
                </Show>
                <Show when=move || by_roles>
                    <p data-testid="person-roles"><span class="quiet">"Roles: "</span>{roles.clone()}</p>
                </Show>
                {until
                    .map(|until| {
                        let left = move || format::span((until as f64 - app.now.get()).max(0.0));
                        view! {
                            <p class="quiet" title=browser::moment(until as f64)>
                                "This session ends in "{left}" at the latest."
                            </p>
                        }
                    })}
                {person
                    .can_sign_out
                    .then(|| {
                        view! {
                            <button class="menu-all" data-testid="sign-out" on:click=move |_| sign_out(problem)>
                                "Sign out"
                            </button>
                        }
                    })}
                {move || problem.get().map(|problem| view! { <p role="alert">{problem.title}" "{problem.detail}</p> })}
            </div>
        </details>
    }
}
