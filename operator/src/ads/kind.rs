//! The xDS types that are served, and the order in which they are pushed.

use weft_mesh::type_url;

/// One xDS type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Clusters.
    Cds,
    /// Endpoints.
    Eds,
    /// Listeners.
    Lds,
    /// Route configurations.
    Rds,
    /// Virtual hosts.
    Vhds,
    /// Secrets.
    Sds,
    /// The workload table.
    Wds,
}

impl Kind {
    /// Every kind; a kind's discriminant is its index here.
    pub const ALL: [Self; 7] = [Self::Cds, Self::Eds, Self::Lds, Self::Rds, Self::Vhds, Self::Sds, Self::Wds];

    /// The kind of a type URL.
    pub fn of(type_url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == type_url)
    }

    /// The type URL on the wire.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cds => type_url::CLUSTER,
            Self::Eds => type_url::ENDPOINT,
            Self::Lds => type_url::LISTENER,
            Self::Rds => type_url::ROUTE,
            Self::Vhds => type_url::VIRTUAL_HOST,
            Self::Sds => type_url::SECRET,
            Self::Wds => type_url::WORKLOAD,
        }
    }

    /// The name in metrics and debug pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cds => "cds",
            Self::Eds => "eds",
            Self::Lds => "lds",
            Self::Rds => "rds",
            Self::Vhds => "vhds",
            Self::Sds => "sds",
            Self::Wds => "wds",
        }
    }
}

/// What a step of a push does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends new and changed resources.
    Update,
    /// Takes resources back.
    Remove,
}

/// A push, as stages of steps. Steps of one stage are sent one after the other; a stage begins when everything of the one
/// before was answered, so a route never names a cluster that is not there yet, and no cluster goes before its routes.
pub const STAGES: [&[(Kind, Action)]; 4] = [
    &[
        (Kind::Cds, Action::Update),
        (Kind::Eds, Action::Update),
        (Kind::Sds, Action::Update),
        (Kind::Wds, Action::Update),
    ],
    &[(Kind::Lds, Action::Update), (Kind::Rds, Action::Update), (Kind::Vhds, Action::Update)],
    &[(Kind::Vhds, Action::Remove), (Kind::Rds, Action::Remove), (Kind::Lds, Action::Remove)],
    &[
        (Kind::Wds, Action::Remove),
        (Kind::Sds, Action::Remove),
        (Kind::Eds, Action::Remove),
        (Kind::Cds, Action::Remove),
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_type_and_index() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(Kind::of(kind.type_url()), Some(kind));
        }
        assert_eq!(Kind::of("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"), None);
    }
}
