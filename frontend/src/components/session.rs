//! Whether whoever looks at the page is still who it was made for: rights that change, a session that ends while the page is
//! open, and a page that somebody comes back to.

use std::time::Duration;

use leptos::{ev, prelude::*, task::spawn_local};
use weft_model::{
    config::Problem,
    session::{Method, SessionInfo},
};

use super::modal::Modal;
use crate::{
    api, browser, drafts,
    sign_in::{Looks, Visits, looks},
    state::{App, app},
};

/// How often a page looks whether there is a session while it cannot go on without one.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often anybody's rights are looked at again.
pub const RIGHTS_EVERY: Duration = Duration::from_secs(60);

/// Takes in an answer to who looks at the page, and says what it came to. For somebody else the page is loaded again: what
/// the last one typed stands in its fields, too, and only so it forgets it all.
fn take(app: App, info: SessionInfo) -> Looks {
    let looks = app.person.with_untracked(|known| looks(&info, known.as_ref(), drafts::whose().as_deref()));
    if looks == Looks::Another {
        browser::reload();
    } else if info.person.is_some() {
        let person = info.person.filter(|_| info.guarded);
        let name = drafts::owner(person.as_ref());
        if !name.is_empty() {
            drafts::belong_to(name);
        }
        if app.person.with_untracked(|known| *known != person) {
            app.person.set(person);
        }
        if app.ended.get_untracked() {
            app.ended.set(false);
        }
    }
    looks
}

/// Rights change while a page is open. Whoever has none left is told so, instead of being shown empty lists.
fn keep_rights(app: App) {
    let look = move || {
        if app.person.with_untracked(Option::is_none) || app.ended.get_untracked() {
            return;
        }
        spawn_local(async move {
            if let Ok(info) = api::session().await {
                take(app, info);
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
                "Open the newest sign-in link in another tab. It stands in the file that --sign-in-link-file names."
            </p>
        }
        .into_any(),
        Method::Token => view! { <p class="quiet">"Who came with a token gives a new one."</p> }.into_any(),
    }
}

/// Looks until somebody is signed in again.
fn wait(app: App) {
    set_timeout(
        move || {
            spawn_local(async move {
                let looks = api::session().await.map_or(Looks::Nobody, |info| take(app, info));
                if looks != Looks::Another && app.ended.get_untracked() {
                    wait(app);
                }
            });
        },
        LOOK_EVERY,
    );
}

/// Runs `act` whenever the browser's way back shows the page as it was left, for as long as the component that asks for it.
pub fn on_return(act: impl Fn() + 'static) {
    let back = window_event_listener(ev::pageshow, move |event| {
        if event.persisted() {
            act();
        }
    });
    on_cleanup(move || back.remove());
}

/// Runs `act` whenever the page is left and kept for the browser's way back, for as long as the component that asks for it.
pub fn on_leave(act: impl Fn() + 'static) {
    let left = window_event_listener(ev::pagehide, move |event| {
        if event.persisted() {
            act();
        }
    });
    on_cleanup(move || left.remove());
}

/// Lies over a page that was left and is shown again as it was, until it is known who came back to it: it may be somebody
/// else. It is there before the page is left, so that not even the first picture shows what the last one saw.
#[component]
pub fn Cover() -> impl IntoView {
    let app = app();
    let problem = RwSignal::new(None::<Problem>);
    let visits = StoredValue::new(Visits::default());
    let is_somebodys = move || app.person.with_untracked(Option::is_some);
    on_leave(move || {
        visits.update_value(|visits| _ = visits.turn());
        forget_token(app);
        if is_somebodys() {
            cover(true);
        }
    });
    on_return(move || {
        let visit = visits.try_update_value(Visits::turn);
        if let Some(visit) = visit.filter(|_| is_somebodys()) {
            cover(true);
            ask(app, problem, visits, visit);
        }
    });
    let words = move || match problem.get() {
        None => "Asking who you are …".to_owned(),
        Some(problem) => format!("{} {} This page asks again.", problem.title, problem.detail),
    };
    view! {
        <div class="cover" role="status" data-testid="cover">
            <section class="card-alone">
                <p class="alone-mark">"Weft"</p>
                <p>{words}</p>
            </section>
        </div>
    }
}

/// Covers the page, or shows it.
fn cover(covered: bool) {
    let Some(body) = document().body() else { return };
    // Fails only for what is no name of an attribute.
    let _ = if covered { body.set_attribute("data-covered", "") } else { body.remove_attribute("data-covered") };
}

/// A token is for whoever gave it, for as long as they are there: a reload forgets it, and so does leaving.
fn forget_token(app: App) {
    api::give_token("");
    // With what is typed there.
    app.signing.set(false);
    if app.who.with_untracked(Option::is_some) {
        app.who.set(None);
    }
}

/// Asks who came back, until there is an answer, or until they left again. Where nobody did, the page begins anew, with the
/// way to sign in: unlike a session that ends under the eyes of whoever has it, what stands here waits for nobody. What they
/// typed is kept as drafts.
fn ask(app: App, problem: RwSignal<Option<Problem>>, visits: StoredValue<Visits>, visit: Visits) {
    spawn_local(async move {
        let answer = api::session().await;
        if visits.try_get_value() != Some(visit) {
            return;
        }
        match answer {
            Ok(info) => match take(app, info) {
                Looks::Same => {
                    problem.set(None);
                    cover(false);
                }
                Looks::Nobody => browser::reload(),
                // It is loaded again.
                Looks::Another => {}
            },
            Err(refused) => {
                problem.set(Some(refused));
                set_timeout(move || ask(app, problem, visits, visit), LOOK_EVERY);
            }
        }
    });
}
