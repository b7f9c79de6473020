//! Who keeps an object as it is, by the marks that tools leave on it.

use weft_api::ObjectMeta;

/// `Argo CD`, `Flux`, `Helm` or `Weft`; `None` when nothing tells, as with what people apply by hand.
pub fn of(meta: &ObjectMeta) -> Option<&'static str> {
    let label = |name: &str| meta.labels.get(name);
    let has = |prefix: &str| meta.labels.keys().chain(meta.annotations.keys()).any(|key| key.starts_with(prefix));
    if has("argocd.argoproj.io/") {
        Some("Argo CD")
    } else if has("kustomize.toolkit.fluxcd.io/") || has("helm.toolkit.fluxcd.io/") {
        Some("Flux")
    } else if label("app.kubernetes.io/managed-by") == Some("Helm") {
        Some("Helm")
    } else if has("weft.dev/mesh") {
        Some("Weft")
    } else {
        None
    }
}
