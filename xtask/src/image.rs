//! `cargo xtask image`: the programs that cargo has built, as container images in one archive each, without a container
//! engine. `ctr images import` and `docker load` both read them.
//!
//! An image is a few layers: what every program needs (loader, libc), what only some need (nft, the page), the program
//! itself. Layers are the same bytes for the same files, so that a runtime unpacks a shared one once.

mod archive;
mod catalog;
mod layer;
mod libraries;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};

use crate::workspace;

/// Flags of `cargo xtask image`.
#[derive(clap::Args)]
pub struct ImageArgs {
    /// Where the programs are; the debug folder of cargo's target directory by default.
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Where the archives go; `images` beside the programs by default.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What stands before an image's name, such as `registry.example/weft`.
    #[arg(long, default_value = "docker.io/weft")]
    hub: String,
    /// The images' tag.
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// Also the images that only a test cluster needs: `pause`, `tools` and, with libfaketime, `operator-faketime`.
    #[arg(long)]
    test: bool,
    /// Also the image that samples/ needs: `prometheus`.
    #[arg(long)]
    samples: bool,
}

/// Writes an archive per image and prints their paths.
pub fn build(args: &ImageArgs) -> Result<()> {
    let root = workspace::root()?;
    let programs = match &args.programs {
        Some(dir) => dir.clone(),
        None => target_directory()?.join("debug"),
    };
    let out = args.out.clone().unwrap_or_else(|| programs.join("images"));
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let started = Instant::now();
    let mut kitchen = catalog::Kitchen::new(&root, &programs)?;
    let mut images = kitchen.product()?;
    if args.test {
        images.extend(kitchen.test()?);
    }
    if args.samples {
        images.extend(kitchen.samples()?);
    }
    for image in &images {
        let name = format!("{}/{}:{}", args.hub.trim_end_matches('/'), image.name, args.tag);
        let path = out.join(format!("{}.tar", image.name));
        archive::write(image, &name, &path)?;
        println!("{}  {name}  {:.1} MB", path.display(), size(&path) as f64 / 1e6);
    }
    eprintln!("image: {} images in {:.1} s", images.len(), started.elapsed().as_secs_f64());
    Ok(())
}

fn target_directory() -> Result<PathBuf> {
    let metadata = workspace::metadata()?;
    let dir = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(dir))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default()
}
