//! gRPC messages of Istio that `envoy-types` does not have: the certificate service and the workload table.
//! Wire-compatible with Istio's own; kept here once so that operator and proxy cannot disagree.

pub mod ca;
pub mod workload;
