//! Pieces that several rooms use.

pub mod attention;
pub mod banner;
pub mod chart;
pub mod copy;
pub mod diff;
pub mod help;
pub mod modal;
pub mod person;
pub mod placeholder;
pub mod rail;
pub mod scope;
pub mod search;
pub mod session;
pub mod shape;
pub mod toasts;
pub mod token;
pub mod topbar;
