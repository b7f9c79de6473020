//! What stands before the page: signing in, having signed out, and having no rights.

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    config::Problem,
    session::{Method, Person, SessionInfo},
};

use crate::{
    api,
    app::Page,
    browser,
    components::{
        person,
        placeholder::{Failure, Skeleton},
        session::{RIGHTS_EVERY, on_leave, on_return},
    },
    sign_in::{Visits, whom_to_ask, words},
    wanted,
};

/// The page, once it is known who looks at it.
#[component]
pub fn Gate() -> impl IntoView {
    let session = RwSignal::new(None::<api::Answer<SessionInfo>>);
    let visits = StoredValue::new(Visits::default());
    let ask = move || {
        session.set(None);
        let visit = visits.get_value();
        spawn_local(async move {
            let answer = api::session().await;
            if visits.try_get_value() == Some(visit) {
                session.set(Some(answer));
            }
        });
    };
    ask();
    // Without a word: what is shown stays until the answer is another one.
    let look = move || {
        let visit = visits.get_value();
        spawn_local(async move {
            let answer = api::session().await;
            // One of before says who looked then.
            if visits.try_get_value() != Some(visit) {
                return;
            }
            if answer.is_ok() && session.try_with_untracked(|known| known.as_ref() != Some(&answer)).unwrap_or(false) {
                session.set(Some(answer));
            }
        });
    };
    // The page itself has a cover for this. Whoever has no rights is named here.
    let names_somebody = move || {
        session.with_untracked(|known| match known {
            Some(Ok(info)) => info.person.as_ref().is_some_and(|person| !person.sees_any),
            _ => false,
        })
    };
    on_leave(move || {
        visits.update_value(|visits| _ = visits.turn());
        if names_somebody() {
            session.set(None);
        }
    });
    on_return(move || {
        visits.update_value(|visits| _ = visits.turn());
        if session.with_untracked(Option::is_none) {
            ask();
        }
    });
    let place = browser::path();
    move || match (session.get(), place.as_str()) {
        (None, _) => view! { <Alone><Skeleton words="Asking who you are …" rows=3 /></Alone> }.into_any(),
        (Some(Err(problem)), _) => {
            view! { <Alone><Failure problem retry=Callback::new(move |()| ask()) /></Alone> }.into_any()
        }
        (Some(Ok(info)), "/signed-out") => view! { <Alone><SignedOut info /></Alone> }.into_any(),
        (Some(Ok(SessionInfo { person: Some(_), guarded: true, .. })), "/signed-in") => {
            view! { <Alone><Back /></Alone> }.into_any()
        }
        (Some(Ok(SessionInfo { person: None, methods, .. })), _) => {
            view! { <Alone><SignIn methods /></Alone> }.into_any()
        }
        (Some(Ok(SessionInfo { person: Some(person), by_cluster, .. })), _) if !person.sees_any => {
            view! { <Alone><NoRights person by_cluster look=Callback::new(move |()| look()) /></Alone> }.into_any()
        }
        (Some(Ok(info)), _) => view! { <Page info /> }.into_any(),
    }
}

/// A card in the middle of an otherwise empty page.
#[component]
fn Alone(children: Children) -> impl IntoView {
    view! {
        <main id="main" class="alone">
            <section class="card-alone">
                <p class="alone-mark">"Weft"</p>
                {children()}
            </section>
        </main>
    }
}

#[component]
fn SignIn(methods: Vec<Method>) -> impl IntoView {
    wanted::keep();
    view! {
        <h1>"Sign in"</h1>
        <p class="quiet">"This console shows who calls whom in a mesh. It answers only to people whom it knows."</p>
        <Ways methods return_to=person::here() />
    }
}

