//! Addresses of a test's own.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

const CLAIM_PORT: u16 = 65_001;

/// Claims a /24 of 127.0.0.0/8 that no other test and no demo uses.
pub(crate) fn claim() -> ([u8; 2], TcpListener) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 8000) as u16;
    loop {
        let number = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 8000;
        // 127.1.x to 127.3.x are below any demo's (its first byte is a port's, at least 4).
        let prefix = [1 + (number / 250 % 3) as u8, 1 + (number % 250) as u8];
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::new(127, prefix[0], prefix[1], 1), CLAIM_PORT)) {
            return (prefix, listener);
        }
    }
}
