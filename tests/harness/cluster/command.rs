//! `kubectl` and programs in pods, as an administrator would run them.

use std::{io::Write, process::Stdio};

use anyhow::{Context, Result};

use super::{Cluster, sandbox::checked};
use crate::process::program;

impl Cluster {
    /// Runs `kubectl` to its end; an error has what it said.
    pub async fn try_kubectl(&'static self, args: &[&str]) -> Result<String, String> {
        self.blocking(args, None).await
    }

    /// Runs `kubectl`; panics with what it said when it fails.
    pub async fn kubectl(&'static self, args: &[&str]) -> String {
        self.try_kubectl(args).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Applies manifests, refused or not.
    pub async fn try_apply(&'static self, yaml: &str) -> Result<String, String> {
        self.blocking(&["apply", "--server-side", "-f", "-"], Some(yaml.to_owned())).await
    }

    /// Applies manifests; panics when one is refused.
    pub async fn apply(&'static self, yaml: &str) -> String {
        self.try_apply(yaml).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Applies manifests also where others have written other values; panics when one is refused.
    pub async fn take_over(&'static self, yaml: &str) -> String {
        let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.blocking(&args, Some(yaml.to_owned())).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Deletes what manifests name and waits until it is gone.
    pub async fn delete(&'static self, yaml: &str) -> String {
        let deleted = self.blocking(&["delete", "--ignore-not-found", "-f", "-"], Some(yaml.to_owned())).await;
        deleted.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a program in a pod (`deploy/NAME` also names one) and gives what it printed, or what went wrong.
    pub async fn exec(
        &'static self,
        namespace: &str,
        pod: &str,
        container: &str,
        program: &[&str],
    ) -> Result<String, String> {
        self.blocking(&[&["exec", "-n", namespace, pod, "-c", container, "--"], program].concat(), None).await
    }

    /// Runs our own `weft` against this cluster; an error has what it said.
    pub async fn weft(&'static self, args: &[&str]) -> Result<String, String> {
        let mut command = tokio::process::Command::new(program("weft"));
        command.args(args).env("KUBECONFIG", self.kubeconfig()).env("HOME", self.dir());
        let output = command.output().await.map_err(|error| error.to_string())?;
        checked(&format!("weft {}", args.join(" ")), output).map_err(|error| format!("{error:#}"))
    }

    /// Applies manifests into a namespace, unless they name theirs.
    pub(super) async fn in_namespace(&'static self, namespace: &str, yaml: &str) -> Result<String, String> {
        self.blocking(&["-n", namespace, "apply", "-f", "-"], Some(yaml.to_owned())).await
    }

    async fn blocking(&'static self, args: &[&str], input: Option<String>) -> Result<String, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let run = tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            self.kubectl_now(&args, input.as_deref()).map_err(|error| format!("{error:#}"))
        });
        run.await.expect("kubectl does not panic")
    }

    /// Runs `kubectl` to its end with `input`, on this thread.
    pub fn kubectl_now(&self, args: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = std::process::Command::new(self.kubectl_program());
        command.args(args).env("KUBECONFIG", self.kubeconfig()).env("HOME", self.dir());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start kubectl")?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(input.as_bytes()).context("kubectl takes no input")?;
        }
        let output = child.wait_with_output().context("kubectl")?;
        checked(&format!("kubectl {}", args.join(" ")), output)
    }
}
