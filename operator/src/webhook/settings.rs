//! The settings of injection, as the reconciler wrote them into a ConfigMap.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher::watch_object},
};
use tokio::sync::watch;
use weft_install::{InjectConfig, names};
use weft_runtime::Shutdown;

use crate::options::Options;

/// The present settings; `None` before they were read.
pub type SettingsWatch = watch::Receiver<Option<Arc<InjectConfig>>>;

/// Follows ConfigMap `weft-mesh[-revision]` until shutdown. One that is gone or cannot be read leaves the last in force.
pub fn follow(client: &Client, options: &Options, shutdown: Shutdown) -> SettingsWatch {
    let name = options.revisioned(names::MESH_CONFIG_MAP);
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &options.namespace);
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let mut events = watch_object(api, &name).default_backoff().boxed();
        loop {
            let next = tokio::select! { next = events.next() => next, () = shutdown.wait() => return };
            match next {
                Some(Ok(Some(map))) => match read(&map) {
                    Ok(config) => {
                        sender.send_replace(Some(Arc::new(config)));
                    }
                    Err(error) => {
                        tracing::error!(config_map = name, %error, "the settings of injection cannot be read")
                    }
                },
                Some(Ok(None)) => tracing::warn!(config_map = name, "there are no settings of injection"),
                Some(Err(error)) => tracing::warn!(config_map = name, %error, "cannot watch the settings of injection"),
                None => return,
            }
        }
    });
    receiver
}

fn read(map: &ConfigMap) -> serde_json::Result<InjectConfig> {
    let text = map.data.as_ref().and_then(|data| data.get(names::INJECTION_KEY)).map_or("", String::as_str);
    serde_json::from_str(text)
}
