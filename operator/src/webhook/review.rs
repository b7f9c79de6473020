//! `AdmissionReview` of `admission.k8s.io/v1`, as far as the webhooks read and write it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

/// Warnings longer than this are cut by the API server anyway.
const MAX_WARNING: usize = 250;
/// Warnings of one answer.
const MAX_WARNINGS: usize = 20;

/// What is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Review {
    /// Names the question; the answer repeats it.
    pub uid: String,
    /// Namespace of the object; empty for cluster-scoped kinds.
    pub namespace: String,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// The object as it would be stored; null for a deletion.
    pub object: Value,
}

/// Why a review is not understood.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Not JSON of this shape.
    #[error("not an AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version.
    #[error("only admission.k8s.io/v1 is understood, not {0:?}")]
    Version(String),
    /// An answer, or nothing.
    #[error("the AdmissionReview has no request")]
    NoRequest,
}

impl Review {
    /// Reads the request out of a review.
    pub fn read(bytes: &[u8]) -> Result<Self, ReviewError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope {
            #[serde(default)]
            api_version: String,
            request: Option<Review>,
        }
        let envelope: Envelope = serde_json::from_slice(bytes)?;
        if envelope.api_version != "admission.k8s.io/v1" {
            return Err(ReviewError::Version(envelope.api_version.chars().take(100).collect()));
        }
        envelope.request.ok_or(ReviewError::NoRequest)
    }
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Status code and sentence of a refusal; none admits.
    pub refusal: Option<(u16, String)>,
    /// What whoever applies the object sees, one line each.
    pub warnings: Vec<String>,
    /// JSON Patch to apply.
    pub patch: Option<json_patch::Patch>,
}

impl Verdict {
    /// Admits the object as it is.
    pub fn admit() -> Self {
        Self::default()
    }

    /// Refuses it.
    pub fn refuse(code: u16, message: impl Into<String>) -> Self {
        Self { refusal: Some((code, message.into())), ..Self::default() }
    }

    /// The word in metrics.
    pub fn word(&self) -> &'static str {
        match (&self.refusal, &self.patch) {
            (Some((500.., _)), _) => "failed",
            (Some(_), _) => "refused",
            (None, Some(_)) => "patched",
            (None, None) => "admitted",
        }
    }

    /// The review that answers question `uid`.
    pub fn answer(&self, uid: &str) -> Value {
        let mut response = json!({"uid": uid, "allowed": self.refusal.is_none()});
        if let Some((code, message)) = &self.refusal {
            response["status"] = json!({"code": code, "message": message});
        }
        if let Some(patch) = self.patch.as_ref().filter(|patch| !patch.0.is_empty()) {
            // A patch is made of strings and values: it always encodes.
            let text = serde_json::to_vec(patch).unwrap_or_default();
            response["patchType"] = "JSONPatch".into();
            response["patch"] = STANDARD.encode(text).into();
        }
        if !self.warnings.is_empty() {
            let cut = |text: &String| text.chars().take(MAX_WARNING).collect::<String>();
            response["warnings"] = self.warnings.iter().take(MAX_WARNINGS).map(cut).collect();
        }
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}
