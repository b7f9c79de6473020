//! The mesh on a real Kubernetes. All tests share one cluster; each has a namespace of its own.

mod bad;
mod cluster;
mod gateway;
mod install;
mod load;
mod sidecar;
mod upgrade;
mod webhook;
mod workload;
mod zones;
