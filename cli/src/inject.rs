//! `weft inject`: adds proxies to manifests, without a cluster.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Value, json};
use weft_install::{
    Capabilities, InjectConfig, MeshInput,
    inject::{
        manifest::{incomplete, inject_object, object_warnings},
        mesh_warnings,
    },
    names,
};
use weft_runtime::StartupError;
use weft_source::yaml;

use crate::output;

/// Add proxies to manifests, without a cluster.
///
/// Pods and whatever makes them (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob) get a proxy, unless they opt
/// out; everything else is passed on as it is. Labels of namespaces are not asked.
#[derive(Clone, Debug, clap::Args)]
pub struct InjectArgs {
    /// Manifests in YAML or JSON, or - for standard input; may be given several times.
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE|-")]
    filenames: Vec<PathBuf>,
    /// File with the Mesh whose settings are used; by default the Mesh that `weft install` makes.
    #[arg(long, value_name = "FILE")]
    mesh: Option<PathBuf>,
    /// Namespace of objects that name none.
    #[arg(short = 'n', long, default_value = "default", value_name = "NAMESPACE")]
    namespace: String,
    /// Namespace of the installation.
    #[arg(long, default_value = names::NAMESPACE, value_name = "NAMESPACE", value_parser = crate::cluster::namespace_name)]
    weft_namespace: String,
    /// Minor version of the Kubernetes that the manifests are for: 35 of 1.35.
    #[arg(long, default_value_t = Capabilities::default().kubernetes_minor, value_name = "MINOR")]
    kubernetes_minor: u32,
    /// How the result is written.
    #[arg(short = 'o', long, value_enum, default_value_t)]
    output: Output,
}

/// How objects are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Documents of YAML.
    #[default]
    Yaml,
    /// One JSON document, a List when there are several objects.
    Json,
}

/// Runs the command.
pub fn run(args: InjectArgs) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    let mut objects = Vec::new();
    for path in &args.filenames {
        for object in read(path)? {
            incomplete(&object).iter().for_each(|words| eprintln!("warning: {}: {words}", path.display()));
            let injected = inject_object(&object, &args.namespace, &config).map_err(|error| {
                let what = format!(
                    "cannot inject {} {}",
                    object["kind"].as_str().unwrap_or("object"),
                    object["metadata"]["name"].as_str().unwrap_or_default()
                );
                StartupError::new(what, &error.message, format!("correct {} in {}", error.field, path.display()))
            })?;
            if injected.is_some() {
                object_warnings(&object).iter().for_each(|words| eprintln!("warning: {}: {words}", path.display()));
            }
            objects.push(injected.unwrap_or(object));
        }
    }
    if objects.is_empty() {
        let files = args.filenames.iter().map(|path| name_of(path)).collect::<Vec<_>>().join(", ");
        eprintln!("warning: there is no object in {files}: nothing is written");
    }
    write(&objects, args.output)?;
    Ok(ExitCode::SUCCESS)
}

impl InjectArgs {
    fn config(&self) -> anyhow::Result<InjectConfig> {
        let mesh = match &self.mesh {
            Some(path) => mesh_of(path)?,
            None => {
                json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": {}})
            }
        };
        let capabilities = Capabilities { kubernetes_minor: self.kubernetes_minor, ..Capabilities::default() };
        let input = MeshInput::from_json(&mesh, &self.weft_namespace, capabilities)
            .map_err(|error| StartupError::new("cannot use the Mesh", error, "correct the fields that are named"))?;
        mesh_warnings(&input.mesh.mesh_config).iter().for_each(|words| eprintln!("warning: {words}"));
        Ok(InjectConfig::new(&input))
    }
}

/// The Mesh in a file.
pub fn mesh_of(path: &Path) -> anyhow::Result<Value> {
    let mut meshes = read(path)?;
    meshes.retain(|object| object["kind"] == "Mesh");
    match (meshes.len(), meshes.pop()) {
        (1, Some(mesh)) => Ok(mesh),
        (found, _) => Err(StartupError::new(
            format!("cannot use {}", path.display()),
            format!("it holds {found} objects of kind Mesh"),
            "name a file with exactly one",
        )
        .into()),
    }
}

/// The objects of a file or of standard input.
pub fn read(path: &Path) -> anyhow::Result<Vec<Value>> {
    let shown = name_of(path);
    let mut text = String::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().read_to_string(&mut text).map(|_| ())
    } else {
        fs::read_to_string(path).map(|content| text = content)
    }
    .map_err(|error| {
        StartupError::new(format!("cannot read {shown}"), error, "name a readable file, or - for standard input")
    })?;
    documents(&text).map_err(|(place, why)| {
        StartupError::new(format!("cannot read {shown}:{place}"), why, "correct the YAML there").into()
    })
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// The objects of a text of YAML documents, or of one of JSON; else `line:column`, both from 1, and what is wrong there.
fn documents(text: &str) -> Result<Vec<Value>, (String, String)> {
    let mut objects = Vec::new();
    for chunk in yaml::split(text) {
        let wrong = |offset: usize, message: String| {
            let before = &text[..text.floor_char_boundary(chunk.range.start + offset)];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            (format!("{line}:{column}"), message)
        };
        let node = yaml::parse(&text[chunk.range.clone()]).map_err(|error| wrong(error.offset, error.message))?;
        match node.map(|node| node.to_value()) {
            None | Some(Value::Null) => {}
            Some(object @ Value::Object(_)) => objects.push(object),
            Some(_) => {
                return Err(wrong(0, "a Kubernetes object is a mapping with apiVersion, kind and metadata".into()));
            }
        }
    }
    Ok(objects)
}

/// Prints objects on standard output.
pub fn write(objects: &[Value], how: Output) -> anyhow::Result<()> {
    let text = match (how, objects) {
        (Output::Yaml, _) => objects.iter().map(weft_install::chart::yaml).collect::<Vec<_>>().join("---\n"),
        (Output::Json, [one]) => format!("{one:#}\n"),
        (Output::Json, several) => format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": several})),
    };
    output::write(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_and_empty_ones_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "---\nkind: Mesh\nmetadata: {name: a}\n---\n---\nkind: Service\n").unwrap();
        assert_eq!(read(file.path()).unwrap().len(), 2);
        assert_eq!(mesh_of(file.path()).unwrap()["metadata"]["name"], "a");
        fs::write(file.path(), "kind: Service\n").unwrap();
        assert!(mesh_of(file.path()).unwrap_err().to_string().contains("0 objects of kind Mesh"));
        fs::write(file.path(), "a: [\n").unwrap();
        assert!(read(file.path()).unwrap_err().is::<StartupError>());
        fs::write(file.path(), "kind: Service\n---\nkind: Pod\n  bad: indent\n").unwrap();
        let told = read(file.path()).unwrap_err().to_string();
        assert!(told.contains(":4:") && told.contains("this is not YAML"), "{told}");
        fs::write(file.path(), "just words\n").unwrap();
        let told = read(file.path()).unwrap_err().to_string();
        assert!(told.contains(":1:1") && told.contains("apiVersion"), "{told}");
    }
}
