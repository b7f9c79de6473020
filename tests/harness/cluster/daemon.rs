//! A program of the cluster that runs until it is told otherwise, and can be taken away for a while.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::sandbox::Sandbox;
use crate::process::signal;

/// One program: how it is started, and the process when it runs.
pub struct Daemon {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Daemon {
    /// Starts it; what it prints goes to `dir/<name>.log`.
    pub fn start(
        sandbox: &Sandbox,
        name: &'static str,
        program: PathBuf,
        args: Vec<String>,
        dir: &Path,
    ) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let daemon = Self { name, program, args, log, child: Mutex::new(None) };
        daemon.resume(sandbox)?;
        Ok(daemon)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Starts it when it does not run.
    pub fn resume(&self, sandbox: &Sandbox) -> Result<()> {
        let mut child = self.child.lock().expect("daemon");
        if child.is_some() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(&self.log).context("cannot open a log")?;
        let mut command = sandbox.command(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        *child = Some(sandbox.spawn(command)?);
        Ok(())
    }

    /// Asks it to end, and kills it after `limit`.
    pub fn stop(&self, limit: Duration) {
        let Some(mut child) = self.child.lock().expect("daemon").take() else { return };
        signal(child.id(), libc::SIGTERM);
        let started = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && started.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(child.kill());
        drop(child.wait());
    }

    /// How it ended, when it has, though nobody stopped it.
    pub fn ended(&self) -> Option<String> {
        let mut child = self.child.lock().expect("daemon");
        let status = child.as_mut()?.try_wait().ok()??;
        Some(format!("{} ended with {status}:\n{}", self.name, self.last_words()))
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}
