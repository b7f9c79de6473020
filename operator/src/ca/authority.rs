//! Signing: a root of our own or a plugged-in issuer, and the leaf certificates under it.

use std::{net::IpAddr, path::Path, time::Duration};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use weft_model::SpiffeId;
use weft_runtime::StartupError;
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer, public_key::PublicKey};

use super::{
    plugged, root,
    state_dir::{self, StateDir},
};

/// Shortest leaf lifetime that is issued.
pub const MIN_TTL: Duration = Duration::from_secs(60);
/// How far back a certificate's validity begins, for peers whose clocks are behind.
pub(super) const BACKDATE: Duration = Duration::from_secs(60);
/// CSRs longer than this are not parsed. An RSA-4096 request with many extensions is about 3 KiB.
const MAX_CSR: usize = 16 * 1024;

/// The certificate authority of one trust domain. Immutable: where the root can change while the operator runs, whoever
/// signs watches for the present one.
pub struct Authority {
    trust_domain: String,
    issuer: Issuer<'static, KeyPair>,
    issuer_not_before: OffsetDateTime,
    issuer_not_after: OffsetDateTime,
    intermediates: Vec<CertificateDer<'static>>,
    roots: Vec<CertificateDer<'static>>,
    max_ttl: Duration,
}

/// What an [`Authority`] is made of, once read and checked.
pub(super) struct Material {
    /// Certificate that signs leaves.
    pub issuer: CertificateDer<'static>,
    /// Its key.
    pub key: KeyPair,
    /// What a server sends between leaf and root, leaf side first; empty when a root signs leaves itself.
    pub intermediates: Vec<CertificateDer<'static>>,
    /// Trusted roots, the one that anchors `issuer` first.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Lower-case hex SHA-256 of the DER of the first certificate in `pem`: of the mesh's published roots, whose first one
/// anchors new certificates, it is [`Authority::root_hash`] for who must not see the key. `place` names the text in errors.
pub fn first_root_hash(place: &str, pem: &str) -> Result<String, StartupError> {
    let roots = plugged::parse_certificates(place, pem.as_bytes())?;
    Ok(roots.first().map(|root| hex(&Sha256::digest(root))).unwrap_or_default())
}

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub leaf: CertificateDer<'static>,
    /// End of its validity.
    pub not_after: OffsetDateTime,
}

/// Why a request was not signed. The text is safe to send to the requester.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Not a PKCS#10 request in PEM, or too long.
    #[error("the CSR is not a PEM-encoded PKCS#10 certificate request")]
    Malformed,
    /// The requester does not hold the key.
    #[error("the CSR's signature does not verify")]
    Signature,
    /// A key that is too weak or of an unknown kind.
    #[error("the CSR's key is not accepted: use ECDSA P-256 or P-384, Ed25519, or RSA of at least 2048 bits")]
    Key,
    /// The issuer expires before a certificate would be of use.
    #[error("the issuing certificate expires at {0}: replace it")]
    IssuerExpired(OffsetDateTime),
    /// Encoding or signing failed.
    #[error("signing failed: {0}")]
    Signing(#[from] rcgen::Error),
}

impl Authority {
    /// Loads `ca/root.pem` and `ca/root.key` of the state directory, creating both when neither is there. Further
    /// certificates in `root.pem` are trusted as well but sign nothing, which is how a root is rotated.
    pub fn load_or_create(state: &StateDir, trust_domain: &str, max_ttl: Duration) -> Result<Self, StartupError> {
        let dir = state.subdir("ca")?;
        let (cert_path, key_path) = (dir.join("root.pem"), dir.join("root.key"));
        // The command line may create the root at the same moment as the operator does.
        let _lock = state.lock()?;
        match (cert_path.exists(), key_path.exists()) {
            (false, false) => create_root(&cert_path, &key_path, trust_domain)?,
            (true, true) => {}
            (cert, _) => {
                let (missing, present) = if cert { (&key_path, &cert_path) } else { (&cert_path, &key_path) };
                return Err(StartupError::new(
                    "cannot load the root certificate",
                    format!("{} is missing while {} is there", missing.display(), present.display()),
                    "restore it, or remove both to make a new root that every proxy must join again",
                ));
            }
        }
        let key = plugged::parse_key(&key_path.display().to_string(), &state_dir::read_key(&key_path, 0o077)?)?;
        let roots = plugged::read_certificates(&cert_path)?;
        let material = Material { issuer: roots[0].clone(), key, intermediates: Vec::new(), roots };
        Self::from_material(material, &cert_path.display().to_string(), trust_domain, max_ttl)
    }

