//! Puts a proxy into a pod as it is created.

use weft_install::{Injection, inject};

use super::{Review, SettingsWatch, Verdict};

/// Injects the pod, or says why it stays as it is. That it, or its namespace, asks for this revision the API server knows
/// better than any copy here: it would not have called.
pub fn decide(review: &Review, settings: &SettingsWatch) -> Verdict {
    if review.operation != "CREATE" || review.object.is_null() {
        return Verdict::admit();
    }
    let Some(config) = settings.borrow().clone() else {
        return Verdict::refuse(503, "the settings of injection are not read yet: the pod is created at the next try");
    };
    match inject(&review.object, &review.namespace, &config) {
        Ok(Injection::Skipped(skip)) => {
            tracing::debug!(namespace = review.namespace, reason = %skip, "left a pod as it is");
            Verdict::admit()
        }
        Ok(Injection::Patched(pod)) => {
            let warnings = weft_install::inject::warnings(&review.object);
            Verdict { patch: Some(json_patch::diff(&review.object, &pod)), warnings, ..Verdict::default() }
        }
        Err(error) => Verdict::refuse(400, error.to_string()),
    }
}
