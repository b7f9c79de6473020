//! `istio.workload.Workload` (<https://github.com/istio/ztunnel/blob/master/proto/workload.proto>), the fields in use.

/// One row of the workload table, keyed by `uid` and found by address.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Workload {
    /// Globally unique, opaque; here `<cluster>/<kind>/<namespace>/<name>`. The xDS resource name.
    #[prost(string, tag = "20")]
    pub uid: String,
    /// Pod or WorkloadEntry name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Namespace.
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// Addresses in network byte order, 4 or 16 bytes each.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub addresses: Vec<Vec<u8>>,
    /// Trust domain; empty means the mesh's.
    #[prost(string, tag = "6")]
    pub trust_domain: String,
    /// Service account.
    #[prost(string, tag = "7")]
    pub service_account: String,
    /// Canonical service (`service.istio.io/canonical-name`, `app.kubernetes.io/name`, `app`, else workload name).
    #[prost(string, tag = "10")]
    pub canonical_name: String,
    /// Canonical revision (`service.istio.io/canonical-revision`, `app.kubernetes.io/version`, `version`, else `latest`).
    #[prost(string, tag = "11")]
    pub canonical_revision: String,
    /// Name of the workload that owns the instance.
    #[prost(string, tag = "13")]
    pub workload_name: String,
    /// Cluster.
    #[prost(string, tag = "18")]
    pub cluster_id: String,
    /// `app` label, as `source_app` shows it. Beyond Istio's message; unknown to its readers and skipped by them.
    #[prost(string, tag = "1001")]
    pub app: String,
    /// `version` label. Beyond Istio's message.
    #[prost(string, tag = "1002")]
    pub version: String,
}
