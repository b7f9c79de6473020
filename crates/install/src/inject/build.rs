//! The injected pod.

use serde_json::{Map, Value, json};
use weft_api::mesh::{Quantity, Resources, proxy_config_duration};

use super::{
    InjectConfig, InjectError,
    annotations::{Annotations, LOG_LEVEL, TEMPLATES},
    capture, labels, list, merge, probes,
    prometheus::{self, Prometheus},
    restore::{OVERRIDES, STATUS},
    table,
};
use crate::{
    proxy::{self, CONTAINER, INIT_CONTAINER, Role},
    render::{env, restricted},
};

/// Adds the proxy to a pod that has none of ours.
pub(super) fn build(pod: &mut Value, config: &InjectConfig) -> Result<(), InjectError> {
    let annotations = Annotations::of(pod);
    let proxy_config = annotations.proxy_config(&config.proxy_config)?;
    let gateway = annotations.get(TEMPLATES).is_some_and(|names| names.contains("gateway"));
    let captured = !gateway && annotations.captured(&proxy_config)?;
    let native = !gateway && annotations.flag("sidecar.istio.io/nativeSidecar")?.unwrap_or(config.native_sidecars);
    let resources = annotations.resources(&config.resources)?;
    let image = annotations.get("sidecar.istio.io/proxyImage").unwrap_or(&config.image).to_owned();
    let log_level = annotations.get(LOG_LEVEL).and_then(proxy::log_level).map(str::to_owned);
    let mounts = annotations.named("sidecar.istio.io/userVolumeMount")?;
    let user_volumes = annotations.named("sidecar.istio.io/userVolume")?;
    let capture_args = if captured { Some(capture::args(&annotations)?) } else { None };
    let rewrite = annotations.flag("sidecar.istio.io/rewriteAppHTTPProbers")?.unwrap_or(config.rewrite_probes);

    let mut config = InjectConfig { image, ..config.clone() };
    if let Some(level) = log_level {
        config.log_level = level;
    }
    let role = if gateway { Role::Gateway } else { Role::Sidecar { captured } };
    let mut container = proxy::container(&config, role);
    container["resources"] = json!(resources);
    for (field, value) in Annotations::of(pod).readiness()? {
        container["readinessProbe"][field] = value.into();
    }
    settings(&mut container, &config, &proxy_config, &resources);
    push(
        &mut container,
        "volumeMounts",
        mounts.into_iter().map(|(name, mut mount)| {
            mount.insert("name".into(), name.into());
            Value::Object(mount)
        }),
    );

    let taken = if gateway { None } else { prometheus::take_over(pod, config.prometheus_merge)? };
    if let Some(Prometheus { application: Some(application), .. }) = &taken {
        push(&mut container, "env", [env("WEFT_PROMETHEUS", application.to_string())]);
    }
    if rewrite && !gateway {
        let moved = probes::rewrite(pod);
        if !moved.is_empty() {
            push(&mut container, "env", [env("WEFT_APP_PROBES", Value::Object(moved).to_string())]);
        }
    }
    let hold = proxy_config.get("holdApplicationUntilProxyStarts").and_then(Value::as_bool).unwrap_or(true);
    if native {
        container["restartPolicy"] = "Always".into();
    } else if hold && !gateway {
        container["lifecycle"]["postStart"] = json!({"exec": {"command": [proxy::PROGRAM, "wait"]}});
    }
    let originals = merge::take_over(pod, &mut container);

    let init = capture_args.map(|args| init_container(&config, &resources, args));
    let init_names: Vec<&str> = init.iter().map(|_| INIT_CONTAINER).chain(native.then_some(CONTAINER)).collect();
    let container_names: Vec<&str> = if native { vec![] } else { vec![CONTAINER] };
    let status_names = json!({"initContainers": init_names, "containers": container_names});
    place(pod, init, container, native, hold || gateway);
    let volumes = volumes(pod, user_volumes);
    let secrets = pull_secrets(pod, &config);

    labels::add(pod, &config, gateway);
    let mut status = status_names;
    status["volumes"] = volumes.into();
    status["imagePullSecrets"] = secrets.into();
    status["revision"] = config.revision.as_str().into();
    if let Some(Prometheus { written, .. }) = taken {
        status["prometheus"] = Value::Object(written);
    }
    if let Some(annotations) = table(pod, "annotations") {
        annotations.insert(STATUS.into(), status.to_string().into());
        if let Some(originals) = originals {
            annotations.insert(OVERRIDES.into(), originals.to_string().into());
        }
    }
    Ok(())
}

