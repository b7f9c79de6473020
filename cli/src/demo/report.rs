//! What the demo says once it runs.

use std::time::Duration;

use serde_json::json;

use super::{directory::Directory, plan::Plan, supervisor::Supervisor};

/// For people: where things are and what to try.
pub fn text(plan: &Plan, directory: &Directory, link: Option<&str>, took: Duration) -> String {
    let https = plan.gateway_https();
    let console = match link {
        None => format!("Console     http://{}", plan.console()),
        Some(link) => format!(
            "Console     {link}\n            \
             (signs you in once; the next link is then in {})",
            directory.sign_in_link().display()
        ),
    };
    format!(
        "Ready in {:.1} s.\n\n\
         {console}\n\
         Prometheus  http://{}\n\
         Manifests   {}\n\
         Logs        {}\n\n\
         Try:\n\
         - Console, Canaries: move order-service from 10 to 50 % and watch the observed share follow.\n\
         - Console, Graph: the broken lock is legacy-billing, which has no proxy.\n\
         - curl --cacert {} --resolve api.example.com:{}:{} https://api.example.com:{}/api/v1/orders\n\
         - weft lint {}\n\
         - Kill the operator: traffic goes on, and it comes back.\n\n\
         Ctrl-C stops everything and leaves nothing behind.",
        took.as_secs_f64(),
        plan.prometheus(),
        directory.manifests().display(),
        directory.logs().display(),
        directory.gateway_certificate().display(),
        https.port(),
        https.ip(),
        https.port(),
        directory.manifests().display(),
    )
}

/// For scripts: one line.
pub fn json(plan: &Plan, directory: &Directory, link: Option<&str>, supervisor: &Supervisor) -> anyhow::Result<String> {
    let processes: Vec<_> = supervisor
        .running()
        .map(|(spec, pid)| json!({ "workload": spec.workload, "role": spec.role, "pid": pid }))
        .collect();
    let proxies: Vec<_> = plan
        .instances
        .iter()
        .filter(|instance| instance.proxy.is_some())
        .map(|instance| {
            json!({
                "workload": format!("{}/{}", instance.namespace, instance.name),
                "address": plan.ip(instance.host),
                "metrics": format!("http://{}/stats/prometheus", plan.metrics(instance)),
            })
        })
        .collect();
    Ok(serde_json::to_string(&json!({
        "console": format!("http://{}", plan.console()),
        "signIn": link,
        "signInFile": link.map(|_| directory.sign_in_link()),
        "prometheus": format!("http://{}", plan.prometheus()),
        "operatorAdmin": format!("http://{}", plan.operator_admin()),
        "gateways": [{
            "workload": "istio-ingress/istio-ingressgateway",
            "http": plan.gateway_http(),
            "https": plan.gateway_https(),
            "certificate": directory.gateway_certificate(),
        }],
        "manifests": directory.manifests(),
        "logs": directory.logs(),
        "proxies": proxies,
        "processes": processes,
    }))?)
}
