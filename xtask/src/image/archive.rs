//! The archive of one image: an OCI layout that also has Docker's `manifest.json`, as `docker save` writes it, so that
//! old and new tools read the same file.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::{catalog::Image, layer::digest};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Writes the archive of `image` under the full `name` (`hub/name:tag`).
pub fn write(image: &Image, name: &str, path: &Path) -> Result<()> {
    // Only a finished archive gets the name.
    let dir = path.parent().unwrap_or(Path::new("."));
    let temporary =
        tempfile::NamedTempFile::new_in(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
    pack(image, name, temporary.as_file()).with_context(|| format!("cannot write {}", path.display()))?;
    temporary.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn pack(image: &Image, name: &str, file: &File) -> Result<()> {
    let config = config(image).to_string().into_bytes();
    let layers: Vec<Value> =
        image.layers.iter().map(|layer| descriptor(LAYER, &layer.digest, layer.bytes.len())).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &digest(&config), config.len()),
        "layers": layers,
    });
    let manifest = manifest.to_string().into_bytes();
    let mut entry = descriptor(MANIFEST, &digest(&manifest), manifest.len());
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    entry["annotations"] = json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] });
    let docker = json!([{
        "Config": blob(&digest(&config)),
        "RepoTags": [name],
        "Layers": image.layers.iter().map(|layer| blob(&layer.digest)).collect::<Vec<_>>(),
    }]);

    let mut tar = Builder::new(BufWriter::new(file));
    append(&mut tar, "oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string().as_bytes())?;
    append(&mut tar, "index.json", index.to_string().as_bytes())?;
    append(&mut tar, "manifest.json", docker.to_string().as_bytes())?;
    append(&mut tar, &blob(&digest(&manifest)), &manifest)?;
    append(&mut tar, &blob(&digest(&config)), &config)?;
    let mut written = BTreeSet::new();
    for layer in &image.layers {
        if written.insert(&layer.digest) {
            append(&mut tar, &blob(&layer.digest), &layer.bytes)?;
        }
    }
    tar.into_inner()?.flush()?;
    Ok(())
}

fn config(image: &Image) -> Value {
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "User": image.user, "Env": image.env, "Entrypoint": image.entrypoint },
        "rootfs": {
            "type": "layers",
            "diff_ids": image.layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect::<Vec<_>>(),
        },
    })
}

/// Go's name of the machine that we build for, which is the one we run on.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn descriptor(kind: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": size })
}

fn blob(digest: &str) -> String {
    format!("blobs/sha256/{digest}")
}

fn append(tar: &mut Builder<impl Write>, path: &str, bytes: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes).with_context(|| format!("cannot append {path}"))
}
