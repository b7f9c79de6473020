//! Who looks at the page: their name and rights, signing out, and a session that ended while the page was open.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    config::Problem,
    session::{Method, Person, SessionInfo},
};

use super::{modal::Modal, shape::Glyph};
use crate::{
    api, browser, drafts, format,
    icons::Icon,
    state::{App, app},
};

/// How often a page whose session ended looks whether there is another one.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often anybody's rights are looked at again.
pub const RIGHTS_EVERY: Duration = Duration::from_secs(60);

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

/// Over the page when its session ended. What was typed stays: signing in happens in another tab.
#[component]
pub fn Ended(methods: Vec<Method>) -> impl IntoView {
    let app = app();
    let methods = StoredValue::new(methods);
    keep_rights(app);
    Effect::new(move |_| {
        if app.ended.get() {
            wait(app);
        }
    });
    view! {
        <Show when=move || app.ended.get()>
            <Modal role="alertdialog" labelled="ended-title" testid="ended">
                <header>
                    <h2 id="ended-title">"Your session ended"</h2>
                </header>
                <p>"Nothing that you typed is lost: sign in in another tab, and this page goes on."</p>
                {methods.with_value(|methods| methods.iter().map(again).collect_view())}
            </Modal>
        </Show>
    }
}

/// A way to sign in beside the page, which stays open.
fn again(method: &Method) -> AnyView {
    let tab = |id: &'static str, href: String| {
        view! {
            <p>
                <a class="button primary" rel="external noopener" target="_blank" data-testid=id href=href>
                    "Sign in again"
                </a>
            </p>
        }
        .into_any()
    };
    match method {
        Method::Oidc { .. } => tab("sign-in-again", api::sign_in("/signed-in")),
        // The proxy asks for a sign-in on the way to any address.
        Method::Proxy => tab("sign-in-again-proxy", "/signed-in".to_owned()),
        Method::Link => view! {
            <p data-testid="sign-in-again-link">
                "Open the newest sign-in link in another tab. It stands in the file that the start of the mesh named."
            </p>
        }
        .into_any(),
        Method::Token => view! { <p class="quiet">"Who came with a token gives a new one."</p> }.into_any(),
    }
}

/// Rights change while a page is open. Whoever has none left is told so, instead of being shown empty lists.
fn keep_rights(app: App) {
    let look = move || {
        if app.person.with_untracked(Option::is_none) || app.ended.get_untracked() {
            return;
        }
        spawn_local(async move {
            let Ok(info) = api::session().await else { return };
            let Some(person) = info.person.filter(|_| info.guarded) else { return };
            if !person.sees_any || is_another(app, &person) {
                browser::reload();
            } else if app.person.with_untracked(|known| known.as_ref() != Some(&person)) {
                is_now(app, person);
            }
        });
    };
    let every = set_interval_with_handle(look, RIGHTS_EVERY).ok();
    on_cleanup(move || {
        if let Some(every) = every {
            every.clear();
        }
    });
}

/// Whether somebody else than `person` used the page up to now. What one of them typed is not the other's to read: it
/// stands in fields, too, so such a page is loaded again, which forgets it all. While nobody is signed in it waits for
/// whoever typed it.
fn is_another(app: App, person: &Person) -> bool {
    let name = drafts::owner(Some(person));
    let known = |known: &Option<Person>| drafts::is_anothers(Some(drafts::owner(known.as_ref())), name);
    !name.is_empty() && (app.person.with_untracked(known) || drafts::are_anothers(name))
}

/// Takes in who looks at the page now, who is nobody else than before.
fn is_now(app: App, person: Person) {
    let name = drafts::owner(Some(&person));
    if !name.is_empty() {
        drafts::belong_to(name);
    }
    app.person.set(Some(person));
}

/// Looks until somebody is signed in again.
fn wait(app: App) {
    set_timeout(
        move || {
            spawn_local(async move {
                match api::session().await {
                    Ok(SessionInfo { person: Some(person), guarded, .. }) => {
                        match Some(person).filter(|_| guarded) {
                            Some(person) if is_another(app, &person) => return browser::reload(),
                            Some(person) => is_now(app, person),
                            None => app.person.set(None),
                        }
                        app.ended.set(false);
                    }
                    _ => wait(app),
                }
            });
        },
        LOOK_EVERY,
    );
}
