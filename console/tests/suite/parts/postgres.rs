//! A real Postgres in a directory of its own, reached by a Unix socket there, which nothing outlives.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{Connection, PgConnection};

use super::until;

/// Postgres refuses to run as root; these are Debian's numbers of nobody and nogroup.
const NOBODY: u32 = 65534;

/// Stops the server and removes the directory when it is told to, or when the thread that started it ends.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 >>"$2/log" 2>&1 &
server=$!
trap 'kill -INT $server; wait $server; rm -rf "$2"; exit 0' TERM
wait $server
"#;

/// A running server.
pub struct Postgres {
    programs: PathBuf,
    dir: PathBuf,
    keeper: Child,
    databases: AtomicUsize,
}

impl Postgres {
    /// The server that tests share, each with a database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<&'static Postgres> = LazyLock::new(|| {
            let (send, receive) = std::sync::mpsc::channel();
            // A thread that lasts as long as the process: the server ends with whoever started it.
            std::thread::spawn(move || {
                let server: &'static Postgres = Box::leak(Box::new(Postgres::start()));
                send.send(server).expect("somebody waits");
                loop {
                    std::thread::park();
                }
            });
            receive.recv().expect("Postgres starts")
        });
        *SHARED
    }

    /// A server of one's own.
    pub fn start() -> Self {
        let programs = programs();
        let dir = tempfile::Builder::new().prefix("weft-postgres-").tempdir().unwrap().keep();
        if is_root() {
            chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = Command::new(programs.join("initdb"));
        command.arg("-D").arg(dir.join("data")).args([
            "-U",
            "weft",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        let made = harmless(&mut command).current_dir(&dir).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let keeper = keep(&programs, &dir);
        Self { programs, dir, keeper, databases: AtomicUsize::new(0) }
    }

    /// Makes an empty database and gives its address.
    pub async fn database(&self) -> String {
        let name = format!("weft_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.administrate(&format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs a statement as the administrator.
    pub async fn administrate(&self, sql: &str) {
        let mut connection = self.connect("postgres").await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn connect(&self, name: &str) -> PgConnection {
        let url = self.url(name);
        until("Postgres answers", async || PgConnection::connect(&url).await.ok()).await
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://weft@localhost/{name}?host={}", self.dir.display())
    }

    /// Ends the server at once, as a crash of its machine would.
    pub fn crash(&mut self) {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.dir.join("data")).args(["stop", "-m", "immediate"]);
        let stopped = harmless(&mut command).current_dir(&self.dir).output().unwrap();
        assert!(stopped.status.success(), "pg_ctl: {}", String::from_utf8_lossy(&stopped.stderr));
        self.keeper.wait().unwrap();
    }

    /// Starts it again, with what it held.
    pub fn come_back(&mut self) {
        self.keeper = keep(&self.programs, &self.dir);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.keeper.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.keeper.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn keep(programs: &Path, dir: &Path) -> Child {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.args(["--pdeathsig=TERM", "sh", "-c", KEEPER, "keeper"]).arg(programs).arg(dir);
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn harmless(command: &mut Command) -> &mut Command {
    if is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

/// Debian keeps the server's programs outside of the PATH, by version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let all = found.into_iter().rev().chain(std::env::split_paths(&on_path));
    all.into_iter()
        .find(|dir| dir.join("postgres").is_file() && dir.join("initdb").is_file())
        .expect("Postgres is missing: run scripts/bootstrap test, or install Debian's package postgresql")
}
