//! Nodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    REGION_LABEL, SUBZONE_LABEL, ZONE_LABEL,
    manifest::{Manifest, Metadata, said, shared},
};
use crate::{Kind, Object, Spec};

/// What `topology.kubernetes.io/…` was called before; some clusters still have nothing else.
const OLD_REGION_LABEL: &str = "failure-domain.beta.kubernetes.io/region";
const OLD_ZONE_LABEL: &str = "failure-domain.beta.kubernetes.io/zone";

/// A node, as far as the mesh reads it: where it stands. Each part is empty when it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Region.
    pub region: Arc<str>,
    /// Zone.
    pub zone: Arc<str>,
    /// Place within the zone.
    pub subzone: Arc<str>,
}

impl Node {
    /// `region/zone/subzone` without the parts that are missing at its end; empty when nothing is known.
    pub fn locality(&self) -> String {
        format!("{}/{}/{}", self.region, self.zone, self.subzone).trim_end_matches('/').to_owned()
    }
}

/// A node as an API server sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeManifest {
    metadata: Metadata,
}

impl Manifest for NodeManifest {
    const KIND: Kind = Kind::Node;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self, default_namespace: &str) -> Object {
        let label = |names: [&str; 2]| shared(names.iter().find_map(|name| self.metadata.label(name)));
        let node = Node {
            region: label([REGION_LABEL, OLD_REGION_LABEL]),
            zone: label([ZONE_LABEL, OLD_ZONE_LABEL]),
            subzone: label([SUBZONE_LABEL, SUBZONE_LABEL]),
        };
        let said = said(&node);
        self.metadata.object(Self::KIND, default_namespace, |_| false, |_| false, (Spec::Node(Arc::new(node)), said))
    }
}
