//! The certificate authority's Secret: made when there is none, rotated when asked or old. What signed before is kept in the
//! ledger, whatever becomes of its Secret.

mod secret;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::PostParams};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use weft_install::names;

use self::secret::{create, secret_of, state_of, take};
use super::{
    cluster::Cluster,
    conditions::{AuthorityFacts, date},
    fleet, injected, install,
    problem::{Problem, Reason},
    rotation::{self, Phase, State, Step},
};
use crate::{
    ads::roots,
    ca::{
        Authority, cluster as ca_cluster,
        cluster::{Secrets, Terms},
        ledger::{Kept, Ledger},
    },
};

/// How long it takes at most, as a rule, until a node's kubelet has brought a changed ConfigMap into its pods.
const SPREADS: Duration = Duration::from_secs(120);

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
    /// Revisions of all Meshes, whose proxies have to know a root before it signs.
    pub revisions: BTreeSet<String>,
}

/// Makes the authority when there is none, takes at most one step of a rotation, and keeps the ledger of roots.
pub async fn ensure(cluster: &Cluster, wish: &Wish<'_>) -> Result<Present, Problem> {
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), wish.namespace);
    let get = async |name: &str| {
        let doing = format!("read Secret {}/{name}", wish.namespace);
        let found = cluster.ask(&doing, secrets.get_opt(name)).await?;
        Ok::<_, Problem>(found.map(Arc::new))
    };
    let mut all = Secrets {
        plugged_in: get(names::PLUGGED_IN_CA_SECRET).await?,
        own: get(names::CA_SECRET).await?,
        ledger: get(names::ROOTS_SECRET).await?,
    };
    // Who signed before there was a ledger, or beside one that was taken away, may have issued for longer than today.
    let unknown = all.ledger.as_deref().and_then(Ledger::read).is_none() && all.chosen().is_some();
    let lifetime = if unknown { wish.terms.max_ttl.max(install::DEFAULT_TTL) } else { wish.terms.max_ttl };
    if all.chosen().is_none() {
        let fresh = create(wish).map_err(|error| cannot_make(&error))?;
        let doing = format!("create Secret {}/{}", wish.namespace, names::CA_SECRET);
        let made = cluster.ask(&doing, secrets.create(&PostParams::default(), &fresh)).await?;
        tracing::info!(secret = names::CA_SECRET, "made the mesh's certificate authority");
        all.own = Some(Arc::new(made));
    }
    // Before anything is signed for longer, and before a step that asks for how long.
    record(&secrets, cluster, wish, &mut all, lifetime, &[]).await?;
    let Some(secret) = all.own.clone().filter(|_| all.plugged_in.is_none()) else {
        return Ok(present(&all, wish.terms, None));
    };
    let Ok(authority) = ca_cluster::read(&secret, wish.terms) else {
        return Ok(present(&all, wish.terms, None));
    };
    let validity = authority.issuer_validity();
    let longest = all.remembered().longest(authority.roots()).unwrap_or_default().max(lifetime);
    let state = state_of(&secret);
    let spreads = state.phase == Phase::Spreading;
    let awaited = if spreads {
        let told = all.authority(wish.terms).and_then(Result::ok).unwrap_or(authority);
        awaited(cluster, wish, &told).await
    } else {
        None
    };
    let facts = rotation::Facts {
        requests: wish.requests.clone(),
        valid: validity,
        ttl: longest,
        everybody_has_bundle: spreads && awaited.is_none(),
    };
    let step = rotation::step(&state, &facts, OffsetDateTime::now_utc());
    let Some(changed) = take(&secret, &state, step.clone(), wish).map_err(|error| cannot_make(&error))? else {
        return Ok(present(&all, wish.terms, waits_for(&state, awaited.as_deref(), longest)));
    };
    let doing = format!("write Secret {}/{}", wish.namespace, names::CA_SECRET);
    // The resource version that was read: two that rotate at once cannot lose a key.
    let written = cluster.ask(&doing, secrets.replace(names::CA_SECRET, &PostParams::default(), &changed)).await?;
    let state = state_of(&written);
    tracing::info!(phase = ?state.phase, "root rotation goes on");
    let before = all.named();
    all.own = Some(Arc::new(written));
    let now = all.named();
    // The rotation has waited for these.
    let over: Vec<_> = before.into_iter().filter(|root| step == Step::Drop && !now.contains(root)).collect();
    record(&secrets, cluster, wish, &mut all, wish.terms.max_ttl, &over).await?;
    Ok(present(&all, wish.terms, waits_for(&state, None, longest)))
}

