//! `weft bug-report`: what somebody needs who is to find out what is wrong, in one directory, without any secret.

mod clean;
mod collect;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;
use time::{OffsetDateTime, macros::format_description};
use weft_runtime::StartupError;

use crate::{
    cluster::{ClusterArgs, block_on},
    output::{self, Answer, OutputArgs, plural},
};

/// Collect what is needed to find out what is wrong, into a directory. Secrets are never read; values of headers, plugins and
/// environments are left out.
#[derive(Clone, Debug, clap::Args)]
pub struct BugReportArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The directory, which must not exist; by default weft-bug-report-<time> here.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Lines of each log.
    #[arg(long, default_value_t = 2000, value_name = "LINES")]
    log_lines: i64,
    /// The most proxies of which configuration and log are taken; those that are not ready come first.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    proxies: usize,
}

/// How much is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    log_lines: i64,
    proxies: usize,
}

/// Collects and says where.
pub fn run(args: BugReportArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.cluster.connect().await?;
        let dir = args.dir.unwrap_or_else(default_dir);
        let mut bag = Bag::create(&dir)?;
        let limits = Limits { log_lines: args.log_lines, proxies: args.proxies };
        collect::everything(&cluster, limits, &mut bag).await?;
        output::print(args.output.output, &bag.report())?;
        Ok(ExitCode::SUCCESS)
    })
}

fn default_dir() -> PathBuf {
    let format = format_description!("[year][month][day]-[hour][minute][second]");
    let now = OffsetDateTime::now_utc().format(format).unwrap_or_default();
    PathBuf::from(format!("weft-bug-report-{now}"))
}

/// The directory that is filled.
pub struct Bag {
    dir: PathBuf,
    files: Vec<String>,
    missing: Vec<String>,
    tried: BTreeSet<String>,
}

impl Bag {
    fn create(dir: &Path) -> anyhow::Result<Self> {
        // Configuration tells much about a company: it is for its owner's eyes until the owner hands it on.
        fs::DirBuilder::new().mode(0o700).create(dir).map_err(|error| {
            StartupError::new(
                format!("cannot create {}", dir.display()),
                error,
                "name a directory that does not exist yet with --dir",
            )
        })?;
        Ok(Self { dir: dir.to_path_buf(), files: Vec::new(), missing: Vec::new(), tried: BTreeSet::new() })
    }

    /// Puts a file in. Names come from the cluster, so only harmless letters stay.
    pub fn put(&mut self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let name: Vec<String> = name.split('/').map(harmless).collect();
        let path = name.iter().fold(self.dir.clone(), |path, part| path.join(part));
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent.and_then(|()| fs::write(&path, content)).map_err(|error| {
            let remedy = "make room, or name a directory elsewhere with --dir; what is there already can be used";
            StartupError::new(format!("cannot write {}", path.display()), error, remedy)
        })?;
        // A gateway belongs to the installation and is a proxy.
        let name = name.join("/");
        if !self.files.contains(&name) {
            self.files.push(name);
        }
        Ok(())
    }

    /// Whether `what` is asked for the first time. A gateway belongs to the installation and is a proxy: it comes by twice.
    pub fn first(&mut self, what: String) -> bool {
        self.tried.insert(what)
    }

    /// Notes what could not be had.
    pub fn miss(&mut self, what: &str, why: &dyn std::fmt::Display) {
        self.missing.push(format!("{what}: {why}"));
    }

    fn report(self) -> Report {
        Report { dir: self.dir.display().to_string(), files: self.files, missing: self.missing }
    }
}

fn harmless(part: &str) -> String {
    let clean: String = part
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' })
        .collect();
    if clean.trim_matches('.').is_empty() { "_".into() } else { clean }
}

/// What was collected.
#[derive(Debug, Serialize)]
struct Report {
    dir: String,
    files: Vec<String>,
    missing: Vec<String>,
}

impl Answer for Report {
    fn text(&self) -> String {
        let mut text = format!("{} with {}.\n", self.dir, plural(self.files.len(), "file"));
        if !self.missing.is_empty() {
            text.push_str("\nMissing:\n");
            for words in &self.missing {
                text.push_str(&format!("  {words}\n"));
            }
        }
        text.push_str("\nIt holds no Secret, but names of workloads and hosts, and logs: look through it before you hand it on.\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_the_directory() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("report");
        let mut bag = Bag::create(&dir).unwrap();
        bag.put("../../etc/passwd", b"x").unwrap();
        bag.put("logs/shop/web 1.log", b"y").unwrap();
        bag.miss("log of shop/gone", &"not found");
        assert!(dir.join("_/_/etc/passwd").is_file() && dir.join("logs/shop/web_1.log").is_file());
        assert!(Bag::create(&dir).err().unwrap().to_string().contains("--dir"));
        let report = bag.report();
        assert!(
            report.text().contains("2 files") && report.text().contains("log of shop/gone: not found"),
            "{}",
            report.text()
        );
    }
}