    /// Loads an issuer that was made elsewhere, in the layout of Istio's `cacerts` secret.
    pub fn load_plugged_in(dir: &Path, trust_domain: &str, max_ttl: Duration) -> Result<Self, StartupError> {
        let place = dir.join(plugged::ISSUER).display().to_string();
        Self::from_material(plugged::read(dir)?, &place, trust_domain, max_ttl)
    }

    /// The same from the four texts, wherever they lie; `place` names that in errors.
    pub fn from_pem(
        files: &plugged::Files<'_>,
        place: &str,
        trust_domain: &str,
        max_ttl: Duration,
    ) -> Result<Self, StartupError> {
        Self::from_material(plugged::parse(files, place)?, place, trust_domain, max_ttl)
    }

    fn from_material(
        material: Material,
        place: &str,
        trust_domain: &str,
        max_ttl: Duration,
    ) -> Result<Self, StartupError> {
        let Material { issuer, key, intermediates, roots } = material;
        let refuse = |why: String, remedy: &str| StartupError::new(format!("cannot sign with {place}"), why, remedy);
        let (_, parsed) = x509_parser::parse_x509_certificate(&issuer)
            .map_err(|error| refuse(error.to_string(), "replace it with a CA certificate in PEM"))?;
        if !parsed.is_ca() {
            return Err(refuse("it is not a CA certificate".into(), "use one whose basic constraints say CA"));
        }
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(refuse(
                "the key beside it belongs to another certificate".into(),
                "put the matching key there",
            ));
        }
        let issuer_not_after = parsed.validity().not_after.to_datetime();
        let issuer_not_before = parsed.validity().not_before.to_datetime();
        if issuer_not_before > OffsetDateTime::now_utc() + BACKDATE {
            return Err(refuse(format!("it is valid only from {issuer_not_before}"), "set this machine's clock"));
        }
        if issuer_not_after <= OffsetDateTime::now_utc() {
            return Err(refuse(format!("it expired at {issuer_not_after}"), "replace it with a fresh one"));
        }
        let issuer = Issuer::from_ca_cert_der(&issuer, key)
            .map_err(|error| refuse(error.to_string(), "replace it with a CA certificate in PEM"))?;
        Ok(Self {
            trust_domain: trust_domain.to_owned(),
            issuer,
            issuer_not_before,
            issuer_not_after,
            intermediates,
            roots,
            max_ttl,
        })
    }

    /// The same authority that trusts these roots as well.
    pub fn trust_also(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        for root in roots {
            if !self.roots.contains(&root) {
                self.roots.push(root);
            }
        }
        self
    }

    /// The trust domain of every identity issued here.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// End of the issuer's validity.
    pub fn issuer_not_after(&self) -> OffsetDateTime {
        self.issuer_not_after
    }

    /// Beginning and end of the issuer's validity.
    pub fn issuer_validity(&self) -> (OffsetDateTime, OffsetDateTime) {
        (self.issuer_not_before, self.issuer_not_after)
    }

    /// Longest lifetime of a leaf.
    pub fn max_ttl(&self) -> Duration {
        self.max_ttl
    }

    /// Whether nothing that is issued or trusted differs.
    pub fn is_same(&self, other: &Self) -> bool {
        self.roots == other.roots
            && self.intermediates == other.intermediates
            && self.issuer.key().public_key_raw() == other.issuer.key().public_key_raw()
            && self.issuer_not_after == other.issuer_not_after
            && self.max_ttl == other.max_ttl
    }

    /// Trusted roots, the one that anchors new certificates first.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// The certificates between the signing one and its root; empty when the root signs itself.
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }

    /// Lower-case hex SHA-256 of the DER of the root that anchors new certificates: the last part of a join token.
    pub fn root_hash(&self) -> String {
        self.roots.first().map(|root| hex(&Sha256::digest(root))).unwrap_or_default()
    }

    /// Whether `hash` is that of any trusted root.
    pub fn trusts_root_hash(&self, hash: &str) -> bool {
        self.roots.iter().any(|root| hex(&Sha256::digest(root)) == hash)
    }

    /// All trusted roots in PEM, one after the other.
    pub fn roots_pem(&self) -> String {
        self.roots.iter().map(pem).collect()
    }

    /// Checks a request as far as it can be without knowing who asks.
    pub fn check_csr(csr_pem: &str) -> Result<CheckedCsr, SignError> {
        CheckedCsr::parse(csr_pem)
    }

    /// Signs the key of a request for `id`, whatever names the request asks for. The lifetime is the requested one within
    /// [`MIN_TTL`] and the configured maximum; zero asks for the maximum.
    pub fn sign(
        &self,
        csr: &CheckedCsr,
        id: &SpiffeId,
        requested: Duration,
        now: OffsetDateTime,
    ) -> Result<Issued, SignError> {
        let lifetime = if requested.is_zero() { self.max_ttl } else { requested.clamp(MIN_TTL, self.max_ttl) };
        self.issue(&csr.0, vec![SanType::URI(id.to_string().try_into()?)], lifetime, now)
    }

    /// A key and certificate for this very process, for `names` and `addresses` beside its identity.
    pub fn issue_own(
        &self,
        id: &SpiffeId,
        names: &[String],
        addresses: &[IpAddr],
        now: OffsetDateTime,
    ) -> Result<(Issued, PrivateKeyDer<'static>), SignError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut sans = vec![SanType::URI(id.to_string().try_into()?)];
        for name in names {
            sans.push(SanType::DnsName(name.as_str().try_into()?));
        }
        sans.extend(addresses.iter().copied().map(SanType::IpAddress));
        let issued = self.issue(&key, sans, self.max_ttl, now)?;
        Ok((issued, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    fn issue(
        &self,
        key: &impl PublicKeyData,
        sans: Vec<SanType>,
        lifetime: Duration,
        now: OffsetDateTime,
    ) -> Result<Issued, SignError> {
        // Certificates count whole seconds.
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let mut params = CertificateParams::default();
        // The subject stays empty: the identity is the URI name, which is then critical.
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = sans;
        params.serial_number = Some(serial());
        params.not_before = now - BACKDATE;
        params.not_after = (now + lifetime).min(self.issuer_not_after);
        if params.not_after < now + MIN_TTL {
            return Err(SignError::IssuerExpired(self.issuer_not_after));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let not_after = params.not_after;
        let leaf = params.signed_by(key, &self.issuer)?.der().clone();
        Ok(Issued { leaf, not_after })
    }

    /// What a TLS server sends for `leaf`: itself, the intermediates, and the anchoring root, so that a proxy on first
    /// contact can hold the root against its join token's hash.
    pub fn tls_chain(&self, leaf: CertificateDer<'static>) -> Vec<CertificateDer<'static>> {
        let anchor = self.roots.first().cloned();
        std::iter::once(leaf).chain(self.intermediates.iter().cloned()).chain(anchor).collect()
    }

    /// The answer to a CSR: leaf, intermediates, and last all trusted roots in one string.
    pub fn response_chain(&self, leaf: &CertificateDer<'_>) -> Vec<String> {
        std::iter::once(pem(leaf))
            .chain(self.intermediates.iter().map(pem))
            .chain(std::iter::once(self.roots_pem()))
            .collect()
    }
}

/// A certificate request whose signature was verified. Only its public key is kept.
#[derive(Debug)]
pub struct CheckedCsr(SubjectPublicKeyInfo);

impl CheckedCsr {
    fn parse(csr_pem: &str) -> Result<Self, SignError> {
        if csr_pem.len() > MAX_CSR {
            return Err(SignError::Malformed);
        }
        let der = rustls_pki_types::CertificateSigningRequestDer::from_pem_slice(csr_pem.as_bytes())
            .map_err(|_| SignError::Malformed)?;
        let (rest, csr) = X509CertificationRequest::from_der(&der).map_err(|_| SignError::Malformed)?;
        if !rest.is_empty() {
            return Err(SignError::Malformed);
        }
        let spki = &csr.certification_request_info.subject_pki;
        let strong = match spki.parsed() {
            Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384),
            Ok(PublicKey::RSA(rsa)) => (2048..=8192).contains(&rsa.key_size()),
            // x509-parser knows no Ed25519 keys; rcgen's own list decides below.
            Ok(PublicKey::Unknown(_)) => true,
            _ => false,
        };
        if !strong {
            return Err(SignError::Key);
        }
        csr.verify_signature().map_err(|_| SignError::Signature)?;
        SubjectPublicKeyInfo::from_der(spki.raw).map(Self).map_err(|_| SignError::Key)
    }
}

fn create_root(cert_path: &Path, key_path: &Path, trust_domain: &str) -> Result<(), StartupError> {
    let fail = |error: &dyn std::fmt::Display| {
        StartupError::new(
            format!("cannot create the root certificate {}", cert_path.display()),
            error,
            "make the state directory writable for this user, or choose another with --state-dir",
        )
    };
    let (cert, key) = root::self_signed(trust_domain, root::LIFETIME).map_err(|error| fail(&error))?;
    state_dir::write_private(key_path, key.serialize_pem().as_bytes()).map_err(|error| fail(&error))?;
    state_dir::write_with_mode(cert_path, cert.as_bytes(), 0o644).map_err(|error| fail(&error))
}

/// 127 random bits; the first bit is zero because serial numbers are positive.
pub(super) fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] &= 0x7f;
    SerialNumber::from_slice(&bytes)
}

pub(crate) fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(certificate);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}
