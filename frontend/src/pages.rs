//! The rooms.

pub mod canaries;
pub mod configuration;
pub mod graph;
pub mod mesh;
pub mod traces;
pub mod workloads;
