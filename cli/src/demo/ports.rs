//! Whether every port that the demo needs is free, asked before anything is started: a proxy whose listener cannot be
//! bound would only say so in its own log.

use std::net::{SocketAddr, TcpListener};

use weft_runtime::StartupError;

use super::plan::Plan;

/// Binds each address for a moment.
pub fn all_free(plan: &Plan) -> Result<(), StartupError> {
    plan.listeners().into_iter().try_for_each(free)
}

fn free(address: SocketAddr) -> Result<(), StartupError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(StartupError::bind(address, &error, "--port-base")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_remedy() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let error = free(address).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--port-base"), "{error}");
        drop(holder);
        free(address).unwrap();
    }
}