fn push(container: &mut Value, field: &str, more: impl IntoIterator<Item = Value>) {
    if let Some(list) = container[field].as_array_mut() {
        list.extend(more);
    }
}

/// What ProxyConfig says that is the program's own flag.
fn settings(container: &mut Value, config: &InjectConfig, proxy_config: &Map<String, Value>, resources: &Resources) {
    let mut more = Vec::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let threads = proxy_config.get("concurrency").and_then(|value| text(value).parse::<u64>().ok()).filter(|n| *n > 0);
    // As many as it may use at once; more would be throttled in turns.
    let cores = || resources.limits.get("cpu").and_then(Quantity::value).map(|cores| cores.ceil().max(1.0) as u64);
    if let Some(threads) = threads.or_else(cores) {
        more.push(env("WEFT_CONCURRENCY", threads.min(256).to_string()));
    }
    // The program's own notation has no fractions.
    let whole = |value: &Value| {
        let millis = proxy_config_duration(value)?.as_millis();
        Some(if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") })
    };
    if let Some(time) = proxy_config.get("terminationDrainDuration").and_then(whole) {
        more.push(env("WEFT_DRAIN_TIME", time));
    }
    let metadata = proxy_config.get("proxyMetadata").and_then(Value::as_object);
    more.extend(config.span_variables(proxy_config, |name| metadata.is_some_and(|all| all.contains_key(name))));
    for (name, value) in metadata.into_iter().flatten() {
        match name.as_str() {
            "MINIMUM_DRAIN_DURATION" => {
                more.extend(whole(value).map(|time| env("WEFT_MINIMUM_DRAIN_TIME", time)));
            }
            "EXIT_ON_ZERO_ACTIVE_CONNECTIONS" => more.push(env("WEFT_DRAIN_UNTIL_IDLE", text(value))),
            _ => more.push(env(name, text(value))),
        }
    }
    push(container, "env", more);
}

fn init_container(config: &InjectConfig, resources: &Resources, args: Vec<String>) -> Value {
    let mut security = restricted(0);
    security["runAsNonRoot"] = false.into();
    security["capabilities"]["add"] = json!(["NET_ADMIN", "NET_RAW"]);
    // iptables takes a lock in /run where nft does not work.
    security["readOnlyRootFilesystem"] = false.into();
    json!({
        "name": INIT_CONTAINER,
        "image": config.image,
        "imagePullPolicy": config.image_pull_policy.as_str(),
        "args": args,
        "resources": resources,
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    })
}

/// A native sidecar starts before every other init container, which then have a mesh; without it they need the network
/// as it is, so that capture comes after them.
fn place(pod: &mut Value, init: Option<Value>, container: Value, native: bool, first: bool) {
    if native {
        if let Some(list) = list(pod, "initContainers") {
            list.splice(0..0, init.into_iter().chain([container]));
        }
        return;
    }
    if let (Some(init), Some(list)) = (init, list(pod, "initContainers")) {
        list.push(init);
    }
    if let Some(list) = list(pod, "containers") {
        let at = if first { 0 } else { list.len() };
        list.insert(at, container);
    }
}

/// Adds the volumes that are not there and says their names.
fn volumes(pod: &mut Value, user: Vec<(String, Map<String, Value>)>) -> Vec<String> {
    let user = user.into_iter().map(|(name, mut volume)| {
        volume.insert("name".into(), name.into());
        Value::Object(volume)
    });
    let wanted = proxy::volumes().into_iter().chain(user);
    let Some(list) = list(pod, "volumes") else { return Vec::new() };
    let mut added = Vec::new();
    for volume in wanted {
        if !list.iter().any(|present| present["name"] == volume["name"]) {
            added.push(volume["name"].as_str().unwrap_or_default().to_owned());
            list.push(volume);
        }
    }
    added
}

fn pull_secrets(pod: &mut Value, config: &InjectConfig) -> Vec<String> {
    if config.image_pull_secrets.is_empty() {
        return Vec::new();
    }
    let Some(list) = list(pod, "imagePullSecrets") else { return Vec::new() };
    let mut added = Vec::new();
    for name in &config.image_pull_secrets {
        if !list.iter().any(|present| present["name"] == name.as_str()) {
            list.push(json!({"name": name}));
            added.push(name.clone());
        }
    }
    added
}
