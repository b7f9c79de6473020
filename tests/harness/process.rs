//! Child processes that end with the test.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Where the workspace's programs are: beside the test binary's `deps` folder.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test binary has a path");
    let dir = test.ancestors().nth(2).expect("test binaries lie in deps/");
    let path = dir.join(name);
    assert!(path.is_file(), "{} is missing: run make test, which builds it first", path.display());
    path
}

/// A program from the PATH or /usr/sbin. Tests need it: its absence is a failure that names the package.
pub fn tool(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: run scripts/bootstrap, or install Debian's package {package}"))
}

/// Where a folder of tests/ stands with what it needs from npm.
pub fn npm_folder(name: &str) -> PathBuf {
    let output = Command::new(root().join("scripts/npm-folder")).arg(name).output().expect("scripts/npm-folder starts");
    assert!(output.status.success(), "scripts/npm-folder {name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// The project's root: of the checkout that cargo runs us from, because several may share a target directory.
pub fn root() -> PathBuf {
    let running = std::env::var_os("CARGO_MANIFEST_DIR");
    let manifest = running.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().expect("tests/ lies in the project").to_path_buf()
}

/// A running process. Dropping it asks it to stop and kills it when it does not.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Whether it leads a process group, which then ends with it.
    leads: bool,
}

impl Process {
    /// Starts `program` with its output in `dir/<name>.log`.
    pub fn start<A: AsRef<OsStr>>(name: &str, program: &Path, args: impl IntoIterator<Item = A>, dir: &Path) -> Self {
        Self::spawn(name, Command::new(program).args(args), dir)
    }

    /// Starts a command with its output in `dir/<name>.log`.
    pub fn spawn(name: &str, command: &mut Command, dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("log file");
        let child = bound_to_us(command)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("log file"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        Self { name: name.to_owned(), child, log, leads: false }
    }

    /// Starts a command in a process group of its own, which is killed as a whole when this value goes.
    pub fn spawn_group(name: &str, command: &mut Command, dir: &Path) -> Self {
        let mut process = Self::spawn(name, command.process_group(0), dir);
        process.leads = true;
        process
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Panics with its last words when it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("wait") {
            panic!("{} ended with {status}:\n{}", self.name, tail(&self.output()));
        }
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&mut self, number: i32) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.child.id(), number);
        }
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Sends SIGTERM and waits.
    pub fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        signal(self.child.id(), libc::SIGTERM);
        self.wait(limit)
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return Some(status);
            }
            if started.elapsed() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        resident(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) && self.terminate(Duration::from_secs(8)).is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if self.leads {
            // Whoever is left of the group; the group keeps its number as long as one is.
            signal_group(self.child.id(), libc::SIGKILL);
        }
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.name, tail(&self.output()));
        }
    }
}

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

fn tail(output: &str) -> String {
    let lines: Vec<_> = output.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// Sends a signal.
#[allow(unsafe_code)]
pub fn signal(pid: u32, number: i32) {
    // SAFETY: kill takes two integers and touches no memory.
    unsafe { libc::kill(pid as libc::pid_t, number) };
}

/// Sends a signal to each process of a group.
#[allow(unsafe_code)]
fn signal_group(leader: u32, number: i32) {
    // SAFETY: kill takes two integers and touches no memory.
    unsafe { libc::kill(-(leader as libc::pid_t), number) };
}

/// Asks the kernel to end the child when the thread that started it ends, however it ends.
#[allow(unsafe_code)]
fn bound_to_us(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        })
    }
}
