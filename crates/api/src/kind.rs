//! The kinds that the mesh knows.

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster as a whole.
    Cluster,
}

const ISTIO_NETWORKING: &str = "networking.istio.io";
const ISTIO_SECURITY: &str = "security.istio.io";
const ISTIO_TELEMETRY: &str = "telemetry.istio.io";
const ISTIO_EXTENSIONS: &str = "extensions.istio.io";
const WEFT: &str = "weft.dev";
const DISCOVERY: &str = "discovery.k8s.io";

macro_rules! kinds {
    ($( $(#[$doc:meta])* $variant:ident: $group:expr, $plural:literal, $scope:ident, [$($version:literal),+]; )+) => {
        /// A kind that the mesh reads. Its versions are one type: whichever a user wrote, the object is the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $( $(#[$doc])* $variant, )+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$( Kind::$variant, )+];

            /// The kind's name, such as `VirtualService`.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant), )+ }
            }

            /// The API group; empty for the core group.
            pub fn group(self) -> &'static str {
                match self { $( Self::$variant => $group, )+ }
            }

            /// The resource's name in URLs and RBAC, such as `virtualservices`.
            pub fn plural(self) -> &'static str {
                match self { $( Self::$variant => $plural, )+ }
            }

            /// Where objects of this kind live.
            pub fn scope(self) -> Scope {
                match self { $( Self::$variant => Scope::$scope, )+ }
            }

            /// The versions that are read, preferred first.
            pub fn versions(self) -> &'static [&'static str] {
                match self { $( Self::$variant => &[$($version),+], )+ }
            }
        }
    };
}

kinds! {
    /// Routes by host.
    VirtualService: ISTIO_NETWORKING, "virtualservices", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// Policies and subsets of a host.
    DestinationRule: ISTIO_NETWORKING, "destinationrules", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// Ports and hosts of a gateway workload.
    Gateway: ISTIO_NETWORKING, "gateways", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// A host that is not a Kubernetes Service.
    ServiceEntry: ISTIO_NETWORKING, "serviceentries", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// What one workload's proxy listens on and sees.
    Sidecar: ISTIO_NETWORKING, "sidecars", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// One workload instance that is not a pod.
    WorkloadEntry: ISTIO_NETWORKING, "workloadentries", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// A template of WorkloadEntries. Kept as written.
    WorkloadGroup: ISTIO_NETWORKING, "workloadgroups", Namespaced, ["v1", "v1beta1", "v1alpha3"];
    /// Patches of raw proxy configuration. Kept as written and not applied.
    EnvoyFilter: ISTIO_NETWORKING, "envoyfilters", Namespaced, ["v1alpha3"];
    /// Settings of proxies. Kept as written.
    ProxyConfig: ISTIO_NETWORKING, "proxyconfigs", Namespaced, ["v1beta1"];
    /// Whether mutual TLS is demanded.
    PeerAuthentication: ISTIO_SECURITY, "peerauthentications", Namespaced, ["v1", "v1beta1"];
    /// Who may call what.
    AuthorizationPolicy: ISTIO_SECURITY, "authorizationpolicies", Namespaced, ["v1", "v1beta1"];
    /// Which JWTs are accepted.
    RequestAuthentication: ISTIO_SECURITY, "requestauthentications", Namespaced, ["v1", "v1beta1"];
    /// What is traced; what it says of metrics and the access log is kept as written.
    Telemetry: ISTIO_TELEMETRY, "telemetries", Namespaced, ["v1", "v1alpha1"];
    /// WebAssembly filters. Kept as written and not applied.
    WasmPlugin: ISTIO_EXTENSIONS, "wasmplugins", Namespaced, ["v1alpha1"];
    /// One installation of Weft and its mesh-wide settings.
    Mesh: WEFT, "meshes", Cluster, ["v1alpha1"];
    /// A Kubernetes Service.
    Service: "", "services", Namespaced, ["v1"];
    /// A part of a Kubernetes Service's endpoints.
    EndpointSlice: DISCOVERY, "endpointslices", Namespaced, ["v1"];
    /// A Kubernetes Pod.
    Pod: "", "pods", Namespaced, ["v1"];
    /// A Kubernetes Node.
    Node: "", "nodes", Cluster, ["v1"];
    /// A Kubernetes Namespace.
    Namespace: "", "namespaces", Cluster, ["v1"];
    /// A Kubernetes ConfigMap.
    ConfigMap: "", "configmaps", Namespaced, ["v1"];
    /// A Kubernetes Secret.
    Secret: "", "secrets", Namespaced, ["v1"];
}

/// Kinds of Kubernetes that live in no namespace and that manifests commonly hold beside the mesh's own.
const OTHER_CLUSTER_KINDS: &[&str] = &[
    "APIService",
    "CertificateSigningRequest",
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

impl Kind {
    /// The kind of this name in this group, if the mesh knows it.
    pub fn of(group: &str, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.group() == group && kind.name() == name)
    }

    /// Whether every kind of `group` is known, so that an unknown one is a mistake.
    pub fn owns_group(group: &str) -> bool {
        !group.is_empty() && Self::ALL.iter().any(|kind| kind.group() == group)
    }

    /// `group/version` in the preferred version.
    pub fn api_version(self) -> String {
        let version = self.versions()[0];
        if self.group().is_empty() { version.to_owned() } else { format!("{}/{version}", self.group()) }
    }

    /// Where objects of a kind live, the mesh's own or not. What is not known is taken to be namespaced.
    pub fn scope_of(group: &str, name: &str) -> Scope {
        match Self::of(group, name) {
            Some(kind) => kind.scope(),
            None if OTHER_CLUSTER_KINDS.contains(&name) => Scope::Cluster,
            None => Scope::Namespaced,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
