//! End-to-end tests with real components. They need what `scripts/bootstrap` installs and what `make test` builds.

mod chapter;
mod console;
mod demo;
mod garbage;
mod lint;
mod protocols;
mod resilience;
