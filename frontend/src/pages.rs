//! The rooms.

pub mod audit;
pub mod canaries;
pub mod configuration;
pub mod graph;
pub mod mesh;
pub mod sign_in;
pub mod traces;
pub mod workloads;
