//! The certificate authority's Secret: made when there is none, rotated when asked or old.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use time::OffsetDateTime;
use weft_install::names;

use super::{
    cluster::Cluster,
    conditions::{AuthorityFacts, date},
    fleet,
    problem::{Problem, Reason},
    rotation::{self, Phase, State, Step},
};
use crate::{
    ads::roots,
    ca::{
        Authority, cluster as ca_cluster,
        cluster::{Secrets, Terms},
        plugged::{CHAIN, ISSUER, KEY, ROOTS},
        root,
    },
};

/// The next root while it is not signing yet.
const NEXT_CERT: &str = "next-cert.pem";
/// Its key.
const NEXT_KEY: &str = "next-key.pem";

/// The authority as it is after a look.
pub struct Present {
    /// Every trusted root, PEM; empty when none can be used.
    pub roots: String,
    /// For the status.
    pub facts: AuthorityFacts,
}

/// What a look at the authority depends on.
pub struct Wish<'w> {
    /// Namespace of the installation.
    pub namespace: &'w str,
    /// Trust domain and lifetime of leaves.
    pub terms: &'w Terms,
    /// Requests for a rotation, each `<UID of the Mesh>:<value>`.
    pub requests: BTreeSet<String>,
    /// Version of the roots that every namespace's ConfigMap has.
    pub spread: Option<String>,
}

/// Makes the authority when there is none, and takes at most one step of a rotation.
pub async fn ensure(cluster: &Cluster, wish: &Wish<'_>) -> Result<Present, Problem> {
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), wish.namespace);
    let get = async |name: &str| {
        let doing = format!("read Secret {}/{name}", wish.namespace);
        cluster.ask(&doing, secrets.get_opt(name)).await
    };
    let plugged_in = get(names::PLUGGED_IN_CA_SECRET).await?.map(Arc::new);
    let own = get(names::CA_SECRET).await?;
    if plugged_in.is_some() {
        return Ok(present(&Secrets { plugged_in, own: own.map(Arc::new) }, wish.terms, None));
    }
    let Some(secret) = own else {
        let fresh = create(wish).map_err(|error| cannot_make(&error))?;
        let doing = format!("create Secret {}/{}", wish.namespace, names::CA_SECRET);
        let made = cluster.ask(&doing, secrets.create(&PostParams::default(), &fresh)).await?;
        tracing::info!(secret = names::CA_SECRET, "made the mesh's certificate authority");
        return Ok(present(&Secrets::own(made), wish.terms, None));
    };
    let Ok(authority) = ca_cluster::read(&secret, wish.terms) else {
        return Ok(present(&Secrets::own(secret), wish.terms, None));
    };
    let state = state_of(&secret);
    let everybody = match state.phase {
        Phase::Spreading => everybody_trusts(cluster, wish, &authority).await,
        _ => None,
    };
    let facts = rotation::Facts {
        requests: wish.requests.clone(),
        valid: authority.issuer_validity(),
        ttl: wish.terms.max_ttl,
        everybody_has_bundle: everybody,
    };
    let step = rotation::step(&state, &facts, OffsetDateTime::now_utc());
    let Some(changed) = take(&secret, &state, step, wish).map_err(|error| cannot_make(&error))? else {
        let waits = waits_for(&state, everybody, wish.terms.max_ttl);
        return Ok(present(&Secrets::own(secret), wish.terms, waits));
    };
    let doing = format!("write Secret {}/{}", wish.namespace, names::CA_SECRET);
    // The resource version that was read: two that rotate at once cannot lose a key.
    let written = cluster.ask(&doing, secrets.replace(names::CA_SECRET, &PostParams::default(), &changed)).await?;
    let state = state_of(&written);
    tracing::info!(phase = ?state.phase, "root rotation goes on");
    Ok(present(&Secrets::own(written), wish.terms, waits_for(&state, None, wish.terms.max_ttl)))
}

async fn everybody_trusts(cluster: &Cluster, wish: &Wish<'_>, authority: &Authority) -> Option<bool> {
    let wanted = roots::version(authority);
    if wish.spread.as_ref() != Some(&wanted) {
        return Some(false);
    }
    fleet::survey(cluster, wish.namespace, None).await.ok()?.everybody_has(&wanted)
}

fn cannot_make(error: &rcgen::Error) -> Problem {
    Problem::new(Reason::InvalidAuthority, format!("cannot make a root certificate: {error}; trying again"))
}

