//! What `samples/` holds, running: the shop with its shoppers, and a Prometheus that scrapes it.

use std::{fs, time::Duration};

use super::Cluster;
use crate::process::root;

/// The samples on the cluster. They go when the value does.
pub struct Shop {
    cluster: &'static Cluster,
}

const FILES: [&str; 2] = ["prometheus.yaml", "shop.yaml"];
const LIMIT: Duration = Duration::from_secs(120);

impl Cluster {
    /// Applies the samples as the README says and waits until everything runs. The mesh has to be there, or the shop's pods
    /// get no proxies.
    pub async fn shop(&'static self) -> Shop {
        tokio::task::spawn_blocking(move || self.import_samples())
            .await
            .expect("no panic")
            .expect("the samples' image");
        let shop = Shop { cluster: self };
        for file in FILES {
            let text = fs::read_to_string(root().join("samples").join(file)).expect("samples");
            self.apply(&text).await;
        }
        self.rolled_out("istio-system", "prometheus", LIMIT).await;
        for name in ["storefront", "checkout-bff", "order-service-v1", "order-service-v2", "payment-service"] {
            self.rolled_out("shop", name, LIMIT).await;
        }
        shop
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for file in FILES {
            let path = root().join("samples").join(file);
            let args = ["delete", "--ignore-not-found", "--wait=false", "-f", &path.display().to_string()];
            drop(self.cluster.kubectl_now(&args, None));
        }
    }
}
