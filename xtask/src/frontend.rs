//! `cargo xtask frontend`: leptos page → wasm → JavaScript glue → files named by content, compressed beside themselves.
//!
//! wasm-bindgen is linked as a library, so its version is the one in Cargo.lock and no tool has to be installed.

mod assets;
mod inputs;
mod pack;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use wasm_bindgen_cli_support::Bindgen;

use crate::workspace;
use assets::Assets;
use pack::pack;

const TARGET: &str = "wasm32-unknown-unknown";
/// Components as one type instead of a type for each tree of elements: a page of a quarter less, and quicker to build.
const FLAGS: (&str, &str) = ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "--cfg erase_components");
/// What a first visit may cost on the wire.
const BUDGET: usize = 1024 * 1024;
/// Names the inputs that the files were built from.
const STAMP: &str = ".inputs";
/// In the order they cascade.
const STYLES: [&str; 12] = [
    "tokens",
    "base",
    "frame",
    "graph",
    "panel",
    "canaries",
    "editor",
    "tables",
    "traces",
    "workloads",
    "mesh",
    "person",
];

/// Builds the page into `out`, or says that it is up to date.
pub fn build(out: Option<PathBuf>) -> Result<()> {
    let root = workspace::root()?;
    let out = match out {
        Some(out) => std::path::absolute(&out).with_context(|| format!("{} is no path", out.display()))?,
        None => root.join("frontend/dist"),
    };
    let inputs = inputs::digest(&root)?;
    let stamp = out.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|built| built == inputs) && out.join("index.html").exists() {
        println!("frontend: {} is up to date", out.display());
        return Ok(());
    }
    let started = Instant::now();
    let wasm = compile()?;
    let mut assets = Assets::default();
    let page = link(&root, &wasm, &mut assets)?;
    assets.add_named("index.html", page.into_bytes());
    assets.compress()?;
    let total = assets.report();
    if total > BUDGET {
        bail!("the page is {total} bytes compressed, over the budget of {BUDGET}; look at what grew with `twiggy top`");
    }
    assets.write(&out)?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))?;
    println!("frontend: {} in {:.1} s", out.display(), started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs cargo for the wasm target; the answer is the path of the module.
fn compile() -> Result<PathBuf> {
    let output = workspace::cargo()?
        .args(["build", "--package", "weft-frontend", "--lib", "--target", TARGET, "--profile", "wasm"])
        .arg("--message-format=json-render-diagnostics")
        .env(FLAGS.0, FLAGS.1)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo; install Rust with rustup")?;
    if !output.status.success() {
        bail!("the page does not compile; if the target is missing, run `rustup target add {TARGET}`");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == "weft_frontend")
        .filter_map(|message| message["filenames"].as_array().cloned())
        .flatten()
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .context("cargo built the page, but named no wasm file")
}

/// Generates the JavaScript side of `wasm`, adds everything to `assets` and returns the HTML that loads it.
fn link(root: &Path, wasm: &Path, assets: &mut Assets) -> Result<String> {
    let mut output = Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .context("wasm-bindgen cannot read the module; run `cargo update -p wasm-bindgen` if versions differ")?;
    let inline = output.snippets().iter().filter(|(_, code)| !code.is_empty()).map(|(name, _)| name);
    let snippets: Vec<String> = inline.chain(output.local_modules().keys()).cloned().collect();
    if !snippets.is_empty() {
        bail!("a dependency brings JavaScript of its own ({}), which the page does not load", snippets.join(", "));
    }
    let glue = assets.add("weft", "js", output.js().as_bytes().to_vec());
    let module = assets.add("weft", "wasm", pack(output.wasm_mut().emit_wasm())?);
    // The content security policy allows no inline script, so the three lines that start the page are a file, too.
    let start = format!("import init from \"./{glue}\";\nawait init({{ module_or_path: \"./{module}\" }});\n");
    let start = assets.add("start", "js", start.into_bytes());
    let mut css = String::new();
    for name in STYLES {
        let path = root.join("frontend/style").join(name).with_extension("css");
        css.push_str(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let css = assets.add("weft", "css", css.into_bytes());
    let icon = fs::read(root.join("frontend/style/icon.svg")).context("cannot read frontend/style/icon.svg")?;
    let icon = assets.add("icon", "svg", icon);
    let template = root.join("frontend/index.html");
    let html = fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
    let html = [("{glue}", glue), ("{module}", module), ("{start}", start), ("{css}", css), ("{icon}", icon)]
        .into_iter()
        .fold(html, |html, (mark, name)| html.replace(mark, &name));
    Ok(html)
}
