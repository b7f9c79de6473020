//! Whether plaintext is accepted.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use weft_model::wizard::{Add, Control, FormRow, Part};

use super::{
    Change, Form,
    doc::{get, new, set, text},
    field::{With as _, field, line, number_fault, plain},
    scene::Scene,
};

const MODES: [(&str, &str); 4] = [
    ("", "As the wider policy says"),
    ("STRICT", "STRICT: mutual TLS only"),
    ("PERMISSIVE", "PERMISSIVE: mutual TLS and plaintext"),
    ("DISABLE", "DISABLE: plaintext only"),
];

/// The form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Peer {
    mode: String,
    ports: Vec<Port>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Port {
    /// Of the workload.
    port: Option<f64>,
    mode: String,
}

fn modes() -> impl Iterator<Item = (String, String)> {
    MODES.into_iter().map(|(value, words)| (value.to_owned(), words.to_owned()))
}

fn mode_fault(mode: &str) -> Option<String> {
    let known = mode == "UNSET" || MODES.iter().any(|(value, _)| *value == mode);
    (!known).then(|| "Choose one of the modes.".to_owned())
}

fn document(scene: &Scene) -> Value {
    scene.peer.as_ref().map_or_else(
        || {
            let name = if scene.name.is_empty() { "default" } else { &scene.name };
            let mut spec = json!({});
            set(&mut spec, &["selector", "matchLabels"], json!(scene.selector));
            new("PeerAuthentication", &scene.namespace, name, spec)
        },
        |document| document.value.clone(),
    )
}

impl Form for Peer {
    fn start(scene: &Scene) -> Self {
        let document = document(scene);
        let ports = get(&document, &["spec", "portLevelMtls"]).as_object().cloned().unwrap_or_default();
        let port = |(port, value): (String, Value)| Port { port: port.parse().ok(), mode: text(&value, &["mode"]) };
        Self { mode: text(&document, &["spec", "mtls", "mode"]), ports: ports.into_iter().map(port).collect() }
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let whom = match (scene.name.as_str(), scene.root) {
            ("", true) => "all workloads of the mesh".to_owned(),
            ("", false) => format!("all workloads of {}", scene.namespace),
            (name, _) => format!("the workloads of {name}"),
        };
        let mode = field("/mode", "Accepts", Control::Choice).offers(modes()).wrong(mode_fault(&self.mode));
        let about = format!("What {whom} accept from others.");
        let mut parts = vec![Part { title: "Connections".into(), about, rows: vec![line([mode])], ..Part::default() }];
        if !scene.selector.is_empty() {
            let row = |(index, port): (usize, &Port)| {
                let at = |name: &str| format!("/ports/{index}/{name}");
                let twice =
                    self.ports.iter().filter(|other| other.port.is_some() && other.port == port.port).count() > 1;
                let fault = match port.port {
                    None => Some("Write the port's number.".to_owned()),
                    Some(_) if twice => Some("This port stands here twice.".to_owned()),
                    number => number_fault(number, 1.0..=65_535.0, true),
                };
                let known: Vec<String> = scene.ports.iter().map(u16::to_string).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let number = field(at("port"), "Port", Control::Number).offers(plain(&known)).wrong(fault);
                let mode = field(at("mode"), "accepts", Control::Choice).offers(modes()).wrong(mode_fault(&port.mode));
                FormRow { fields: vec![number, mode], remove: Some(format!("/ports/{index}")) }
            };
            parts.push(Part {
                title: "Single ports".into(),
                about: "Of the workload, not of its Service.".into(),
                rows: self.ports.iter().enumerate().map(row).collect(),
                adds: vec![Add {
                    label: "Add a port".into(),
                    at: "/ports".into(),
                    item: json!({ "port": scene.ports.first(), "mode": "PERMISSIVE" }),
                }],
                remove: None,
            });
        }
        parts
    }

    fn notes(&self, scene: &Scene) -> Vec<String> {
        let mut notes = Vec::new();
        if self.mode == "STRICT" {
            notes.push("Callers without a proxy cannot connect any more. The graph shows who still calls in plaintext: look for open locks.".to_owned());
        }
        if scene.name.is_empty() && scene.root {
            notes.push("This is the mesh's root namespace: what stands here holds in every namespace that has none of its own.".to_owned());
        }
        notes
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let mut value = document(scene);
        let before = value.clone();
        let present = get(&value, &["spec", "portLevelMtls"]).clone();
        set(&mut value, &["spec", "mtls", "mode"], json!(self.mode));
        let mut ports = Map::new();
        for port in &self.ports {
            let Some(number) = port.port else { continue };
            let number = format!("{number}");
            let mut own = present.get(&number).cloned().unwrap_or_else(|| json!({}));
            set(&mut own, &["mode"], json!(port.mode));
            ports.insert(number, own);
        }
        set(&mut value, &["spec", "portLevelMtls"], Value::Object(ports));
        if scene.peer.is_none() && value == before {
            return Vec::new();
        }
        vec![Change { title: "Peer authentication".into(), of: scene.peer.clone(), value }]
    }
}
