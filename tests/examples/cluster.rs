//! `make cluster`: the suite's Kubernetes for people. It stays until Ctrl-C, or until its terminal is closed.

use std::io::Write;

use tokio::signal::unix::{Signal, SignalKind, signal};
use weft_tests::cluster::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(cluster) = Cluster::get().await else { std::process::exit(2) };
    if let Err(error) = cluster.import_samples() {
        eprintln!("samples/prometheus.yaml will not run: {error:#}");
    }
    let [mut interrupt, mut terminate, mut hang_up] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(caught);
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("alias kubectl={}", cluster.kubectl_program().display());
    println!("alias weft={}", weft_tests::process::program("weft").display());
    println!(
        "# Weft's images are on the node, and those that samples/ needs: pull policy Never or IfNotPresent finds them."
    );
    println!("# Ctrl-C ends the cluster and removes it.");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    // A terminal that was closed takes no words, and the cluster must go all the same.
    drop(writeln!(std::io::stdout(), "ending"));
    std::process::exit(0);
}

fn caught(kind: SignalKind) -> Signal {
    signal(kind).expect("signals")
}
