//! The mesh on a real Kubernetes. All tests share one cluster; each has a namespace of its own.

mod bad;
mod cli;
mod clock;
mod cluster;
mod console;
mod definitions;
mod gateway;
mod helm;
mod install;
mod load;
mod outage;
mod profiles;
mod roots;
mod sidecar;
mod source;
mod told;
mod upgrade;
mod vm;
mod webhook;
mod workload;
mod zones;
