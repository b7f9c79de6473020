//! Starts, watches and stops the demo's processes.

use std::{
    fs::File,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::process::{Child, Command};
use weft_runtime::StartupError;

use super::{
    directory::{Directory, write_private},
    program::Programs,
    spec::{Spec, TokenFor},
    words,
};

struct Running {
    spec: Spec,
    child: Child,
    log: PathBuf,
    /// Restarts so far; a process that keeps ending is not started for ever.
    restarts: u32,
}

/// Starts, watches and stops processes. Dropping it kills what still runs.
pub struct Supervisor {
    programs: Programs,
    logs: PathBuf,
    running: Vec<Running>,
}

const RESTARTS: u32 = 20;
const RESTART_AFTER: Duration = Duration::from_secs(1);
const STOP_PATIENCE: Duration = Duration::from_secs(10);

impl Supervisor {
    /// Nothing runs yet.
    pub fn new(programs: Programs, logs: PathBuf) -> Self {
        Self { programs, logs, running: Vec::new() }
    }

    /// The end of what the processes of a workload said; logs go with the demo's directory.
    pub fn last_output(&self, workload: &str) -> String {
        let of = |running: &&Running| running.spec.workload.rsplit('/').next() == Some(workload);
        let logs = self.running.iter().filter(of).filter_map(|running| std::fs::read_to_string(&running.log).ok());
        logs.map(|log| words::tail(&log)).collect::<Vec<_>>().join("\n")
    }

    /// What runs, with process ids.
    pub fn running(&self) -> impl Iterator<Item = (&Spec, u32)> {
        self.running.iter().filter_map(|running| Some((&running.spec, running.child.id()?)))
    }

    /// Starts one process.
    pub async fn spawn(&mut self, spec: Spec, directory: &Directory) -> anyhow::Result<()> {
        let (child, log) = self.start(&spec, directory).await?;
        self.running.push(Running { spec, child, log, restarts: 0 });
        Ok(())
    }

    async fn start(&self, spec: &Spec, directory: &Directory) -> anyhow::Result<(Child, PathBuf)> {
        if let Some(token) = &spec.token {
            write_private(&token.file, &self.join_token(token, directory).await?)?;
        }
        let name = format!("{}.{}.log", spec.workload.replace('/', "."), spec.role);
        let log = self.logs.join(name);
        let output = File::options().create(true).append(true).open(&log)?;
        let program = self.programs.path(spec.program);
        let mut command = Command::new(&program);
        command.args(&spec.args).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        // A group of its own, so that Ctrl-C reaches only the demo, which then stops everything in order.
        command.process_group(0);
        die_with_parent(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok((child, log))
    }

    async fn join_token(&self, token: &TokenFor, directory: &Directory) -> anyhow::Result<Vec<u8>> {
        let output = Command::new(&self.programs.weft)
            .args(["ca", "token", "create", "--uses", "3", "--ttl", "10m", "--namespace", token.namespace])
            .args(["--service-account", token.service_account])
            .arg("--state-dir")
            .arg(directory.state())
            .output()
            .await?;
        anyhow::ensure!(
            output.status.success(),
            "cannot make a join token: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(output.stdout)
    }

    /// Whether all that was started still runs; an error with the last words of the one that does not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        for running in &mut self.running {
            if let Some(status) = running.child.try_wait()? {
                return Err(ended(running, status));
            }
        }
        Ok(())
    }

    /// Watches for processes that end, and starts them again as a kubelet would. Returns only when one keeps ending.
    pub async fn watch(&mut self, directory: &Directory, say: &impl Fn(&str)) -> anyhow::Error {
        loop {
            tokio::time::sleep(RESTART_AFTER).await;
            for index in 0..self.running.len() {
                let running = &mut self.running[index];
                let status = match running.child.try_wait() {
                    Ok(None) => continue,
                    Ok(Some(status)) => status,
                    Err(error) => return error.into(),
                };
                if running.restarts == RESTARTS {
                    return ended(running, status);
                }
                let spec = running.spec.clone();
                say(&format!("{} ({}) ended with {status}; starting it again.", spec.workload, spec.role));
                match self.start(&spec, directory).await {
                    Ok((child, _)) => self.running[index].child = child,
                    // The operator may be away, without which there is no token: try again next time.
                    Err(error) => say(&format!("{} ({}): {error:#}", spec.workload, spec.role)),
                }
                self.running[index].restarts += 1;
            }
        }
    }

    /// Asks everything to stop, last started first, and kills what has not after ten seconds.
    pub async fn stop(&mut self) {
        for running in self.running.iter().rev() {
            if let Some(pid) = running.child.id() {
                terminate(pid);
            }
        }
        let all = async {
            for running in &mut self.running {
                // An error means that it is gone already.
                drop(running.child.wait().await);
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends everything at once.
    pub async fn kill(&mut self) {
        for running in &mut self.running {
            // An error means that it is gone already.
            drop(running.child.kill().await);
        }
    }
}

fn ended(running: &Running, status: ExitStatus) -> anyhow::Error {
    let log = std::fs::read_to_string(&running.log).unwrap_or_default();
    let who = format!("{} ({}) ended with {status}", running.spec.workload, running.spec.role);
    let reason = words::reason(&log);
    let remedy = match words::besides(&log, &reason) {
        Some(more) => {
            eprintln!("{more}");
            "correct what it names; its last output is above"
        }
        None => "correct what it names",
    };
    StartupError::new(who, reason, remedy).into()
}

/// Asks the kernel to kill the child when the demo dies without having stopped it, by SIGKILL for example.
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == -1 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

#[allow(unsafe_code)]
fn terminate(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: kill takes two integers; the child has not been waited for, so its id is still its own.
    unsafe { libc::kill(pid, libc::SIGTERM) };
}
