//! What a test says about its workloads.

/// One workload instance of an estate.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Namespace.
    pub namespace: String,
    /// WorkloadEntry name.
    pub name: String,
    /// `app` label, service account and Service name.
    pub app: String,
    /// `version` label.
    pub version: String,
    /// Whether it has a proxy.
    pub proxy: bool,
    /// Whether it is an ingress gateway (no application).
    pub gateway: bool,
    /// Further flags of the demo application.
    pub app_flags: Vec<String>,
    /// Whether an application runs behind it.
    pub serves: bool,
    /// Ports beside HTTP on 8080: (name, number). The name tells the protocol; the application's is 1000 above.
    pub ports: Vec<(String, u16)>,
    /// Further egress listeners: (port name, hosts as a Sidecar writes them, port).
    pub calls: Vec<(String, String, u16)>,
}

impl Workload {
    /// A service with a proxy, called `app`, in version `v1`.
    pub fn new(namespace: &str, app: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: app.into(),
            app: app.into(),
            version: "v1".into(),
            proxy: true,
            gateway: false,
            app_flags: Vec::new(),
            serves: true,
            ports: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Another version of the same service; the workload is then called `<app>-<version>`.
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self.name = format!("{}-{version}", self.app);
        self
    }

    /// Another name for the instance, so that a version can have several.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Without a proxy.
    pub fn unmeshed(mut self) -> Self {
        self.proxy = false;
        self
    }

    /// Only calls others: no application behind it, the test itself dials its egress address.
    pub fn client(mut self) -> Self {
        self.serves = false;
        self
    }

    /// A further port; the test itself listens 1000 above it on the instance's address.
    pub fn port(mut self, name: &str, number: u16) -> Self {
        self.ports.push((name.into(), number));
        self
    }

    /// Calls `host` (`namespace/name` or `*/*`) on a further port; `name` tells the protocol.
    pub fn calls(mut self, name: &str, host: &str, port: u16) -> Self {
        self.calls.push((name.into(), host.into(), port));
        self
    }

    /// An ingress gateway with the label `istio: ingressgateway`.
    pub fn ingress(namespace: &str) -> Self {
        Self { gateway: true, serves: false, ..Self::new(namespace, "istio-ingressgateway") }
    }

    /// A flag of the demo application, such as `--fail-every=10`.
    pub fn flag(mut self, flag: &str) -> Self {
        self.app_flags.push(flag.into());
        self
    }
}
