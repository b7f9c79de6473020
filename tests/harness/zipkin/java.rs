//! How Zipkin is started. The console's own tests take this file too.

use std::{net::SocketAddr, path::Path};

/// Java's arguments for the zipkin.jar of a folder, in little memory; it keeps spans there and listens at `address`.
pub fn arguments(folder: &Path, address: SocketAddr) -> [String; 7] {
    [
        "-Xmx160m".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-jar".to_owned(),
        folder.join("zipkin.jar").display().to_string(),
        format!("--armeria.ports[0].port={}", address.port()),
        "--armeria.ports[0].protocols=HTTP".to_owned(),
        format!("--armeria.ports[0].ip={}", address.ip()),
    ]
}
