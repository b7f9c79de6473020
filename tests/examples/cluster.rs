//! `make cluster`: the suite's Kubernetes for people. It stays until Ctrl-C.

use weft_tests::cluster::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(cluster) = Cluster::get().await else { std::process::exit(2) };
    if let Err(error) = cluster.import_samples() {
        eprintln!("samples/prometheus.yaml will not run: {error:#}");
    }
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("alias kubectl={}", cluster.kubectl_program().display());
    println!("alias weft={}", weft_tests::process::program("weft").display());
    println!(
        "# Weft's images are on the node, and those that samples/ needs: pull policy Never or IfNotPresent finds them."
    );
    println!("# Ctrl-C ends the cluster and removes it.");
    tokio::signal::ctrl_c().await.expect("signals");
    println!("ending");
    std::process::exit(0);
}
