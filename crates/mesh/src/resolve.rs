//! What follows from several objects together: who sees whom, which policy holds, where a port leads. Everything here
//! answers from a [`crate::Snapshot`] and keeps nothing.

pub mod authorization;
pub mod delegate;
pub mod destination_rule;
pub mod endpoints;
pub mod gateway;
pub mod mutual_tls;
pub mod protocol;
pub mod scope;
pub mod telemetry;
pub mod virtual_service;
