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
    },
};

/// The page, once it is known who looks at it.
#[component]
pub fn Gate() -> impl IntoView {
    let session = RwSignal::new(None::<api::Answer<SessionInfo>>);
    let ask = move || {
        session.set(None);
        spawn_local(async move { session.set(Some(api::session().await)) });
    };
    ask();
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
        (Some(Ok(SessionInfo { person: Some(person), .. })), _) if !person.sees_any => {
            view! { <Alone><NoRights person /></Alone> }.into_any()
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
    let problem = browser::query("problem");
    let back = (info.person.is_some() && info.guarded).then(|| {
        view! { <p><a class="button wide" rel="external" href="/">"Go on to the page"</a></p> }
    });
    match problem {
        None => view! {
            <h1 data-testid="signed-out">"You are signed out"</h1>
            <p class="quiet">"Your session here is over, in every tab."</p>
            {back}
            <Ways methods=info.methods return_to="/".to_owned() />
        }
        .into_any(),
        Some(code) => {
            let (what, remedy) = words(&code);
            view! {
                <h1>"You are not signed in"</h1>
                <div role="alert" data-testid="sign-in-problem" data-code=code.clone()>
                    <p><strong>{what}</strong></p>
                    <p>{remedy}</p>
                </div>
                <p class="quiet">"Code: "<code class="code">{code}</code></p>
                {back}
                <Ways methods=info.methods return_to="/".to_owned() />
            }
            .into_any()
        }
    }
}

/// What a code of `/auth` means, and what to do.
fn words(code: &str) -> (&'static str, &'static str) {
    match code {
        "unknown" => (
            "This sign-in is not known here.",
            "It took more than ten minutes, was finished already, or began in another browser. Begin again.",
        ),
        "link" => (
            "This link does not work, or no longer.",
            "Each link signs in once. Use the newest one: it stands in the file that the start of the mesh named.",
        ),
        "provider-away" => {
            ("The sign-in service does not answer.", "Try again in a moment. The console's log says what it tried.")
        }
        "refused" => ("The sign-in service refused.", "Ask whoever runs it whether your account may use this console."),
        "nobody" => (
            "The sign-in service does not say who you are.",
            "It gave no verified name that this console can use. The console's log says which claim is missing.",
        ),
        "token" => (
            "What the sign-in service sent does not hold.",
            "Nothing was taken from it. The console's log says why; its clock and its keys are the first to look at.",
        ),
        "too-many" => ("There were too many attempts from your address.", "Wait a minute, then begin again."),
        "storage" => ("The console cannot keep sessions now.", "Its database does not answer. Try again in a moment."),
        "no-such-way" => ("This console has no such way to sign in.", "Use one of those below."),
        _ => ("The sign-in did not work.", "Begin again. The console's log says more."),
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
fn NoRights(person: Person) -> impl IntoView {
    let line = format!("g, {}, role:viewer", person.name);
    let roles = !person.roles.is_empty() || person.how != "session";
    let groups = if person.groups.is_empty() { "none".to_owned() } else { person.groups.join(", ") };
    let problem = RwSignal::new(None::<Problem>);
    view! {
        <h1 data-testid="no-rights">"Nothing here is yours to see"</h1>
        <p>"You are " <strong>{person.name.clone()}</strong> ". You may read no namespace of this mesh."</p>
        <p class="quiet">"Your groups: "{groups}</p>
        <p>
            {if roles {
                "Ask whoever runs the mesh for the right to read a namespace.".to_owned()
            } else {
                format!("Ask an administrator for a role. On a cluster that is the right to get a namespace; elsewhere a line of the role file such as: {line}")
            }}
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
