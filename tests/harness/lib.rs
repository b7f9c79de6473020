//! What the suite is built on: estates of real operators, proxies, applications, Prometheus and Chromium, each with
//! addresses and a directory of its own.

pub mod browser;
pub mod chapter;
pub mod cluster;
pub mod demo;
pub mod estate;
pub mod http;
pub mod jar;
pub mod load;
pub mod oidc;
pub mod page;
pub mod process;
pub mod prometheus;
pub mod relay;
pub mod wait;
pub mod zipkin;
