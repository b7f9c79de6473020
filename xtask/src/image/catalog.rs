//! Which images there are and what is in each.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{
    layer::{Layer, LayerBuilder},
    libraries,
};

/// One image.
pub struct Image {
    /// Name without hub and tag.
    pub name: &'static str,
    /// Lowest first.
    pub layers: Vec<Layer>,
    /// `uid:gid`.
    pub user: &'static str,
    /// The program and its first arguments.
    pub entrypoint: Vec<&'static str>,
    /// `NAME=value`.
    pub env: Vec<&'static str>,
}

/// Makes images, and layers only once.
pub struct Kitchen<'a> {
    root: &'a Path,
    programs: &'a Path,
    base: Layer,
    in_base: BTreeSet<PathBuf>,
}

const OTHERS: &str = "65532:65532";
const PATH: &str = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl<'a> Kitchen<'a> {
    /// Looks which libraries the programs share and makes the lowest layer of them.
    pub fn new(root: &'a Path, programs: &'a Path) -> Result<Self> {
        let mut in_base = BTreeSet::new();
        for name in ["weft-operator", "weft-proxy", "weft-console", "weft-demo-app"] {
            in_base.extend(libraries::of(&present(&programs.join(name))?)?);
        }
        let mut layer = LayerBuilder::default();
        for library in &in_base {
            layer.copy(library, library)?;
        }
        layer.folder("/tmp", 0o1777);
        let accounts = ["root:x:0:0", "weft-proxy:x:1337:1337", "weft:x:65532:65532"];
        layer.file("/etc/passwd", 0o644, accounts.map(|line| format!("{line}::/:/sbin/nologin\n")).concat());
        layer.file("/etc/group", 0o644, "root:x:0:\nweft-proxy:x:1337:\nweft:x:65532:\n");
        layer.file("/etc/nsswitch.conf", 0o644, "hosts: files dns\n");
        Ok(Self { root, programs, base: layer.finish()?, in_base })
    }

    /// What a mesh runs, and the demo's application.
    pub fn product(&mut self) -> Result<Vec<Image>> {
        let page = self.root.join("frontend/dist");
        let mut assets = LayerBuilder::default();
        if !page.join("index.html").is_file() {
            bail!("{} is missing: run cargo xtask frontend", page.display());
        }
        assets.copy_folder(Path::new("/usr/share/weft/console"), &page)?;
        Ok(vec![
            self.image("operator", OTHERS, "/usr/local/bin/weft-operator", vec![])?,
            self.image("proxy", "1337:1337", "/usr/local/bin/weft-proxy", vec![self.packet_filter()?])?,
            Image {
                env: vec![PATH, "WEFT_ASSETS=/usr/share/weft/console"],
                ..self.image("console", OTHERS, "/usr/local/bin/weft-console", vec![assets.finish()?])?
            },
            self.image("demo-app", OTHERS, "/usr/local/bin/weft-demo-app", vec![])?,
        ])
    }

    /// The sandbox image of a test cluster, one with a shell, curl and the demo's application, and where libfaketime is an
    /// operator whose environment can set its clock.
    pub fn test(&mut self) -> Result<Vec<Image>> {
        let mut shell = LayerBuilder::default();
        let busybox = tool("busybox", "busybox-static")?;
        self.program(&mut shell, &busybox)?;
        for name in ["sh", "sleep", "cat", "ls", "nc", "echo", "true", "wget", "ps", "mkdir", "touch", "ip"] {
            shell.link(Path::new("/usr/local/bin").join(name), &busybox);
        }
        let shell = shell.finish()?;
        let mut curl = LayerBuilder::default();
        self.program(&mut curl, &tool("curl", "curl")?)?;
        let mut images = vec![
            Image {
                name: "pause",
                layers: vec![self.base.clone(), shell.clone()],
                user: OTHERS,
                entrypoint: vec!["/usr/local/bin/sleep", "2147483647"],
                env: vec![PATH],
            },
            Image {
                name: "tools",
                entrypoint: vec!["/usr/local/bin/sleep", "2147483647"],
                ..self.image("demo-app", OTHERS, "/usr/local/bin/weft-demo-app", vec![shell, curl.finish()?])?
            },
        ];
        if let Some(library) = faketime() {
            let mut layer = LayerBuilder::default();
            layer.copy("/usr/local/lib/libfaketimeMT.so.1", &library)?;
            for needed in libraries::of(&library)?.difference(&self.in_base) {
                layer.copy(needed, needed)?;
            }
            let operator = self.image("operator", OTHERS, "/usr/local/bin/weft-operator", vec![layer.finish()?])?;
            images.push(Image { name: "operator-faketime", ..operator });
        }
        Ok(images)
    }

    /// What `samples/` runs beside the demo's application: this machine's Prometheus.
    pub fn samples(&mut self) -> Result<Vec<Image>> {
        let program = tool("prometheus", "prometheus")?;
        let mut layer = LayerBuilder::default();
        let inside = "/usr/bin/prometheus";
        layer.copy(Path::new(inside), &program)?;
        for library in libraries::of(&program)?.difference(&self.in_base) {
            layer.copy(library, library)?;
        }
        Ok(vec![Image {
            name: "prometheus",
            layers: vec![self.base.clone(), layer.finish()?],
            user: "65534:65534",
            entrypoint: vec![inside],
            env: vec![PATH],
        }])
    }

    fn image(
        &self,
        name: &'static str,
        user: &'static str,
        program: &'static str,
        between: Vec<Layer>,
    ) -> Result<Image> {
        let file = Path::new(program).file_name().context("a program has a name")?;
        let mut own = LayerBuilder::default();
        own.file(program, 0o755, stripped(&present(&self.programs.join(file))?)?);
        let layers = [vec![self.base.clone()], between, vec![own.finish()?]].concat();
        Ok(Image { name, layers, user, entrypoint: vec![program], env: vec![PATH] })
    }

    /// What `weft-proxy capture` runs: nft, and iptables for kernels without nf_tables.
    fn packet_filter(&self) -> Result<Layer> {
        let mut layer = LayerBuilder::default();
        self.program(&mut layer, &tool("nft", "nftables")?)?;
        let iptables = tool("xtables-legacy-multi", "iptables")?;
        self.program(&mut layer, &iptables)?;
        for name in
            ["iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"]
        {
            layer.link(iptables.with_file_name(name), "xtables-legacy-multi");
        }
        let extensions = self.extensions()?;
        for extension in ["standard", "tcp", "udp", "owner", "REDIRECT", "comment", "addrtype", "mark", "conntrack"] {
            for family in ["libxt", "libipt", "libip6t"] {
                let path = extensions.join(format!("{family}_{extension}.so"));
                if path.is_file() {
                    layer.copy(&path, &path)?;
                }
            }
        }
        layer.finish()
    }

    /// Where iptables keeps its extensions: beside libxtables.
    fn extensions(&self) -> Result<PathBuf> {
        let libraries = libraries::of(&tool("nft", "nftables")?)?;
        let library = libraries.iter().find(|path| path.to_string_lossy().contains("libxtables"));
        let library = library.context("nft is built without libxtables; install Debian's package nftables")?;
        // Debian's /lib is a link to /usr/lib, where iptables was told to look.
        let real = fs::canonicalize(library).with_context(|| format!("cannot find {}", library.display()))?;
        Ok(real.with_file_name("xtables"))
    }

    /// A program of this machine with the libraries that the lowest layer lacks.
    fn program(&self, layer: &mut LayerBuilder, program: &Path) -> Result<()> {
        layer.copy(program, program)?;
        for library in libraries::of(program)?.difference(&self.in_base) {
            layer.copy(library, library)?;
        }
        Ok(())
    }
}

/// Debian's libfaketime, as scripts/bootstrap test installs it.
fn faketime() -> Option<PathBuf> {
    let of = |arch: &str| PathBuf::from(format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketimeMT.so.1"));
    ["x86_64", "aarch64"].map(of).into_iter().find(|library| library.is_file())
}

/// The program without symbols and debug information, which are most of a debug build.
fn stripped(program: &Path) -> Result<Vec<u8>> {
    let copy = tempfile::NamedTempFile::new().context("cannot make a temporary file")?.into_temp_path();
    let output = Command::new("strip").arg("-o").arg(&copy).arg(program).output();
    let output = output.context("cannot start strip; install binutils")?;
    if !output.status.success() {
        bail!("strip {}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::read(&copy).context("cannot read what strip wrote")
}

fn present(program: &Path) -> Result<PathBuf> {
    if !program.is_file() {
        bail!("{} is missing: run make build", program.display());
    }
    Ok(program.to_owned())
}

fn tool(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("{name} is missing: run scripts/bootstrap cluster, or install Debian's package {package}")
        })
}
