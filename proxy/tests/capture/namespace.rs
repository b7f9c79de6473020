//! A pod's network in miniature: the namespace of this process, and one beyond a veth pair.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, SockRef, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(10);
/// Ports that are served beyond the pod.
const BEYOND_PORTS: [u16; 3] = [80, 53, 81];

/// Why namespaces cannot be made here.
pub fn missing() -> Option<String> {
    for program in ["unshare", "nsenter", "ip", "nft", "iptables-restore", "ip6tables-restore", "bash"] {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        if !path.split(':').any(|dir| std::path::Path::new(dir).join(program).is_file()) {
            return Some(format!("{program} is missing; run scripts/bootstrap"));
        }
    }
    match Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => None,
        _ => Some("no network namespace can be made; run it as root".into()),
    }
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The namespace beyond, with its servers. Everything ends when it is dropped.
pub struct Beyond {
    process: Child,
}

impl Drop for Beyond {
    fn drop(&mut self) {
        // It is gone already if that fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Beyond {
    /// Gives this namespace the addresses `own`, the other one `peer` and, behind a route, `excluded`.
    pub fn start(own: [&str; 2], peer: [&str; 2], excluded: [&str; 2]) -> Self {
        run("ip", &["link", "set", "lo", "up"]);
        let process = Command::new("unshare")
            .arg("--net")
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "beyond_the_pod"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let beyond = Self { process };
        let pid = beyond.pid();
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let started = Instant::now();
        while namespace(&pid) == namespace("self") {
            assert!(started.elapsed() < PATIENCE, "the other namespace does not come");
            thread::sleep(Duration::from_millis(5));
        }
        run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        let [v4, v6] = own;
        run("ip", &["addr", "add", &format!("{v4}/24"), "dev", "eth0"]);
        run("ip", &["addr", "add", &format!("{v6}/64"), "dev", "eth0", "nodad"]);
        run("ip", &["link", "set", "eth0", "up"]);
        beyond.run("ip", &["link", "set", "lo", "up"]);
        beyond.run("ip", &["link", "set", "eth0", "up"]);
        for (address, bits) in [(peer[0], 24), (peer[1], 64), (excluded[0], 32), (excluded[1], 128)] {
            let mut args = vec!["addr", "add"];
            let address = format!("{address}/{bits}");
            args.extend([address.as_str(), "dev", "eth0"]);
            if address.contains(':') {
                args.push("nodad");
            }
            beyond.run("ip", &args);
        }
        for (excluded, peer) in excluded.iter().zip(peer) {
            run("ip", &["route", "add", excluded, "via", peer]);
        }
        for port in BEYOND_PORTS {
            let started = Instant::now();
            while TcpStream::connect_timeout(&SocketAddr::new(peer[0].parse().unwrap(), port), PATIENCE).is_err() {
                assert!(started.elapsed() < PATIENCE, "nobody listens beyond");
                thread::sleep(Duration::from_millis(5));
            }
        }
        beyond
    }

    fn pid(&self) -> String {
        self.process.id().to_string()
    }

    fn run(&self, program: &str, args: &[&str]) {
        run("nsenter", &[&["--target", &self.pid(), "--net", program], args].concat());
    }
}

/// Serves beyond the pod until killed.
pub fn serve_beyond() {
    for port in BEYOND_PORTS {
        let listener = listen(Ipv6Addr::UNSPECIFIED.into(), port, false);
        thread::spawn(move || answer(&listener, |_, _| "beyond".into()));
    }
    // Whoever started it kills it; if that process dies, this bounds its life.
    thread::sleep(Duration::from_secs(120));
}

fn listen(ip: IpAddr, port: u16, only_v6: bool) -> TcpListener {
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if ip.is_ipv6() {
        socket.set_only_v6(only_v6).unwrap();
    }
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(64).unwrap();
    socket.into()
}

fn answer(listener: &TcpListener, word: impl Fn(&TcpStream, SocketAddr) -> String) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let Ok(peer) = stream.peer_addr() else { continue };
        let word = word(&stream, peer);
        // A client that only tries the port is gone by now.
        let _ = stream.write_all(word.as_bytes());
    }
}

/// Listens as the proxy does and tells where each connection was going.
pub fn serve_proxy(port: u16, word: &'static str) {
    for any in ["0.0.0.0", "::"] {
        let listener = listen(any.parse().unwrap(), port, true);
        thread::spawn(move || {
            answer(&listener, |stream, _| {
                let socket = SockRef::from(stream);
                let original = if any == "::" { socket.original_dst_v6() } else { socket.original_dst_v4() };
                match original {
                    Ok(original) => format!("{word} {}", original.as_socket().unwrap()),
                    Err(error) => format!("{word} {error}"),
                }
            })
        });
    }
}

/// Tells who asks.
pub fn serve_application(port: u16) {
    let listener = listen(Ipv6Addr::UNSPECIFIED.into(), port, false);
    thread::spawn(move || answer(&listener, |_, peer| format!("application {}", peer.ip().to_canonical())));
}

/// What is answered at an address, to the application.
pub fn ask(address: SocketAddr) -> String {
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => read(stream),
        Err(error) => error.to_string(),
    }
}

fn read(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => text,
        Err(error) => error.to_string(),
    }
}

/// The same from an address of its own.
pub fn bypassing(from: IpAddr, address: SocketAddr) -> String {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if let Err(error) = socket.bind(&SocketAddr::new(from, 0).into()) {
        return format!("cannot dial from {from}: {error}");
    }
    match socket.connect_timeout(&address.into(), PATIENCE) {
        Ok(()) => read(socket.into()),
        Err(error) => error.to_string(),
    }
}

fn script(address: SocketAddr) -> String {
    format!("exec 3<>/dev/tcp/{}/{}; timeout 10 cat <&3", address.ip(), address.port())
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&text).into_owned()
}

/// The same as the proxy's user.
pub fn as_proxy(address: SocketAddr) -> String {
    output(Command::new("bash").args(["-c", &script(address)]).current_dir("/").uid(1337).gid(1337))
}

/// The same from beyond the pod.
pub fn from_beyond(beyond: &Beyond, address: SocketAddr) -> String {
    output(Command::new("nsenter").args(["--target", &beyond.pid(), "--net", "bash", "-c", &script(address)]))
}
