//! The machine that a cluster believes it has: mount, network, process, host-name and IPC namespaces of its own. When
//! its first process is killed the kernel ends every other, and with them go mounts, bridges, routes and packet filters.
//! The kernel kills the first process when the thread that started it ends, so not even a crash leaves any behind.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
};

use anyhow::{Context, Result, bail};

/// A running sandbox.
pub struct Sandbox {
    holder: u32,
    entered: Arc<[File]>,
    jobs: Sender<Job>,
}

struct Job {
    command: Command,
    answer: SyncSender<std::io::Result<Child>>,
}

/// What the first process does before it sleeps: a `/run` of its own (xtables lock, network namespaces of pods), and the
/// folders whose names programs do not let us choose. It ignores SIGCHLD, so the kernel reaps its orphans.
const FIRST: &str = r#"set -e
mount -t tmpfs tmpfs /run
for dir in /var/log /var/lib/cni /var/lib/kubelet; do
  mkdir -p "$dir" "$1/private$dir"
  mount --bind "$1/private$dir" "$dir"
done
ip link set lo up
for switch in net.ipv4.ip_forward net.ipv6.conf.all.forwarding; do
  [ ! -e "/proc/sys/$(echo $switch | tr . /)" ] || sysctl -qw $switch=1
done
trap '' CHLD
echo ready
exec sleep 2147483647
"#;

impl Sandbox {
    /// Starts one that keeps what it writes in `dir`.
    pub fn start(dir: &Path) -> Result<Self> {
        let (started, ready) = sync_channel(1);
        let (jobs, work) = channel::<Job>();
        let dir = dir.to_owned();
        // This thread lives as long as the process: the sandbox and all in it are bound to it.
        std::thread::Builder::new().name("cluster".into()).spawn(move || {
            let holder = match first(&dir) {
                Ok(holder) => holder,
                Err(error) => return drop(started.send(Err(error))),
            };
            // From here on the children of this thread are born inside. It can no longer start threads, which it does not.
            let entered = enter_process_namespace(holder.id())
                .map_err(|error| anyhow::anyhow!("cannot enter the process namespace: {error}"));
            if started.send(entered.map(|()| holder.id())).is_err() {
                return;
            }
            for mut job in work {
                drop(job.answer.send(job.command.spawn()));
            }
        })?;
        let holder = ready.recv().context("the cluster's thread ended")??;
        let open = |name: &str| File::open(format!("/proc/{holder}/ns/{name}"));
        let entered = ["mnt", "net", "uts", "ipc"].map(open).into_iter().collect::<std::io::Result<Vec<_>>>();
        Ok(Self { holder, entered: entered.context("cannot open the namespaces")?.into(), jobs })
    }

    /// A process whose network namespace is the sandbox's, for `ip link … netns`.
    pub fn pid(&self) -> u32 {
        self.holder
    }

    /// A command that runs inside once it is given to [`Self::spawn`] or [`Self::run`].
    #[allow(unsafe_code)]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let entered = self.entered.clone();
        // A group of its own: Ctrl-C is for us, and we tell it.
        command.process_group(0);
        // SAFETY: between fork and exec only setns and prctl are called, which are system calls that touch no memory of
        // ours; the descriptors live in the Arc that the closure holds.
        unsafe {
            command.pre_exec(move || {
                for namespace in entered.iter() {
                    set_namespace(namespace.as_raw_fd(), 0)?;
                }
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            })
        };
        command
    }

    /// Starts a command made by [`Self::command`].
    pub fn spawn(&self, command: Command) -> Result<Child> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (answer, child) = sync_channel(1);
        self.jobs.send(Job { command, answer }).ok().context("the sandbox has ended")?;
        child.recv().context("the sandbox has ended")?.with_context(|| format!("cannot start {name}"))
    }

    /// Runs a command made by [`Self::command`] to its end; its output, or an error that has what it said.
    pub fn run(&self, mut command: Command) -> Result<String> {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = self.spawn(command)?.wait_with_output().with_context(|| what.clone())?;
        checked(&what, output)
    }

    /// Ends it and all that runs in it, at once.
    pub fn end(&self) {
        crate::process::signal(self.holder, libc::SIGKILL);
    }
}

/// The output as text when the command succeeded.
pub fn checked(what: &str, output: Output) -> Result<String> {
    if !output.status.success() {
        bail!("{what}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts the first process and waits until its world is set up.
#[allow(unsafe_code)]
fn first(dir: &Path) -> Result<Child> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]);
    command.args(["sh", "-c", FIRST, "sh"]).arg(dir).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec only prctl is called, which touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        })
    };
    let mut child = command.spawn().context("cannot start unshare; install util-linux")?;
    let mut line = String::new();
    let stdout = child.stdout.take().context("unshare has no output")?;
    BufReader::new(stdout).read_line(&mut line).context("cannot read from unshare")?;
    if line.trim() != "ready" {
        let output = child.wait_with_output().context("unshare")?;
        bail!("this machine lets us make no namespaces: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    // What it may still say on stderr would otherwise fill the pipe.
    child.stderr.take();
    Ok(child)
}

fn enter_process_namespace(holder: u32) -> std::io::Result<()> {
    let namespace = File::open(format!("/proc/{holder}/ns/pid_for_children"))?;
    set_namespace(namespace.as_raw_fd(), libc::CLONE_NEWPID)
}

#[allow(unsafe_code)]
fn set_namespace(descriptor: RawFd, kind: i32) -> std::io::Result<()> {
    // SAFETY: setns takes two integers and touches no memory.
    match unsafe { libc::setns(descriptor, kind) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
