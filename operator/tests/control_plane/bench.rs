//! A running operator in directories of its own.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use weft_model::sync::{ObjectAck, ProxySync};
use weft_operator::{
    Operator, Options, SourceKind,
    ca::{Authority, StateDir, TokenStore, tokens::NewToken},
};
use weft_runtime::Shutdown;

/// How long a test waits for something before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One operator.
pub struct Bench {
    dir: TempDir,
    /// Where proxies connect.
    pub listen: SocketAddr,
    admin: SocketAddr,
    /// Stops it.
    pub shutdown: Shutdown,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Bench {
    /// Starts an operator on these files.
    pub async fn start(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("config")).unwrap();
        let mut bench = Self {
            dir,
            listen: "127.0.0.1:0".parse().unwrap(),
            admin: "127.0.0.1:0".parse().unwrap(),
            shutdown: Shutdown::new(),
            running: None,
        };
        for (name, text) in files {
            bench.write(name, text);
        }
        bench.launch().await;
        bench
    }

    /// Options of the next start; ports are kept once they are known.
    pub fn options(&self) -> Options {
        Options {
            source: SourceKind::Directory,
            config_dir: Some(self.dir.path().join("config")),
            state_dir: Some(self.dir.path().join("state")),
            ca_dir: None,
            listen: self.listen,
            admin: self.admin,
            webhooks: "127.0.0.1:0".parse().unwrap(),
            trust_domain: "cluster.local".into(),
            domain: "cluster.local".into(),
            root_namespace: "istio-system".into(),
            cluster_id: "Kubernetes".into(),
            namespace: "weft-system".into(),
            revision: String::new(),
            mesh: String::new(),
            cert_ttl: Duration::from_secs(3600),
        }
    }

    async fn launch(&mut self) {
        let operator = Operator::bind(self.options()).await.unwrap();
        self.listen = operator.listen_address().unwrap();
        self.admin = operator.admin_address().unwrap();
        self.shutdown = Shutdown::new();
        self.running = Some(tokio::spawn(operator.serve(self.shutdown.clone())));
    }

    /// Stops it, and tells how long that took.
    pub async fn stop(&mut self) -> Duration {
        let start = std::time::Instant::now();
        self.shutdown.begin();
        if let Some(running) = self.running.take() {
            running.await.unwrap().unwrap();
        }
        start.elapsed()
    }

    /// Stops it and starts it again on the same ports and directories.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.launch().await;
    }

    /// The state directory.
    pub fn state(&self) -> StateDir {
        StateDir::open(self.dir.path().join("state")).unwrap()
    }

    /// The root certificate and its hash.
    pub fn authority(&self) -> Authority {
        Authority::load_or_create(&self.state(), "cluster.local", Duration::from_secs(60)).unwrap()
    }

    /// Writes a manifest as an editor does: beside it, then over it.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join("config").join(name);
        let fresh = self.dir.path().join("fresh");
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, path).unwrap();
    }

    /// Path of a manifest.
    pub fn manifest(&self, name: &str) -> PathBuf {
        self.dir.path().join("config").join(name)
    }

    /// A join token for `default/<account>`.
    pub fn token(&self, account: &str, uses: u32) -> String {
        let wish = NewToken {
            namespace: "default".into(),
            service_account: account.into(),
            ttl: Duration::from_secs(600),
            uses,
        };
        let store = TokenStore::open(&self.state()).unwrap();
        store.create(&wish, &self.authority().root_hash(), OffsetDateTime::now_utc()).unwrap().0.reveal()
    }

    /// `GET` on the admin port: status and body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// `/debug/syncz`.
    pub async fn syncz(&self) -> Vec<ProxySync> {
        serde_json::from_str(&self.get("/debug/syncz").await.1).unwrap()
    }

    /// `/debug/acks`, by object name.
    pub async fn ack(&self, name: &str) -> Option<ObjectAck> {
        let rows: Vec<ObjectAck> = serde_json::from_str(&self.get("/debug/acks").await.1).unwrap();
        rows.into_iter().find(|row| row.object.name == name)
    }

    /// Waits until `/debug/acks` says of an object what `holds` wants.
    pub async fn ack_when(&self, name: &str, holds: impl Fn(&ObjectAck) -> bool) -> ObjectAck {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let row = self.ack(name).await;
            if let Some(row) = &row
                && holds(row)
            {
                return row.clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "{name} is {row:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}