/// Brings the ledger up to date: who signs, for how long at the longest, and what is over.
async fn record(
    secrets: &Api<Secret>,
    cluster: &Cluster,
    wish: &Wish<'_>,
    all: &mut Secrets,
    lifetime: Duration,
    over: &[CertificateDer<'static>],
) -> Result<(), Problem> {
    let before = all.remembered();
    let ledger = noted(&before, all, wish.terms, lifetime, over, OffsetDateTime::now_utc());
    if ledger == before {
        return Ok(());
    }
    let mut secret = all.ledger.as_deref().cloned().unwrap_or_else(|| secret_of(wish, names::ROOTS_SECRET));
    let failed =
        |error: serde_json::Error| Problem::new(Reason::InvalidAuthority, format!("cannot note roots: {error}"));
    ledger.write(&mut secret).map_err(failed)?;
    let doing = format!("write Secret {}/{}", wish.namespace, names::ROOTS_SECRET);
    let params = PostParams::default();
    let written = match &all.ledger {
        Some(_) => cluster.ask(&doing, secrets.replace(names::ROOTS_SECRET, &params, &secret)).await?,
        None => cluster.ask(&doing, secrets.create(&params, &secret)).await?,
    };
    all.ledger = Some(Arc::new(written));
    Ok(())
}

/// The ledger as it should be. An authority that cannot be read signs nothing: replicas go on with the one before.
fn noted(
    before: &Ledger,
    all: &Secrets,
    terms: &Terms,
    lifetime: Duration,
    over: &[CertificateDer<'static>],
    now: OffsetDateTime,
) -> Ledger {
    let mut ledger = before.clone();
    if let Some(Ok(authority)) = all.authority(terms)
        && let Some(signer) = authority.roots().first()
    {
        ledger.signs(signer, lifetime, now);
    }
    ledger.forget(over);
    ledger.expire(&all.named(), now);
    ledger
}

/// What keeps the new root from signing: who has not confirmed the roots of `authority`, as half a sentence. Nothing when
/// everybody has.
async fn awaited(cluster: &Cluster, wish: &Wish<'_>, authority: &Authority) -> Option<String> {
    let wanted = roots::version(authority);
    if wish.spread.as_ref() != Some(&wanted) {
        return Some(format!("ConfigMap {} does not have both in every namespace yet", names::ROOT_CONFIG_MAP));
    }
    // Who is connected is asked before who runs: a pod that starts meanwhile is waited for.
    let survey = match fleet::survey(cluster, wish.namespace, None).await {
        Ok(survey) => survey,
        Err(problem) => return Some(problem.message),
    };
    if let Some(why) = survey.awaits(&wanted, 0) {
        return Some(why);
    }
    match injected::running(cluster, &wish.revisions).await {
        Ok(pods) => survey.awaits(&wanted, pods),
        Err(problem) => Some(problem.message),
    }
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
    let kept = secrets.remembered().kept(&secrets.named());
    let spreading = kept.as_ref().and_then(|kept| spreading(kept, OffsetDateTime::now_utc()));
    let facts = AuthorityFacts { usable, rotation, kept: kept.map(kept_for), spreading };
    Present { roots: secrets.trusted().unwrap_or_default(), facts }
}

/// What proxies wait for right after a root took another's place without a rotation, which would have told it first: those
/// that are connected are told at once, others cannot know the control plane before their node has told them.
fn spreading(kept: &Kept, now: OffsetDateTime) -> Option<String> {
    let since = kept.since.filter(|since| now < *since + SPREADS)?;
    Some(format!(
        "another root signs since {}: until {} a proxy that starts or connects anew may have to wait until its node has \
         renewed ConfigMap {} in its pod; what is connected goes on",
        date(since),
        date(since + SPREADS),
        names::ROOT_CONFIG_MAP
    ))
}

fn kept_for(kept: Kept) -> String {
    let (count, are) =
        if kept.roots == 1 { ("1 root".to_owned(), "is") } else { (format!("{} roots", kept.roots), "are") };
    let until = match kept.until {
        Some(end) => format!("until {}, when the last certificate under it has run out", date(end)),
        None => "until another one signs and the last certificate under it has run out".to_owned(),
    };
    format!(
        "{count} that signed before {are} in Secret {} or {} no more and {are} trusted {until}; to trust no such root from now \
         on, delete Secret {}",
        names::PLUGGED_IN_CA_SECRET,
        names::CA_SECRET,
        names::ROOTS_SECRET
    )
}

fn waits_for(state: &State, awaited: Option<&str>, ttl: Duration) -> Option<String> {
    let end = date(rotation::ends(state, ttl)?);
    Some(match (state.phase, awaited) {
        (Phase::Spreading, Some(why)) => {
            format!("waiting until every proxy has confirmed both roots, at the latest at {end}: {why}")
        }
        (Phase::Spreading, _) => format!("both roots are being told to every proxy, until {end} at the latest"),
        _ => format!("the new root signs; the old one is trusted until {end}, when its last certificate has run out"),
    })
}

#[cfg(test)]
mod tests {
    use super::{
        secret::{NEXT_KEY, forget},
        *,
    };
    use crate::ca::ledger;

    fn wish(terms: &Terms) -> Wish<'_> {
        Wish { namespace: "weft-system", terms, requests: BTreeSet::new(), spread: None, revisions: BTreeSet::new() }
    }

    #[test]
    fn every_step_trusts_what_the_step_before_signed_with() {
        let terms = Terms { trust_domain: "cluster.local".into(), max_ttl: Duration::from_secs(3600) };
        let wish = Wish { requests: ["uid:1".to_owned()].into(), ..wish(&terms) };
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
        let dated = State { since: Some(OffsetDateTime::UNIX_EPOCH), ..state_of(&spreading) };
        let waits = waits_for(&dated, Some("1 of 2 pods"), Duration::from_secs(3600)).unwrap();
        assert!(waits.ends_with("at the latest at 1970-01-01T01:00:00Z: 1 of 2 pods"), "{waits}");
        let done = take(&overlap, &state_of(&overlap), Step::Drop, &wish).unwrap().unwrap();
        assert_eq!((read(&done).roots().len(), read(&done).root_hash()), (1, new.root_hash()));
        assert_eq!(state_of(&done).phase, Phase::Steady);

        let mut robbed = spreading;
        forget(&mut robbed);
        let again = take(&robbed, &state_of(&robbed), Step::Switch, &wish).unwrap().unwrap();
        assert_eq!((state_of(&again).phase, read(&again).root_hash()), (Phase::Steady, old.root_hash()));
    }

    #[test]
    fn what_was_issued_for_longer_is_waited_for() {
        let hours = |hours| Duration::from_secs(hours * 3600);
        let terms = |hours_long| Terms { trust_domain: "cluster.local".into(), max_ttl: hours(hours_long) };
        let (day, short) = (terms(24), terms(1));
        let at = |hour: u64| OffsetDateTime::UNIX_EPOCH + hours(hour);
        let (start, noon, night) = (at(0), at(12), at(36) + ledger::SLACK);
        let first = create(&wish(&day)).unwrap();
        let only = |secret: &Secret| Secrets { own: Some(Arc::new(secret.clone())), ..Secrets::default() };
        let issued = noted(&Ledger::default(), &only(&first), &day, day.max_ttl, &[], start);
        let lowered = noted(&issued, &only(&first), &short, short.max_ttl, &[], noon);
        assert_eq!(lowered, issued, "nothing to write");
        let old = ca_cluster::read(&first, &day).unwrap().roots().to_vec();
        assert_eq!(lowered.longest(&old), Some(hours(24)));

        // The Secret is deleted, and another one made in its place.
        let second = create(&wish(&short)).unwrap();
        let replaced = noted(&lowered, &only(&second), &short, short.max_ttl, &[], noon);
        let named = only(&second).named();
        let kept = replaced.kept(&named).unwrap();
        assert_eq!(kept, Kept { roots: 1, until: Some(night), since: Some(noon) });
        let soon = spreading(&kept, noon + Duration::from_secs(119)).unwrap();
        assert!(soon.contains(&format!("since {}", date(noon))) && soon.contains("weft-ca-root-cert"), "{soon}");
        assert_eq!(spreading(&kept, noon + SPREADS), None);
        let text = kept_for(kept);
        assert!(text.contains(&date(night)) && text.contains("delete Secret weft-ca-roots"), "{text}");
        assert_eq!(noted(&replaced, &only(&second), &short, short.max_ttl, &[], night).kept(&named), None);
        // A rotation has waited already.
        assert_eq!(noted(&replaced, &only(&second), &short, short.max_ttl, &old, noon).kept(&named), None);
        // One that is of no use stops nobody.
        let useless = Secrets { plugged_in: Some(Arc::new(Secret::default())), ..only(&first) };
        assert_eq!(noted(&issued, &useless, &short, short.max_ttl, &[], noon), issued);
    }
}
