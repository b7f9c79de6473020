//! The cluster that the others build on does what a cluster does.

use std::time::Duration;

use weft_tests::{
    cluster::Cluster,
    wait::{ensure, until},
};

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: weft/demo-app:0.1.0
        imagePullPolicy: Never
        args: [serve, --name=web, '--listen=[::]:8080']
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ipFamilyPolicy: PreferDualStack, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers: [{name: client, image: 'weft/tools:0.1.0', imagePullPolicy: Never}]
  terminationGracePeriodSeconds: 0
";

#[tokio::test]
async fn pods_services_and_names_work() {
    let Some(cluster) = Cluster::get().await else { return };
    let namespace = cluster.namespace("smoke", &[]).await;
    namespace.apply(WEB).await;
    cluster.rolled_out(&namespace.name, "web", Duration::from_secs(60)).await;
    namespace.kubectl(&["wait", "pod/client", "--for=condition=Ready", "--timeout=60s"]).await;

    let url = format!("http://web.{}.svc.cluster.local/hello", namespace.name);
    for family in ["-4", "-6"] {
        let curl = ["curl", family, "-sS", "--max-time", "5", url.as_str()];
        until("a Service answers by name", Duration::from_secs(20), || async {
            let answer = namespace.exec("client", "client", &curl).await?;
            ensure(answer.contains("\"service\":\"web\""), || answer.clone())
        })
        .await;
    }
    let api = ["curl", "-sSk", "--max-time", "5", "https://kubernetes.default.svc/readyz"];
    assert_eq!(namespace.exec("client", "client", &api).await.unwrap(), "ok", "the API is reached from a pod");
    let outside = ["curl", "-sS", "--max-time", "5", "http://nowhere.test/"];
    let error = namespace.exec("client", "client", &outside).await.unwrap_err();
    assert!(error.contains("Could not resolve"), "{error}");
}
