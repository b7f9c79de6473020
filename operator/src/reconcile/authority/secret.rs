//! The authority's Secret itself: made, and as each step of a rotation leaves it.

use std::collections::BTreeSet;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{ResourceExt, api::ObjectMeta};
use time::OffsetDateTime;
use weft_install::names;

use super::{
    super::rotation::{self, Phase, State, Step},
    Wish,
};
use crate::ca::{
    plugged::{CHAIN, ISSUER, KEY, ROOTS},
    root,
};

/// The next root while it is not signing yet.
const NEXT_CERT: &str = "next-cert.pem";
/// Its key.
pub(super) const NEXT_KEY: &str = "next-key.pem";

/// Where a rotation stands by the Secret's own account.
pub(super) fn state_of(secret: &Secret) -> State {
    let written = secret.annotations().get(rotation::STATE);
    written.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// An empty Secret of the authority's, which goes with the last Mesh.
pub(super) fn secret_of(wish: &Wish<'_>, name: &str) -> Secret {
    let labels = [
        ("app.kubernetes.io/managed-by", names::FIELD_MANAGER),
        ("app.kubernetes.io/part-of", "weft"),
        (names::COMPONENT_LABEL, "certificate-authority"),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(wish.namespace.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".into()),
        ..Secret::default()
    }
}

/// A new authority's.
pub(super) fn create(wish: &Wish<'_>) -> Result<Secret, rcgen::Error> {
    let (certificate, key) = root::self_signed(&wish.terms.trust_domain, root::LIFETIME)?;
    let state = State { served: wish.requests.clone(), ..State::default() };
    let mut secret = secret_of(wish, names::CA_SECRET);
    put(&mut secret, ISSUER, &certificate);
    put(&mut secret, KEY, &key.serialize_pem());
    put(&mut secret, ROOTS, &certificate);
    put(&mut secret, CHAIN, "");
    remember(&mut secret, &state);
    Ok(secret)
}

/// The Secret after a step; `None` when it stays.
pub(super) fn take(
    secret: &Secret,
    state: &State,
    step: Step,
    wish: &Wish<'_>,
) -> Result<Option<Secret>, rcgen::Error> {
    let mut next = secret.clone();
    let text = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[][..], |value| &value.0);
        String::from_utf8_lossy(bytes).trim_end().to_owned()
    };
    let since = OffsetDateTime::now_utc().replace_nanosecond(0).ok();
    let mut state = State { since, ..state.clone() };
    match step {
        Step::Stay => return Ok(None),
        Step::Spread => {
            let (certificate, key) = root::self_signed(&wish.terms.trust_domain, root::LIFETIME)?;
            put(&mut next, NEXT_CERT, &certificate);
            put(&mut next, NEXT_KEY, &key.serialize_pem());
            put(&mut next, ROOTS, &format!("{}\n{certificate}", text(ISSUER)));
            (state.phase, state.served) = (Phase::Spreading, wish.requests.clone());
        }
        // Somebody took the new key away: begin again.
        Step::Switch if text(NEXT_KEY).is_empty() || text(NEXT_CERT).is_empty() => {
            put(&mut next, ROOTS, &text(ISSUER));
            (state.phase, state.served) = (Phase::Steady, BTreeSet::new());
        }
        Step::Switch => {
            put(&mut next, ROOTS, &format!("{}\n{}", text(NEXT_CERT), text(ISSUER)));
            put(&mut next, ISSUER, &text(NEXT_CERT));
            put(&mut next, KEY, &text(NEXT_KEY));
            put(&mut next, CHAIN, "");
            forget(&mut next);
            state.phase = Phase::Overlap;
        }
        Step::Drop => {
            put(&mut next, ROOTS, &text(ISSUER));
            forget(&mut next);
            state.phase = Phase::Steady;
        }
    }
    remember(&mut next, &state);
    Ok(Some(next))
}

fn put(secret: &mut Secret, key: &str, text: &str) {
    let text = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    secret.data.get_or_insert_default().insert(key.to_owned(), ByteString(text.into_bytes()));
}

/// Takes the next root out.
pub(super) fn forget(secret: &mut Secret) {
    if let Some(data) = &mut secret.data {
        data.remove(NEXT_CERT);
        data.remove(NEXT_KEY);
    }
}

fn remember(secret: &mut Secret, state: &State) {
    if let Ok(text) = serde_json::to_string(state) {
        secret.annotations_mut().insert(rotation::STATE.to_owned(), text);
    }
}
