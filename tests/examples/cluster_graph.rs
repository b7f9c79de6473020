//! `make screenshots`: the graph of a cluster's traffic for docs/: the mesh, the shop and Prometheus as the README brings
//! them, seen through port-forward. As root, because it starts a Kubernetes.

use std::time::Duration;

use weft_tests::{
    browser::Browser,
    cluster::{Cluster, mesh::SYSTEM},
    process::root,
};

/// The slowest sign that everything flows: the edge of the workload without a proxy.
const DRAWN: &str =
    "[data-testid=graph-edges] [data-edge=\"shop/legacy-billing->shop/payment-service\"][data-lock=plaintext]";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(cluster) = Cluster::get().await else { std::process::exit(2) };
    let mesh = cluster.mesh().await;
    let shop = cluster.shop().await;
    let console = cluster.forward(SYSTEM, "deployment/weft-console", 20001).await;
    let browser = Browser::start(1440, 900, false).await;
    let page = format!("http://{}/#/graph", console.address);
    browser.open(&page).await;
    browser.attribute_where("the graph is drawn", DRAWN, "data-lock", Duration::from_secs(120), |_| true).await;
    // A minute and a half of traffic, so that rates over the shortest window are the true ones.
    tokio::time::sleep(Duration::from_secs(90)).await;
    browser.open("about:blank").await;
    browser.open(&page).await;
    browser.wait_for(DRAWN).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let path = root().join("docs/screenshots/cluster-graph.png");
    browser.screenshot(&path).await;
    println!("{}", path.display());
    browser.close().await;
    drop((console, shop, mesh));
    // Ends the cluster.
    std::process::exit(0);
}
