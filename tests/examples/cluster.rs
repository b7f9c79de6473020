//! `make cluster`: the suite's Kubernetes for people. It stays until Ctrl-C.

use weft_tests::cluster::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(cluster) = Cluster::get().await else { std::process::exit(2) };
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("alias kubectl={}", cluster.kubectl_program().display());
    println!("# Weft's images are on the node: weft/operator, weft/proxy, weft/console, weft/demo-app, weft/tools.");
    println!("# Ctrl-C ends the cluster and removes it.");
    tokio::signal::ctrl_c().await.expect("signals");
    println!("ending");
    std::process::exit(0);
}
