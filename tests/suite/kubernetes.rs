//! The mesh on a real Kubernetes. All tests share one cluster; each has a namespace of its own.

mod cluster;
