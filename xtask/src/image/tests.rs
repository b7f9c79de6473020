use std::{collections::BTreeMap, io::Read, path::PathBuf};

use serde_json::Value;

use super::{archive, catalog::Image, layer::LayerBuilder, libraries};

#[test]
fn ldd_lines_become_paths() {
    let text = "\tlinux-vdso.so.1 (0x00007fe7168f9000)\n\
                \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fe71573e000)\n\
                \t/lib64/ld-linux-x86-64.so.2 (0x00007fe7168fb000)\n";
    let libraries = libraries::parse(text).expect("good lines");
    let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
    assert!(libraries.iter().eq(&expected), "{libraries:?}");
    assert!(libraries::parse("\tlibx.so => not found\n").is_err());
}

#[test]
fn a_layer_is_the_same_bytes_whatever_the_order() {
    let layer = |names: &[&str]| {
        let mut builder = LayerBuilder::default();
        for name in names {
            builder.file(name, 0o644, *name);
        }
        builder.link("/usr/lib/c", "b");
        builder.finish().expect("layer")
    };
    let (one, other) = (layer(&["/usr/lib/a", "/usr/lib/b"]), layer(&["/usr/lib/b", "/usr/lib/a"]));
    assert_eq!(one.digest, other.digest);
    let mut tar = tar::Archive::new(one.bytes.as_slice());
    let names: Vec<_> = tar
        .entries()
        .expect("entries")
        .map(|entry| entry.expect("entry").path().expect("path").display().to_string())
        .collect();
    assert_eq!(names, ["usr/", "usr/lib/", "usr/lib/a", "usr/lib/b", "usr/lib/c"]);
}

#[test]
fn every_digest_in_an_archive_names_a_blob_in_it() {
    let mut builder = LayerBuilder::default();
    builder.file("/hello", 0o755, "hello");
    let layer = builder.finish().expect("layer");
    let image = Image {
        name: "hello",
        layers: vec![layer.clone(), layer],
        user: "1:1",
        entrypoint: vec!["/hello"],
        env: vec![],
    };
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("hello.tar");
    archive::write(&image, "docker.io/weft/hello:1", &path).expect("archive");
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(std::fs::File::open(path).expect("archive")).entries().expect("entries") {
        let mut entry = entry.expect("entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("content");
        let path = entry.path().expect("path").display().to_string();
        assert!(files.insert(path.clone(), bytes).is_none(), "{path} twice");
    }
    let json = |name: &str| serde_json::from_slice::<Value>(&files[name]).expect("JSON");
    let blob = |digest: &Value| digest.as_str().expect("digest").replace("sha256:", "blobs/sha256/");
    let index = json("index.json");
    assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], "docker.io/weft/hello:1");
    let manifest = json(&blob(&index["manifests"][0]["digest"]));
    let config = json(&blob(&manifest["config"]["digest"]));
    for (layer, diff) in manifest["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .zip(config["rootfs"]["diff_ids"].as_array().expect("diff ids"))
    {
        assert_eq!(layer["digest"], *diff);
        assert_eq!(layer["size"], files[&blob(&layer["digest"])].len());
    }
    let docker = json("manifest.json");
    assert!(files.contains_key(docker[0]["Config"].as_str().expect("config")));
    assert_eq!(docker[0]["RepoTags"][0], "docker.io/weft/hello:1");
}
