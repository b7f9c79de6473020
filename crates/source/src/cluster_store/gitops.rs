//! Who else keeps an object as it is.

use std::fmt;

use serde_json::Value;

/// A GitOps tool that keeps an object as its repository has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitOps {
    /// Argo CD, by this application.
    ArgoCd(String),
    /// Flux's Kustomization of this `namespace/name`.
    FluxKustomization(String),
    /// Flux's HelmRelease of this `namespace/name`.
    FluxHelmRelease(String),
}

impl GitOps {
    /// Who owns the object, by the marks that the tools leave on it.
    pub fn of(object: &Value) -> Option<Self> {
        let metadata = object.get("metadata")?;
        let text = |part: &str, key: &str| metadata.get(part)?.get(key)?.as_str().map(str::to_owned);
        if let Some(tracking) = text("annotations", "argocd.argoproj.io/tracking-id") {
            // `application:group/kind:namespace/name`
            return Some(Self::ArgoCd(tracking.split(':').next().unwrap_or_default().to_owned()));
        }
        if let Some(application) = text("labels", "argocd.argoproj.io/instance") {
            return Some(Self::ArgoCd(application));
        }
        // Argo CD's default label is one that Helm sets too, so it must have written the object as well.
        if let Some(application) = text("labels", "app.kubernetes.io/instance")
            && super::conflict::managers(object).any(|manager| manager.starts_with("argocd"))
        {
            return Some(Self::ArgoCd(application));
        }
        let flux = |tool: &str| {
            let name = text("labels", &format!("{tool}.toolkit.fluxcd.io/name"))?;
            let namespace = text("labels", &format!("{tool}.toolkit.fluxcd.io/namespace")).unwrap_or_default();
            Some(format!("{namespace}/{name}"))
        };
        flux("kustomize").map(Self::FluxKustomization).or_else(|| flux("helm").map(Self::FluxHelmRelease))
    }
}

impl fmt::Display for GitOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArgoCd(application) => write!(f, "Argo CD (application {application})"),
            Self::FluxKustomization(name) => write!(f, "Flux (Kustomization {name})"),
            Self::FluxHelmRelease(name) => write!(f, "Flux (HelmRelease {name})"),
        }
    }
}
