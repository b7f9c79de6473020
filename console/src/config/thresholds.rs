//! The thresholds of the mesh: a file, read again when it changes, or a text. A file that turns wrong leaves the last good
//! one in force, and is told of.

use std::{
    fs::{self, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, task::JoinHandle};
use weft_model::{Diagnostic, Severity, diagnostic::shortened};
use weft_runtime::{Shutdown, StartupError};

use crate::{estate::THRESHOLDS, graph::health::HealthConfig};

/// How often the file is looked at. A mounted ConfigMap is swapped by a link, which notifications on the file miss.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How much of a file is read, in bytes: more than may be in it, so that one too long is refused rather than cut.
const MOST: u64 = 1024 * 1024;

/// What is in force, and what is wrong with what should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// The last that could be read.
    pub config: Arc<HealthConfig>,
    /// Why the file is not in force as it is now.
    pub finding: Option<Diagnostic>,
}

/// Thresholds that are followed.
pub struct FollowedThresholds {
    /// The present ones.
    pub present: watch::Receiver<Thresholds>,
    /// Follows the file until shutdown; ends at once without one.
    pub task: JoinHandle<()>,
}

/// Reads the file or the text; at the start a wrong one is an error. Kiali's defaults hold without either.
pub fn open(file: Option<&Path>, text: Option<&str>, shutdown: Shutdown) -> Result<FollowedThresholds, StartupError> {
    let refuse = |what: String, why: String| {
        StartupError::new(format!("cannot use {what}"), why, "correct it; docs/health.md shows the shape")
    };
    let config = match (file, text) {
        (Some(path), _) => read(path).map_err(|why| refuse(format!("--health-config {}", path.display()), why))?,
        (None, Some(text)) => {
            HealthConfig::parse(text).map_err(|why| refuse("--health-rates".to_owned(), why.to_string()))?
        }
        (None, None) => HealthConfig::default(),
    };
    let (publish, present) = watch::channel(Thresholds { config: Arc::new(config), finding: None });
    let file = file.map(Path::to_owned);
    let task = tokio::spawn(async move {
        if let Some(file) = file {
            tokio::select! {
                () = follow(file, publish) => {}
                () = shutdown.wait() => {}
            }
        }
    });
    Ok(FollowedThresholds { present, task })
}

async fn follow(file: PathBuf, publish: watch::Sender<Thresholds>) {
    // Nothing is known of the file as it was at the start: the first look reads it once more.
    let mut seen = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = fs::metadata(&file).ok().and_then(|meta| stamp(&meta));
        if seen == Some(now) {
            continue;
        }
        seen = Some(now);
        let read = read(&file);
        if let Err(why) = &read {
            tracing::error!(%why, file = %file.display(), "the thresholds are wrong; what they were before stays in force");
        }
        publish.send_if_modified(|present| take(present, &file, read));
    }
}

/// Takes what was read, and says whether that changed anything.
fn take(present: &mut Thresholds, file: &Path, read: Result<HealthConfig, String>) -> bool {
    let next = match read {
        Ok(config) => Thresholds { config: Arc::new(config), finding: None },
        Err(why) => Thresholds { config: present.config.clone(), finding: Some(finding(file, &why)) },
    };
    let changed = *present != next;
    *present = next;
    changed
}

fn read(file: &Path) -> Result<HealthConfig, String> {
    let text = || -> io::Result<String> {
        let mut text = String::new();
        fs::File::open(file)?.take(MOST).read_to_string(&mut text)?;
        Ok(text)
    };
    HealthConfig::parse(&text().map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

fn stamp(meta: &Metadata) -> Option<(SystemTime, u64)> {
    Some((meta.modified().ok()?, meta.len()))
}

fn finding(file: &Path, why: &str) -> Diagnostic {
    Diagnostic {
        code: THRESHOLDS.to_owned(),
        aliases: Vec::new(),
        severity: Severity::Warning,
        message: shortened(&format!("the thresholds of the mesh cannot be read: {why}")).into_owned(),
        object: None,
        field: String::new(),
        file: Some(file.display().to_string()),
        line: None,
        column: None,
        suggestion: Some("until then what the file said before holds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_leaves_the_last_good_one_in_force_and_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("health.yaml");
        let write = |failure: &str| {
            fs::write(&file, format!("rate:\n- tolerance: [{{code: 5XX, failure: {failure}}}]\n")).unwrap();
        };
        let mut present = Thresholds::default();
        write("30");
        assert!(take(&mut present, &file, read(&file)));
        let good = present.config.clone();
        assert!(good.of("shop", "workload", "cart").is_some());
        assert!(!take(&mut present, &file, read(&file)), "the same again is no news");
        write("300");
        assert!(take(&mut present, &file, read(&file)));
        assert_eq!(present.config, good);
        assert!(present.finding.as_ref().is_some_and(|finding| finding.message.contains("300")), "{present:?}");
        fs::remove_file(&file).unwrap();
        assert!(take(&mut present, &file, read(&file)));
        assert_eq!(present.config, good);
        write("30");
        assert!(take(&mut present, &file, read(&file)));
        assert_eq!(present.finding, None);
    }
}
