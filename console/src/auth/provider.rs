//! The OpenID provider: discovered when it is first needed, and again when it signs with keys that are not known.

mod http;
mod logout_token;
mod signed;
mod tokens;
mod words;

use std::{
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use openidconnect::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, ProviderMetadata, RedirectUrl, RevocationUrl,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
        CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm as Alg, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use self::words::one_line;
use self::words::{innermost, redacted, without};
pub use self::{
    logout_token::LogoutClaims,
    tokens::{Kept, SignedIn},
};
use super::{
    identity::{IdentityError, Mapping},
    limit::Limit,
};
use crate::auth::args::OidcArgs;

/// Discovery is not repeated more often than this, whatever tokens arrive and whether it succeeds.
const REDISCOVER_AFTER: Duration = Duration::from_secs(1);
/// How often tokens from one address may make it be repeated at once, and in a second after that.
const REDISCOVER_FOR_ONE: (f64, f64) = (5.0, 0.1);
/// How long whoever signs out waits to learn whether the provider is there.
const THERE_WITHIN: Duration = Duration::from_secs(1);
/// Discovery is repeated after this, so that changes at the provider arrive by themselves.
const DISCOVERED_FOR: Duration = Duration::from_secs(3600);
/// What tokens may be signed with. Never `none`, and never a shared secret: who can check such a token can make one.
const ALGORITHMS: [Alg; 10] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EcdsaP521Sha512,
    Alg::EdDsa,
];

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;
type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is read of a discovery document beyond OpenID Connect Discovery 1.0.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Extra {
    /// OpenID Connect RP-Initiated Logout 1.0.
    end_session_endpoint: Option<EndSessionUrl>,
    /// RFC 8414.
    revocation_endpoint: Option<RevocationUrl>,
    /// RFC 9207.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl openidconnect::AdditionalProviderMetadata for Extra {}

/// Why the provider cannot be used, in words for the person who wants to sign in.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A flag is wrong.
    #[error("{0}")]
    Flag(String),
    /// It does not answer, or with something else.
    #[error("the provider {issuer} cannot be used: {why}")]
    Unusable {
        /// Its issuer.
        issuer: String,
        /// The innermost cause.
        why: String,
    },
    /// It refused: a code or a refresh token that is spent, expired or another client's.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// What it signed does not hold.
    #[error("the provider's token does not hold: {0}")]
    Token(String),
    /// It names nobody.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// One provider, as one client of it.
pub struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    scopes: Vec<String>,
    mapping: Mapping,
    http: http::Http,
    known: RwLock<Option<Known>>,
    /// Of those who sent tokens with keys that are not known.
    strangers: Limit,
    /// Held by whoever asks: when it was last asked in vain, and why.
    asking: tokio::sync::Mutex<Option<(Instant, String)>>,
}

/// What discovery said.
#[derive(Clone)]
struct Known {
    client: Arc<Client>,
    keys: Arc<CoreJsonWebKeySet>,
    extra: Arc<Extra>,
    at: Instant,
}

impl Provider {
    /// A client of the provider that flags name. It is not asked yet, so that a provider that is away keeps no console
    /// from starting.
    pub fn new(args: &OidcArgs, public: &Url) -> Result<Option<Self>, ProviderError> {
        let Some(issuer) = &args.oidc_issuer else { return Ok(None) };
        let flag = |what: String| ProviderError::Flag(what);
        let client_id = args.oidc_client_id.clone().ok_or_else(|| flag("--oidc-client-id is missing".into()))?;
        let url = Url::parse(issuer).map_err(|error| flag(format!("--oidc-issuer {issuer} is no address: {error}")))?;
        if url.scheme() != "https" && !is_loopback_http(&url) {
            return Err(flag(format!("--oidc-issuer {issuer} must begin with https://")));
        }
        let redirect = public.join("auth/callback").map_err(|error| flag(format!("--public-url: {error}")))?;
        Ok(Some(Self {
            issuer: IssuerUrl::new(issuer.clone()).map_err(|error| flag(format!("--oidc-issuer: {error}")))?,
            client_id: ClientId::new(client_id),
            client_secret: args.oidc_client_secret_file.as_deref().map(secret).transpose()?,
            redirect: RedirectUrl::from_url(redirect),
            scopes: args.oidc_scopes.iter().filter(|scope| *scope != "openid").cloned().collect(),
            mapping: args.mapping(),
            http: http::Http::new(args.oidc_ca_file.as_deref())?,
            known: RwLock::default(),
            strangers: Limit::new(REDISCOVER_FOR_ONE.0, REDISCOVER_FOR_ONE.1),
            asking: tokio::sync::Mutex::default(),
        }))
    }

    /// The issuer, as tokens write it.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Whom tokens are for.
    pub fn client_id(&self) -> &str {
        self.client_id.as_str()
    }

    /// What discovery said, not too long ago.
    async fn known(&self) -> Result<Known, ProviderError> {
        self.asked(None, None).await
    }

    /// The same, with keys that may be newer than `known`: for a token that none of these signed. Whoever writes a token
    /// chooses the key that it names, so what came from an address makes the provider be asked so many times only; what
    /// the provider itself handed over comes from none.
    async fn newer(&self, known: &Known, from: Option<IpAddr>) -> Result<Known, ProviderError> {
        self.asked(Some(known.at), from).await
    }

