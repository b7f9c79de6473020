use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, SanType,
};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use time::OffsetDateTime;
use weft_model::SpiffeId;

use super::{
    Authority, SignError, StateDir, TokenStore,
    tokens::{JoinToken, NewToken, RedeemError},
};
use crate::server::peer;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn state() -> (TempDir, StateDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path().join("state")).unwrap();
    (dir, state)
}

fn order() -> SpiffeId {
    SpiffeId::new("cluster.local", "shop", "order-service")
}

fn csr(params: CertificateParams, key: &KeyPair) -> String {
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn plain_csr() -> String {
    csr(CertificateParams::default(), &KeyPair::generate().unwrap())
}

fn seconds_left(leaf: &CertificateDer<'_>, now: OffsetDateTime) -> i64 {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).unwrap();
    parsed.validity().not_after.timestamp() - now.unix_timestamp()
}

#[test]
fn root_is_created_once_private_and_found_again() {
    let (dir, state) = state();
    let first = Authority::load_or_create(&state, "cluster.local", DAY).unwrap();
    let second = Authority::load_or_create(&state, "cluster.local", DAY).unwrap();
    assert_eq!(first.root_hash(), second.root_hash());
    assert!(second.trusts_root_hash(&first.root_hash()));
    let mode = |path: &str| fs::metadata(dir.path().join("state").join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca"), mode("ca/root.key"), mode("")), (0o700, 0o600, 0o700));
}

#[test]
fn concurrent_first_starts_agree_on_one_root() {
    let (_dir, state) = state();
    let hashes: Vec<_> = std::thread::scope(|scope| {
        let start = || Authority::load_or_create(&state, "cluster.local", DAY).unwrap().root_hash();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn open_or_broken_keys_are_refused_with_the_remedy() {
    let (dir, state) = state();
    Authority::load_or_create(&state, "cluster.local", DAY).unwrap();
    let key = dir.path().join("state/ca/root.key");
    let refusal = || Authority::load_or_create(&state, "cluster.local", DAY).err().unwrap().to_string();

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal().contains("chmod 600"), "{}", refusal());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    fs::write(&key, "not a key").unwrap();
    assert!(refusal().contains("PKCS#8"), "{}", refusal());
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(refusal().contains("belongs to another"), "{}", refusal());
    fs::remove_file(&key).unwrap();
    assert!(refusal().contains("is missing"), "{}", refusal());
    assert!(!refusal().contains('\n'));
}

#[test]
fn a_certificate_says_only_who_was_authenticated() {
    let (_dir, state) = state();
    let ca = Authority::load_or_create(&state, "cluster.local", DAY).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["payment.example".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::URI("spiffe://cluster.local/ns/admin/sa/root".try_into().unwrap()));
    params.distinguished_name.push(DnType::CommonName, "somebody else");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];

    let checked = Authority::check_csr(&csr(params, &key)).unwrap();
    let now = OffsetDateTime::now_utc();
    let issued = ca.sign(&checked, &order(), Duration::from_secs(3600), now).unwrap();
    assert_eq!(peer::identity(&issued.leaf, "cluster.local"), Some(order()));
    assert_eq!(peer::identity(&issued.leaf, "another.domain"), None);

    let (_, leaf) = x509_parser::parse_x509_certificate(&issued.leaf).unwrap();
    assert_eq!(leaf.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 1);
    assert!(leaf.subject().iter().next().is_none(), "subject is empty");
    assert!(!leaf.is_ca());
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && extended.server_auth && !extended.any);
    assert_eq!(leaf.validity().not_before.timestamp(), now.unix_timestamp() - 60);
    let (_, root) = x509_parser::parse_x509_certificate(&ca.roots()[0]).unwrap();
    leaf.verify_signature(Some(root.public_key())).unwrap();
    assert_eq!(leaf.public_key().raw, rcgen::PublicKeyData::subject_public_key_info(&key));
}

#[test]
fn lifetimes_are_capped_and_floored() {
    let (_dir, state) = state();
    let ca = Authority::load_or_create(&state, "cluster.local", Duration::from_secs(300)).unwrap();
    let checked = Authority::check_csr(&plain_csr()).unwrap();
    let now = OffsetDateTime::now_utc();
    for (asked, given) in [(0, 300), (1, 60), (60, 60), (120, 120), (300, 300), (1 << 40, 300)] {
        let issued = ca.sign(&checked, &order(), Duration::from_secs(asked), now).unwrap();
        assert_eq!(seconds_left(&issued.leaf, now), given, "asked for {asked}");
    }
}

#[test]
fn bad_requests_are_told_apart() {
    assert!(matches!(Authority::check_csr("").unwrap_err(), SignError::Malformed));
    assert!(matches!(Authority::check_csr(&"x".repeat(100_000)).unwrap_err(), SignError::Malformed));
    let odd = csr(CertificateParams::default(), &KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap());
    assert!(matches!(Authority::check_csr(&odd).unwrap_err(), SignError::Key));
    let edwards = csr(CertificateParams::default(), &KeyPair::generate_for(&PKCS_ED25519).unwrap());
    Authority::check_csr(&edwards).unwrap();

    // A request for somebody else's key: the last bytes are the signature.
    let request = CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap();
    let mut der = request.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let pem = pem_of("CERTIFICATE REQUEST", &der);
    assert!(matches!(Authority::check_csr(&pem).unwrap_err(), SignError::Signature));
}

fn pem_of(label: &str, der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_after = OffsetDateTime::now_utc() + DAY;
    params
}

/// Writes Istio's four files: another root first, so that the anchor has to be found.
fn plug_in(dir: &Path, anchored: bool) -> String {
    let root = CertifiedIssuer::self_signed(ca_params("root"), KeyPair::generate().unwrap()).unwrap();
    let other = ca_params("other").self_signed(&KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let middle = ca_params("intermediate").signed_by(&key, &root as &Issuer<'_, KeyPair>).unwrap();
    let roots = if anchored { format!("{}{}", other.pem(), root.pem()) } else { other.pem() };
    fs::write(dir.join("ca-cert.pem"), middle.pem()).unwrap();
    fs::write(dir.join("ca-key.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(dir.join("ca-key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(dir.join("root-cert.pem"), roots).unwrap();
    fs::write(dir.join("cert-chain.pem"), format!("{}{}", middle.pem(), root.pem())).unwrap();
    root.pem()
}

#[test]
fn a_plugged_in_issuer_signs_and_its_chain_reaches_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = plug_in(dir.path(), true);
    let ca = Authority::load_plugged_in(dir.path(), "cluster.local", DAY).unwrap();
    assert_eq!(ca.roots().len(), 2, "both roots are trusted");

    let checked = Authority::check_csr(&plain_csr()).unwrap();
    let issued = ca.sign(&checked, &order(), Duration::ZERO, OffsetDateTime::now_utc()).unwrap();
    let answer = ca.response_chain(&issued.leaf);
    assert_eq!(answer.len(), 3, "leaf, intermediate, roots");
    assert!(answer[2].replace('\r', "").starts_with(&root.replace('\r', "")), "the anchoring root comes first");

    let chain = ca.tls_chain(issued.leaf);
    let parsed: Vec<_> = chain.iter().map(|der| x509_parser::parse_x509_certificate(der).unwrap().1).collect();
    for pair in parsed.windows(2) {
        pair[0].verify_signature(Some(pair[1].public_key())).unwrap();
    }
    assert_eq!(chain.last(), ca.roots().first());
}

#[test]
fn a_plugged_in_issuer_without_its_root_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    plug_in(dir.path(), false);
    let error = Authority::load_plugged_in(dir.path(), "cluster.local", DAY).err().unwrap().to_string();
    assert!(error.contains("anchors ca-cert.pem"), "{error}");

    fs::set_permissions(dir.path().join("ca-key.pem"), fs::Permissions::from_mode(0o604)).unwrap();
    let error = Authority::load_plugged_in(dir.path(), "cluster.local", DAY).err().unwrap().to_string();
    assert!(error.contains("others may read it"), "{error}");
}

fn wish(uses: u32) -> NewToken {
    NewToken { namespace: "shop".into(), service_account: "order-service".into(), ttl: Duration::from_secs(600), uses }
}

const ROOT: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn ours(hash: &str) -> bool {
    hash == ROOT
}

#[test]
fn a_token_speaks_for_its_account_as_often_as_it_says() {
    let (dir, state) = state();
    let store = TokenStore::open(&state).unwrap();
    let now = OffsetDateTime::now_utc();
    let (token, record) = store.create(&wish(2), ROOT, now).unwrap();
    let text = token.reveal();
    let on_disk = fs::read_to_string(dir.path().join(format!("state/tokens/{}.json", record.id))).unwrap();
    let secret = text.split('.').nth(2).unwrap();
    assert!(!on_disk.contains(secret) && !format!("{token:?}").contains(secret), "the secret is nowhere");

    let redeemed = store.redeem(&text, ours, now).unwrap();
    assert_eq!((redeemed.namespace.as_str(), redeemed.service_account.as_str()), ("shop", "order-service"));
    assert_eq!(store.list(now).unwrap()[0].uses_left, 1);
    store.redeem(&text, ours, now).unwrap();
    assert!(matches!(store.redeem(&text, ours, now), Err(RedeemError::Unknown)));
    assert!(store.list(now).unwrap().is_empty());
}

#[test]
fn altered_expired_and_revoked_tokens_are_refused() {
    let (_dir, state) = state();
    let store = TokenStore::open(&state).unwrap();
    let now = OffsetDateTime::now_utc();
    let (token, record) = store.create(&wish(1), ROOT, now).unwrap();
    let (other, _) = store.create(&wish(1), ROOT, now).unwrap();
    let parts: Vec<String> = token.reveal().split('.').map(str::to_owned).collect();
    let stolen = other.reveal().split('.').nth(2).unwrap().to_owned();

    let tampered = |id: &str, secret: &str, root: &str| store.redeem(&format!("weft1.{id}.{secret}.{root}"), ours, now);
    assert!(matches!(tampered(&parts[1], &stolen, ROOT), Err(RedeemError::Secret)));
    assert!(matches!(tampered(&parts[1], &parts[2], &"a".repeat(64)), Err(RedeemError::Root)));
    assert!(matches!(tampered("0000000000000000", &parts[2], ROOT), Err(RedeemError::Unknown)));
    assert!(matches!(tampered("../../../etc/pas", &parts[2], ROOT), Err(RedeemError::Invalid(_))));
    assert!(matches!(tampered(&parts[1], "", ROOT), Err(RedeemError::Invalid(_))));
    for text in ["", "weft1", "weft2.a.b.c", "weft1.0.0.0", &"weft1.".repeat(1000)] {
        assert!(text.parse::<JoinToken>().is_err());
    }

    // None of these attempts used it up.
    let late = now + Duration::from_secs(600);
    assert!(matches!(store.redeem(&token.reveal(), ours, late), Err(RedeemError::Expired(_))));
    assert!(matches!(store.redeem(&token.reveal(), ours, now), Err(RedeemError::Unknown)), "removed once expired");
    assert!(!store.revoke(&record.id).unwrap());
    assert!(store.revoke(other.id()).unwrap());
    assert!(matches!(store.redeem(&other.reveal(), ours, now), Err(RedeemError::Unknown)));
    assert!(!store.revoke("../ca/root").unwrap());
}

#[test]
fn a_race_for_one_use_has_one_winner() {
    let (_dir, state) = state();
    let store = TokenStore::open(&state).unwrap();
    let now = OffsetDateTime::now_utc();
    let text = store.create(&wish(1), ROOT, now).unwrap().0.reveal();
    let barrier = Arc::new(std::sync::Barrier::new(8));
    let winners = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (store, text, barrier) = (&store, &text, Arc::clone(&barrier));
                scope.spawn(move || {
                    barrier.wait();
                    store.redeem(text, ours, now).is_ok()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(winners, 1);
}

#[test]
fn impossible_wishes_are_refused_and_old_tokens_swept() {
    let (_dir, state) = state();
    let store = TokenStore::open(&state).unwrap();
    let now = OffsetDateTime::now_utc();
    assert!(store.create(&wish(0), ROOT, now).is_err());
    assert!(store.create(&NewToken { ttl: Duration::ZERO, ..wish(1) }, ROOT, now).is_err());
    assert!(store.create(&NewToken { ttl: Duration::MAX, ..wish(1) }, ROOT, now).is_err());
    for name in ["", "Shop", "a/../b", "a b"] {
        assert!(store.create(&NewToken { namespace: name.into(), ..wish(1) }, ROOT, now).is_err(), "{name:?}");
    }
    store.create(&wish(1), ROOT, now).unwrap();
    assert_eq!(store.list(now).unwrap().len(), 1);
    assert!(store.list(now + Duration::from_secs(601)).unwrap().is_empty());
    assert!(store.list(now).unwrap().is_empty(), "the sweep removed the file");
}
