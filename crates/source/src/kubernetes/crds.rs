//! Which custom kinds an API server serves, and in which version.

use std::collections::BTreeMap;

use kube::Client;
use serde::Deserialize;
use weft_api::{Kind, core::Metadata};

use super::{
    watched::Watched,
    wire::{Body, Read},
};

/// A CustomResourceDefinition without its schemas, which are by far the most of it.
#[derive(Deserialize)]
pub(super) struct Definition {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Spec {
    group: String,
    names: Names,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Names {
    kind: String,
    plural: String,
}

#[derive(Deserialize)]
struct Version {
    name: String,
    served: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl Body for Definition {
    fn identity(&self) -> (&str, &str, Option<&str>) {
        (&self.metadata.name, "", self.metadata.resource_version.as_deref())
    }

    fn read(self, _: &Watched) -> Read {
        let Some(kind) = Kind::of(&self.spec.group, &self.spec.names.kind) else { return Read::Nothing };
        if self.spec.names.plural != kind.plural() || !is_custom(kind) {
            return Read::Nothing;
        }
        let conditions = self.status.conditions.unwrap_or_default();
        let established =
            conditions.iter().any(|condition| condition.r#type == "Established" && condition.status == "True");
        let served = |version: &str| self.spec.versions.iter().any(|v| v.served && v.name == version);
        let version = established.then(|| kind.versions().iter().copied().find(|version| served(version))).flatten();
        Read::Serves(kind, version)
    }
}

/// Whether a CustomResourceDefinition defines the kind; Kubernetes brings the others itself.
fn is_custom(kind: Kind) -> bool {
    Kind::owns_group(kind.group()) && kind != Kind::EndpointSlice
}

/// The same by asking what the API server serves, which everybody may.
pub(super) async fn discover(client: &Client) -> kube::Result<BTreeMap<Kind, &'static str>> {
    let mut found = BTreeMap::new();
    let custom: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| is_custom(*kind)).collect();
    for group in client.list_api_groups().await?.groups {
        if !custom.iter().any(|kind| kind.group() == group.name) {
            continue;
        }
        for version in &group.versions {
            let resources = client.list_api_group_resources(&version.group_version).await?.resources;
            for kind in custom.iter().copied().filter(|kind| kind.group() == group.name) {
                let Some(rank) = kind.versions().iter().position(|known| *known == version.version) else { continue };
                if !resources.iter().any(|resource| resource.name == kind.plural()) {
                    continue;
                }
                let best = found.entry(kind).or_insert(kind.versions()[rank]);
                if kind.versions().iter().position(|known| known == best).is_some_and(|known| rank < known) {
                    *best = kind.versions()[rank];
                }
            }
        }
    }
    Ok(found)
}