    /// What discovery said; asked when it is not known, too old, or when `newer` is wanted than what was known at that
    /// time. One asks and whoever comes meanwhile shares the answer, the failure too; whom what is known serves waits for
    /// nobody.
    async fn asked(&self, newer: Option<Instant>, from: Option<IpAddr>) -> Result<Known, ProviderError> {
        if let Some(known) = self.fresh(newer) {
            return Ok(known);
        }
        let mut failed = self.asking.lock().await;
        if let Some(known) = self.fresh(newer) {
            return Ok(known);
        }
        // Whoever made it be asked too often gets what there is.
        if let Some(from) = from
            && let Some(known) = self.fresh(None)
            && self.strangers.take(from).is_err()
        {
            return Ok(known);
        }
        let lately = failed.as_ref().filter(|(at, _)| at.elapsed() < REDISCOVER_AFTER).map(|(_, why)| why.clone());
        let why = match lately {
            Some(why) => why,
            None => match self.discover().await {
                Ok(known) => {
                    *failed = None;
                    return Ok(self.known.write().insert(known).clone());
                }
                Err(why) => {
                    *failed = Some((Instant::now(), why.clone()));
                    why
                }
            },
        };
        // What was known is better than nothing while the provider is away.
        match self.known.read().clone().filter(|_| newer.is_none()) {
            Some(known) => {
                tracing::warn!(why, "the OpenID provider could not be discovered anew");
                Ok(known)
            }
            None => Err(ProviderError::Unusable { issuer: self.issuer.to_string(), why }),
        }
    }

    /// What is known, if it will do.
    fn fresh(&self, newer: Option<Instant>) -> Option<Known> {
        let known = self.known.read().clone()?;
        let age = known.at.elapsed();
        let wanted = newer.is_some_and(|at| known.at <= at) && age > REDISCOVER_AFTER;
        (age < DISCOVERED_FOR && !wanted).then_some(known)
    }

    /// Reads the discovery document and the keys that it names; an error says why not.
    async fn discover(&self) -> Result<Known, String> {
        let metadata = Metadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = metadata.map_err(|error| innermost(&error))?;
        let extra = metadata.additional_metadata().clone();
        let named = [
            Some(metadata.authorization_endpoint().url()),
            Some(metadata.jwks_uri().url()),
            metadata.token_endpoint().map(|endpoint| endpoint.url()),
            extra.end_session_endpoint.as_ref().map(|endpoint| endpoint.url()),
            extra.revocation_endpoint.as_ref().map(|endpoint| endpoint.url()),
        ];
        // Codes and secrets go there, keys come from there, and browsers are sent there.
        if let Some(open) = named.into_iter().flatten().find(|url| url.scheme() != "https" && !is_loopback_http(url)) {
            return Err(format!("it names {}, which is not https", one_line(open.as_str())));
        }
        let mut client =
            CoreClient::from_provider_metadata(metadata.clone(), self.client_id.clone(), self.client_secret.clone())
                .set_redirect_uri(self.redirect.clone());
        // RFC 8414: without the list, client_secret_basic is what it takes.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        client = client.set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody });
        let keys = Arc::new(metadata.jwks().clone());
        Ok(Known { client: Arc::new(client), keys, extra: Arc::new(extra), at: Instant::now() })
    }

    fn unusable(&self, error: &dyn std::error::Error) -> ProviderError {
        ProviderError::Unusable { issuer: self.issuer.to_string(), why: innermost(error) }
    }

    /// Checks signature, issuer, audience, expiry and that the token is for us alone.
    fn verifier(known: &Known) -> CoreIdTokenVerifier<'_> {
        known.client.id_token_verifier().set_allowed_algs(ALGORITHMS)
    }

    /// Whether it answers at this moment: a browser that is sent to it while it does not ends on an error page of its own.
    pub async fn is_there(&self) -> bool {
        let Ok(url) = self.issuer.join(".well-known/openid-configuration") else { return false };
        let Ok(request) = openidconnect::http::Request::get(url.as_str()).body(Vec::new()) else { return false };
        let answer = tokio::time::timeout(THERE_WITHIN, self.http.call(request)).await;
        matches!(answer, Ok(Ok(response)) if !response.status().is_server_error())
    }

    /// Where somebody signs out at the provider; `None` when it has no such page.
    pub async fn sign_out_url(&self, hint: Option<&str>, back: &Url) -> Option<Url> {
        let known = self.known().await.ok()?;
        let mut url = known.extra.end_session_endpoint.as_ref()?.url().clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("client_id", self.client_id()).append_pair("post_logout_redirect_uri", back.as_str());
            if let Some(hint) = hint {
                query.append_pair("id_token_hint", hint);
            }
        }
        Some(url)
    }
}

fn is_loopback_http(url: &Url) -> bool {
    url.scheme() == "http" && is_loopback(url)
}

/// Whether a URL can only lead to this machine, where plain HTTP is no risk.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn secret(file: &Path) -> Result<ClientSecret, ProviderError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| ProviderError::Flag(format!("--oidc-client-secret-file {}: {error}", file.display())))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(ProviderError::Flag(format!("--oidc-client-secret-file {} is empty", file.display())));
    }
    Ok(ClientSecret::new(text.to_owned()))
}