/// The ways to sign in, as links.
#[component]
fn Ways(methods: Vec<Method>, return_to: String) -> impl IntoView {
    if methods.is_empty() {
        return view! { <p>"This console offers no way to sign in. It is started with "<code>"--oidc-issuer"</code>"."</p> }
            .into_any();
    }
    methods
        .into_iter()
        .map(|method| match method {
            Method::Oidc { provider } => view! {
                <p>
                    <a class="button primary wide" rel="external" data-testid="sign-in-oidc" href=api::sign_in(&return_to)>
                        "Sign in with "{provider}
                    </a>
                </p>
            }
            .into_any(),
            Method::Link => view! {
                <p data-testid="sign-in-link">
                    "Open the link that was printed when the mesh was started. It works once; "
                    <code>"weft demo"</code>" prints a new one each time, and the next one stands in the file that it names."
                </p>
            }
            .into_any(),
            Method::Proxy => {
                view! { <p>"Come through the proxy that signs people in for this console."</p> }.into_any()
            }
            Method::Token => {
                view! { <p class="quiet">"Programs send a bearer token of the cluster."</p> }.into_any()
            }
        })
        .collect_view()
        .into_any()
}

/// After signing out, and after a sign-in that failed.
#[component]
fn SignedOut(info: SessionInfo) -> impl IntoView {
    wanted::forget();
    let problem = browser::query("problem");
    let known = info.person.is_some() && info.guarded;
    let back = known.then(|| {
        view! { <p><a class="button wide" rel="external" href="/">"Go on to the page"</a></p> }
    });
    match problem {
        None => view! {
            <h1 data-testid="signed-out">"You are signed out"</h1>
            <p class="quiet">"Your session here is over, in every tab."</p>
            {browser::query("provider")
                .is_some()
                .then(|| view! { <p data-testid="provider-open">"The provider that signed you in does not answer, so it was not told: its own session may still be open. Sign out there as well, once it answers."</p> })}
            {back}
            <Ways methods=info.methods return_to="/".to_owned() />
        }
        .into_any(),
        Some(code) => {
            let (what, remedy) = words(&code);
            view! {
                <h1>{if known { "You are signed in already" } else { "You are not signed in" }}</h1>
                <div role="alert" data-testid="sign-in-problem" data-code=code.clone()>
                    <p><strong>{what}</strong></p>
                    <p>{remedy}</p>
                </div>
                <p class="quiet">"Code: "<code class="code">{code}</code></p>
                {back}
                {(!known).then(|| view! { <Ways methods=info.methods return_to="/".to_owned() /> })}
            }
            .into_any()
        }
    }
}

/// The end of a sign-in that another tab waits for.
#[component]
fn Back() -> impl IntoView {
    view! {
        <h1 data-testid="signed-in">"You are signed in"</h1>
        <p>"Close this tab: the page that you came from goes on where it stood."</p>
        <p><a class="button wide" rel="external" href="/">"Or open a new one here"</a></p>
    }
}

#[component]
fn NoRights(person: Person, by_cluster: bool, look: Callback<()>) -> impl IntoView {
    let remedy = whom_to_ask(&person.name, by_cluster);
    let every = set_interval_with_handle(move || look.run(()), RIGHTS_EVERY).ok();
    on_cleanup(move || {
        if let Some(every) = every {
            every.clear();
        }
    });
    let groups = if person.groups.is_empty() { "none".to_owned() } else { person.groups.join(", ") };
    let problem = RwSignal::new(None::<Problem>);
    view! {
        <h1 data-testid="no-rights">"Nothing here is yours to see"</h1>
        <p>"You are " <strong>{person.name.clone()}</strong> ". You may read no namespace of this mesh."</p>
        <p class="quiet">"Your groups: "{groups}</p>
        <p data-testid="no-rights-remedy">{remedy}</p>
        <p class="quiet">"This page looks again each minute."</p>
        <p>
            <button class="button wide" data-testid="look-again" on:click=move |_| look.run(())>"Look again"</button>
        </p>
        <Show when=move || person.can_sign_out>
            <p>
                <button class="button wide" data-testid="sign-out" on:click=move |_| person::sign_out(problem)>
                    "Sign out"
                </button>
            </p>
        </Show>
        {move || problem.get().map(|problem| view! { <p role="alert">{problem.title}" "{problem.detail}</p> })}
    }
}
