//! RequestAuthentication (<https://istio.io/latest/docs/reference/config/security/request_authentication/>).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Selector, TargetRef};
use crate::Duration;

/// Which JWTs are accepted. A request with a bad one is refused, one without is let through.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestAuthentication {
    /// Which workloads; none is all of the namespace, or of the mesh in the root namespace.
    pub selector: Option<Selector>,
    /// What it is attached to, in place of a selector, deprecated form.
    pub target_ref: Option<TargetRef>,
    /// What it is attached to, in place of a selector.
    pub target_refs: Vec<TargetRef>,
    /// Issuers.
    pub jwt_rules: Vec<JwtRule>,
}

/// One issuer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct JwtRule {
    /// `iss`.
    pub issuer: String,
    /// `aud`, any of these; none accepts all.
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Its keys.
    pub jwks: String,
    /// Headers to look in.
    pub from_headers: Vec<JwtHeader>,
    /// Query parameters to look in.
    pub from_params: Vec<String>,
    /// Cookies to look in.
    pub from_cookies: Vec<String>,
    /// Header that gets the payload, base64.
    pub output_payload_to_header: String,
    /// Whether the token is sent on.
    pub forward_original_token: bool,
    /// Headers that get single claims.
    pub output_claim_to_headers: Vec<ClaimToHeader>,
    /// How long fetching keys may take; none is 5 s.
    pub timeout: Option<Duration>,
    /// Claims that are space-delimited lists, besides `scope` and `permission`.
    pub space_delimited_claims: Vec<String>,
}

/// A header to look in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct JwtHeader {
    /// Name.
    pub name: String,
    /// What stands before the token, such as `Bearer `.
    pub prefix: String,
}

/// A header that gets a claim.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimToHeader {
    /// Header.
    pub header: String,
    /// Claim.
    pub claim: String,
}
