//! The `weft` command on a cluster: every subcommand, for people and as JSON.

mod console;
mod install;
mod kubeconfig;
mod questions;
mod report;
mod upgrade;

use std::{path::Path, process::Output};

use serde_json::Value;
use weft_tests::{cluster::Cluster, process::program};

/// What a run of `weft` gave.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The output, when it ended with this code.
    fn code(self, wanted: i32) -> Self {
        assert_eq!(self.code, wanted, "{self:#?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Runs `weft` with the cluster's kubeconfig, or with other variables in its place.
async fn with(cluster: &'static Cluster, variables: &[(&str, &str)], args: &[&str]) -> Run {
    start(&program("weft"), cluster, variables, args).await
}

async fn weft(cluster: &'static Cluster, args: &[&str]) -> Run {
    with(cluster, &[], args).await
}

async fn start(program: &Path, cluster: &'static Cluster, variables: &[(&str, &str)], args: &[&str]) -> Run {
    let mut command = tokio::process::Command::new(program);
    command.args(args).env("KUBECONFIG", cluster.kubeconfig()).env("HOME", cluster.dir()).current_dir(cluster.dir());
    for (name, value) in variables {
        command.env(name, value);
    }
    Run::of(&command.output().await.expect("it starts"))
}
