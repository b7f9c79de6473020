//! Names that the parts of an installation know each other by.

/// Namespace of the installation.
pub const NAMESPACE: &str = "weft-system";
/// Field manager of server-side apply.
pub const FIELD_MANAGER: &str = "weft-operator";
/// Finalizer of a Mesh.
pub const FINALIZER: &str = "weft.dev/mesh";
/// Label: the Mesh that an object was rendered from. What carries it and is no longer rendered is pruned.
pub const MESH_LABEL: &str = "weft.dev/mesh";
/// Label: which part of the installation an object belongs to.
pub const COMPONENT_LABEL: &str = "weft.dev/component";
/// Label: revision.
pub const REVISION_LABEL: &str = "istio.io/rev";
/// Annotation: why an object, or each rule of a role, is there.
pub const DESCRIPTION: &str = "weft.dev/description";
/// Annotation of a component's pods: UID of the ServiceAccount that they run as.
pub const ACCOUNT_ANNOTATION: &str = "weft.dev/service-account-uid";
/// ConfigMap with the mesh roots, in every namespace.
pub const ROOT_CONFIG_MAP: &str = "weft-ca-root-cert";
/// Its key.
pub const ROOT_KEY: &str = "root-cert.pem";
/// Secret with the certificate authority.
pub const CA_SECRET: &str = "weft-ca";
/// Secret that remembers which roots signed, so that they are trusted as long as what they signed.
pub const ROOTS_SECRET: &str = "weft-ca-roots";
/// Secret with the join tokens of machines outside of the cluster.
pub const JOIN_TOKEN_SECRET: &str = "weft-join-tokens";
/// Istio's Secret with a plugged-in certificate authority, which wins.
pub const PLUGGED_IN_CA_SECRET: &str = "cacerts";
/// Control plane: Deployment, Service, ServiceAccount, before the revision.
pub const CONTROL_PLANE: &str = "weft-control-plane";
/// Variable of a proxy: `host:port` of its control plane.
pub const CONTROL_PLANE_VARIABLE: &str = "WEFT_CONTROL_PLANE";
/// Service that leads to the control plane from outside of the cluster, before the revision; where the Mesh asks for one.
pub const EXTERNAL_CONTROL_PLANE: &str = "weft-external-xds";
/// Value of [`COMPONENT_LABEL`] on a Mesh's own gateway.
pub const GATEWAY_COMPONENT: &str = "ingress-gateway";
/// The gateway's, before the revision.
pub const INGRESS_GATEWAY: &str = "weft-ingressgateway";
/// The console's, before the revision.
pub const CONSOLE: &str = "weft-console";
/// ConfigMap with the control plane's settings, before the revision. Keys: [`MESH_KEY`] and [`INJECTION_KEY`].
pub const MESH_CONFIG_MAP: &str = "weft-mesh";
/// Key of mesh-wide settings, Istio's MeshConfig as JSON.
pub const MESH_KEY: &str = "mesh";
/// Key of an [`InjectConfig`](crate::InjectConfig) as JSON.
pub const INJECTION_KEY: &str = "injection";
/// MutatingWebhookConfiguration, before the revision.
pub const INJECTOR_WEBHOOK: &str = "weft-sidecar-injector";
/// ValidatingWebhookConfiguration, before the revision.
pub const VALIDATOR_WEBHOOK: &str = "weft-validator";
/// Audience of the proxies' tokens.
pub const TOKEN_AUDIENCE: &str = "weft-ca";
/// Volume with the proxies' token, which injection adds to a pod.
pub const TOKEN_VOLUME: &str = "weft-token";
/// Audience of the tokens that open a control plane's debug pages.
pub const READER_AUDIENCE: &str = "weft-debug";
/// Where the operator and the console have theirs.
pub const READER_TOKEN_FILE: &str = "/var/run/secrets/weft-debug/token";
/// Namespaces whose pods are never injected: without them a cluster cannot come up.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];
