//! The graph as a file (SVG, PNG, JSON), as a link, and as the commands that give the same.

use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Blob, HtmlCanvasElement};

use super::{OnStage, Shown, commands};
use crate::{
    browser,
    components::{
        copy::{Commands, CopyLink},
        shape::Glyph,
    },
    graph::export::svg,
    icons::Icon,
    state::{App, app},
};

/// Browsers refuse canvases that are larger.
const LIMIT: f64 = 8_000.0;

/// A menu with the formats.
#[component]
pub fn Export() -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let OnStage(stage) = expect_context();
    let title = move || {
        let name = app.meta.with_untracked(|load| load.part(|meta| meta.name.clone()));
        let at = shown.with_untracked(|shown| shown.as_ref().map_or(0, |shown| shown.graph.at_ms));
        format!("{name}, {}", browser::moment(at as f64))
    };
    let file = move |kind: &str| {
        let at = shown.with_untracked(|shown| shown.as_ref().map_or(0, |shown| shown.graph.at_ms));
        format!("weft-graph-{}.{kind}", at / 1000)
    };
    let as_svg = move |_| {
        let _ = stage.try_with_value(|stage| {
            if let Some(stage) = stage {
                let (scene, ink) = stage.scene();
                browser::download(&file("svg"), "image/svg+xml", &svg(&scene, &title(), &ink));
            }
        });
    };
    let as_png = move |_| {
        let canvas =
            document().create_element("canvas").ok().and_then(|canvas| canvas.dyn_into::<HtmlCanvasElement>().ok());
        let drawn = stage.try_with_value(|stage| stage.as_ref()?.picture(canvas.as_ref()?, LIMIT)).flatten();
        let (Some(canvas), Some(())) = (canvas, drawn) else { return failed(app) };
        let name = file("png");
        let done = Closure::once_into_js(move |blob: wasm_bindgen::JsValue| match blob.dyn_into::<Blob>() {
            Ok(blob) => browser::download_blob(&name, &blob),
            Err(_) => failed(app),
        });
        if canvas.to_blob(done.unchecked_ref()).is_err() {
            failed(app);
        }
    };
    let as_json = move |_| {
        // By way of a tree: writing each type in lines of its own would be compiled beside writing it in one.
        let text = shown.with_untracked(|shown| {
            let line = serde_json::to_string(&shown.as_ref()?.graph).ok()?;
            serde_json::to_string_pretty(&serde_json::from_str::<Value>(&line).ok()?).ok()
        });
        match text {
            Some(text) => browser::download(&file("json"), "application/json", &text),
            None => failed(app),
        }
    };
    view! {
        <details class="menu at-end export" data-testid="export">
            <summary title="The graph as a file, a link or a command">
                <span class="menu-words">"Export"</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list" role="group" aria-label="Export">
                <button class="menu-all" data-testid="export-svg" on:click=as_svg>"SVG"</button>
                <button class="menu-all" data-testid="export-png" on:click=as_png>"PNG"</button>
                <button class="menu-all" data-testid="export-json" on:click=as_json>"JSON"</button>
                <hr />
                <CopyLink />
                <Commands commands=commands() />
            </div>
        </details>
    }
}

fn failed(app: App) {
    app.toast("The browser could not make the file. Try SVG, or a smaller part of the graph.", true, None);
}