fn present(secrets: &Secrets, terms: &Terms, rotation: Option<String>) -> Present {
    let usable = match secrets.authority(terms) {
        Some(Ok(authority)) => Ok(authority.issuer_not_after()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("there is no certificate authority".to_owned()),
    };
    Present { roots: secrets.trusted().unwrap_or_default(), facts: AuthorityFacts { usable, rotation } }
}

/// Where a rotation stands by the Secret's own account.
pub fn state_of(secret: &Secret) -> State {
    let written = secret.annotations().get(rotation::STATE);
    written.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn waits_for(state: &State, everybody: Option<bool>, ttl: Duration) -> Option<String> {
    let end = date(rotation::ends(state, ttl)?);
    Some(match (state.phase, everybody) {
        (Phase::Spreading, Some(false)) => {
            format!("waiting until every proxy has confirmed both roots, at the latest at {end}")
        }
        (Phase::Spreading, _) => format!("both roots are being told to every proxy, until {end} at the latest"),
        _ => format!("the new root signs; the old one is trusted until {end}, when its last certificate has run out"),
    })
}

fn create(wish: &Wish<'_>) -> Result<Secret, rcgen::Error> {
    let (certificate, key) = root::self_signed(&wish.terms.trust_domain, root::LIFETIME)?;
    let labels = [
        ("app.kubernetes.io/managed-by", names::FIELD_MANAGER),
        ("app.kubernetes.io/part-of", "weft"),
        (names::COMPONENT_LABEL, "certificate-authority"),
    ];
    let state = State { served: wish.requests.clone(), ..State::default() };
    let mut secret = Secret {
        metadata: ObjectMeta {
            name: Some(names::CA_SECRET.to_owned()),
            namespace: Some(wish.namespace.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".into()),
        ..Secret::default()
    };
    put(&mut secret, ISSUER, &certificate);
    put(&mut secret, KEY, &key.serialize_pem());
    put(&mut secret, ROOTS, &certificate);
    put(&mut secret, CHAIN, "");
    remember(&mut secret, &state);
    Ok(secret)
}

/// The Secret after a step; `None` when it stays.
fn take(secret: &Secret, state: &State, step: Step, wish: &Wish<'_>) -> Result<Option<Secret>, rcgen::Error> {
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

fn forget(secret: &mut Secret) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_trusts_what_the_step_before_signed_with() {
        let terms = Terms { trust_domain: "cluster.local".into(), max_ttl: Duration::from_secs(3600) };
        let wish =
            Wish { namespace: "weft-system", terms: &terms, requests: ["uid:1".to_owned()].into(), spread: None };
        let steady = create(&wish).unwrap();
        let read = |secret: &Secret| ca_cluster::read(secret, &terms).unwrap();
        let old = read(&steady);
        assert_eq!((old.roots().len(), state_of(&steady).phase), (1, Phase::Steady));
        assert_eq!(state_of(&steady).served, wish.requests, "a new root is rotated enough");
        assert!(take(&steady, &state_of(&steady), Step::Stay, &wish).unwrap().is_none());

        let spreading = take(&steady, &state_of(&steady), Step::Spread, &wish).unwrap().unwrap();
        let both = read(&spreading);
        assert_eq!((both.roots().len(), both.root_hash()), (2, old.root_hash()), "the old one signs");
        let overlap = take(&spreading, &state_of(&spreading), Step::Switch, &wish).unwrap().unwrap();
        let new = read(&overlap);
        assert!(new.root_hash() != old.root_hash() && new.trusts_root_hash(&old.root_hash()));
        assert_eq!(roots::version(&both), roots::version(&new), "the change of signer changes no bundle");
        assert!(!overlap.data.as_ref().unwrap().contains_key(NEXT_KEY));
        let dated = State { since: Some(OffsetDateTime::UNIX_EPOCH), ..state_of(&overlap) };
        let waits = waits_for(&dated, None, Duration::from_secs(3600)).unwrap();
        assert!(waits.contains("until 1970-01-01T01:02:00Z, when"), "{waits}");
        let done = take(&overlap, &state_of(&overlap), Step::Drop, &wish).unwrap().unwrap();
        assert_eq!((read(&done).roots().len(), read(&done).root_hash()), (1, new.root_hash()));
        assert_eq!(state_of(&done).phase, Phase::Steady);

        let mut robbed = spreading;
        forget(&mut robbed);
        let again = take(&robbed, &state_of(&robbed), Step::Switch, &wish).unwrap().unwrap();
        assert_eq!((state_of(&again).phase, read(&again).root_hash()), (Phase::Steady, old.root_hash()));
    }
}
