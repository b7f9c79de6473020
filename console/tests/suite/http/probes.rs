//! What a kubelet learns, by HTTP and by the program that it starts in the pod.

use std::{
    net::SocketAddr,
    process::{Command, Output},
};

use super::*;
use crate::parts::Postgres;

fn ask(address: SocketAddr) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft-console"));
    command.arg(format!("--listen={address}")).arg("ready").output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubelet_learns_how_the_console_is() {
    let mut server = Postgres::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", server.database().await)).unwrap();
    let console = Running::start(&[&format!("--database-file={}", file.path().display())]).await;
    let address = console.address;
    assert_eq!(
        (console.get("/healthz/live").await.status(), console.get("/healthz/ready").await.status()),
        (StatusCode::OK, StatusCode::OK)
    );
    assert!(ask(address).status.success());

    server.crash();
    until("it is not ready", async || (console.get("/healthz/ready").await.status() == 503).then_some(())).await;
    assert_eq!(console.get("/healthz/live").await.status(), 200, "a database that is away restarts nobody");
    let asked = ask(address);
    let told = String::from_utf8(asked.stderr).unwrap();
    assert_eq!(asked.status.code(), Some(1), "{told}");
    assert!(told.contains("is not ready (503): the database"), "{told}");

    server.come_back();
    until("it is ready again", async || ask(address).status.success().then_some(())).await;
    console.stop().await;
    assert_eq!(ask(address).status.code(), Some(1), "nobody answers");
}
