//! Search in the top bar: everything that the page was given, by name.

use leptos::{ev, prelude::*, task::spawn_local};
use weft_model::details::{Inventory, Subject};

use super::shape::Glyph;
use crate::{
    api,
    app::Settle,
    browser, format,
    icons::Icon,
    search::{Catalogue, Entry, Group, SHOWN},
    shown::visible,
    state::{Load, app},
};

const HINT: &str = "A workload, service, application, canary, namespace or object by its name, or a page. shop/cart names \
                    the namespace, too.";
/// Services that were asked for so long ago are asked for again, in milliseconds.
const OLD_MS: f64 = 60_000.0;

/// The field, and below it what it finds.
#[component]
pub fn Search() -> impl IntoView {
    let app = app();
    let text = RwSignal::new(String::new());
    let open = RwSignal::new(false);
    let picked: RwSignal<Option<Entry>> = RwSignal::new(None);
    // All that the page does not hold anyway: services, with workloads that lie outside of the chosen namespaces.
    let services: RwSignal<Load<Inventory>> = RwSignal::default();
    let asking = StoredValue::new(false);
    // Changes with the person that is answered to.
    let turn = StoredValue::new(0_u32);
    let ask = move || {
        let recent = |load: &Load<Inventory>| load.value.is_some() && browser::now() - load.at_ms < OLD_MS;
        if asking.get_value() || services.with_untracked(recent) {
            return;
        }
        asking.set_value(true);
        spawn_local(async move {
            let window_s = app.view.with_untracked(|view| view.window_s);
            let before = turn.get_value();
            let answer = api::inventory(Subject::Service, window_s).await;
            asking.set_value(false);
            if turn.get_value() == before {
                services.update_with(answer);
            }
        });
    };
    // Somebody else may see less.
    app.on_person(move || {
        turn.update_value(|turn| *turn = turn.wrapping_add(1));
        services.set(Load::default());
    });
    let all = Memo::new(move |_| {
        let mut all = Catalogue::default();
        if open.get() {
            app.meta.with(|load| load.value.iter().for_each(|meta| all.namespaces(&meta.namespaces)));
            app.graph.with(|load| load.value.iter().for_each(|graph| all.nodes(&graph.nodes)));
            app.canaries.with(|load| load.value.iter().for_each(|list| all.canaries(&list.canaries)));
            app.config.with(|load| load.value.iter().for_each(|list| all.objects(&list.rows)));
            services.with(|load| load.value.iter().for_each(|list| all.services(&list.rows)));
        }
        all
    });
    let found = Memo::new(move |_| all.with(|all| text.with(|text| all.find(text))));
    let count = move || found.with(|(shown, _)| shown.len());
    let any = Memo::new(move |_| open.get() && count() > 0);
    // What the reader picked stays chosen while answers come in and it moves; before that it is the best.
    let chosen = Memo::new(move |_| {
        found.with(|(shown, _)| {
            let at = picked.with(|picked| picked.as_ref().and_then(|one| shown.iter().position(|entry| entry == one)));
            at.unwrap_or(0)
        })
    });
    Effect::new(move |_| {
        let at = chosen.get();
        if any.get() {
            // It stands at its place by then.
            request_animation_frame(move || browser::reveal(&format!("#search-{at}")));
        }
    });
    let words = move || {
        let typed = text.with(|text| text.trim().to_owned());
        if typed.is_empty() {
            return Some(HINT.to_owned());
        }
        let all = found.with(|(_, all)| *all);
        if all > SHOWN {
            return Some(format!("{SHOWN} of {} that fit: go on typing.", format::count(all as u64)));
        }
        let unread = app.graph.with(|load| load.value.is_none())
            || app.config.with(|load| load.value.is_none())
            || app.canaries.with(|load| load.value.is_none())
            || services.with(|load| load.value.is_none() && load.error.is_none());
        let refused =
            |load: &Load<Inventory>| load.error.as_ref().map(|problem| (load.value.is_some(), problem.title.clone()));
        let missing = match services.with(refused) {
            _ if unread => "Not everything is read yet.".to_owned(),
            Some((true, why)) => format!("Services are of before: {why}"),
            Some((false, why)) => format!("Services are not among it: {why}"),
            None if all == 0 => {
                "Applications, and workloads without a service, are known only as far as the graph that was read last \
                 has them."
                    .to_owned()
            }
            None => String::new(),
        };
        match all {
            0 => Some(format!("Nothing named “{}” in what you may read. {missing}", format::middle(&typed, 40))),
            _ => Some(missing).filter(|missing| !missing.is_empty()),
        }
    };
    let go = move |index: usize| {
        let entry = found.with_untracked(|(shown, _)| shown.get(index).cloned());
        let Some(entry) = entry else { return };
        app.open(&app.view.with_untracked(|view| entry.view(view).fragment()));
        text.set(String::new());
        // Out of the field, to where it leads.
        if let Some(main) = browser::find("#main") {
            let _ = main.focus();
        }
    };
    let pick = move |index: usize| picked.set(found.with_untracked(|(shown, _)| shown.get(index).cloned()));
    let keys = move |event: ev::KeyboardEvent| {
        // What is still being composed is not for the list.
        if event.is_composing() {
            return;
        }
        let (count, at) = (found.with_untracked(|(shown, _)| shown.len()), chosen.get_untracked());
        match event.key().as_str() {
            "ArrowDown" if count > 0 => pick((at + 1) % count),
            "ArrowUp" if count > 0 => pick((at + count - 1) % count),
            "Enter" => go(at),
            // The page takes the focus out of the field, which closes the list.
            "Escape" => {
                text.set(String::new());
                return;
            }
            _ => return,
        }
        event.prevent_default();
    };
    let option = move |(index, entry): (usize, Entry)| {
        let about = entry.about();
        let title = format!("{} {about}", entry.name);
        view! {
            <div
                role="option"
                id=format!("search-{index}")
                data-testid="search-option"
                title=title
                aria-selected=move || (chosen.get() == index).to_string()
                on:click=move |_| go(index)
            >
                <code class="cut">{visible(&entry.name)}</code>
                <span class="quiet cut">{about}</span>
            </div>
        }
    };
    let group = move |(group, rows): (Group, Vec<(usize, Entry)>)| {
        view! {
            <div role="group" aria-label=group.title()>
                <p class="quiet" aria-hidden="true">{group.title()}</p>
                {rows.into_iter().map(option).collect_view()}
            </div>
        }
    };
    let groups = move || {
        let rows: Vec<(usize, Entry)> = found.with(|(shown, _)| shown.iter().cloned().enumerate().collect());
        let groups = rows.chunk_by(|(_, one), (_, next)| one.group == next.group);
        groups.filter_map(|rows| Some(group((rows.first()?.1.group, rows.to_vec())))).collect_view()
    };
    view! {
        <div class="lookup" role="search">
            <label class="search" title="Search everything by name (/)">
                <Glyph icon=Icon::Search />
                <input
                    id="search"
                    type="text"
                    role="combobox"
                    autocomplete="off"
                    spellcheck="false"
                    data-testid="search"
                    placeholder="Search (/)"
                    aria-label="Search"
                    aria-autocomplete="list"
                    aria-controls="search-found"
                    aria-describedby="search-words"
                    aria-expanded=move || any.get().to_string()
                    aria-activedescendant=move || any.get().then(|| format!("search-{}", chosen.get()))
                    prop:value=move || text.get()
                    on:input:target=move |event| {
                        picked.set(None);
                        text.set(event.target().value());
                    }
                    on:focus=move |_| {
                        picked.set(None);
                        open.set(true);
                        ask();
                    }
                    on:blur=move |_| open.set(false)
                    on:keydown=keys
                />
            </label>
            // The field keeps the focus, or the list would close before a press ends.
            <div class="offers" hidden=move || !open.get() on:mousedown=move |event| event.prevent_default()>
                <p class="quiet" id="search-words" role="status" data-testid="search-words">{words}</p>
                <div id="search-found" role="listbox" aria-label="What was found" hidden=move || !any.get()>
                    {groups}
                </div>
            </div>
        </div>
    }
}
