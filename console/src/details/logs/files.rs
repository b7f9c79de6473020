//! The ends of log files.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};

use super::{Found, Wanted, shown, whole};

/// How much of a file's end is read.
const TAIL: u64 = 256 * 1024;
/// The same where one request is looked for.
const SEARCHED: u64 = 4 * 1024 * 1024;

/// Lines of one instance's files, each file's by themselves.
pub fn read(dir: &Path, namespace: &str, name: &str, wanted: &Wanted) -> Found {
    let lines = wanted.lines;
    let most = if wanted.trace.is_empty() { TAIL } else { SEARCHED };
    // Names come from manifests that anybody may have written: they must not lead out of the directory.
    if [namespace, name].iter().any(|part| !is_plain(part)) {
        return (Vec::new(), vec!["The instance's name is no name of a file.".to_owned()]);
    }
    let files = [
        ("proxy", format!("{name}.access.json")),
        ("proxy", format!("{namespace}.{name}.proxy.log")),
        ("app", format!("{namespace}.{name}.app.log")),
    ];
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (container, file) in files {
        let path = dir.join(&file);
        match tail(&path, most) {
            Ok((text, cut)) => {
                let found: Vec<&str> =
                    text.lines().filter(|line| !line.trim().is_empty() && wanted.has(line)).collect();
                if cut && found.len() < lines && wanted.trace.is_empty() {
                    problems.push(format!(
                        "Of {file} the newest lines are shown, {} of the {lines} asked for: they are the last {} KiB. \
                         tail -n {lines} {} shows the others.",
                        found.len(),
                        TAIL / 1024,
                        path.display()
                    ));
                }
                if cut && found.is_empty() && !wanted.trace.is_empty() {
                    problems.push(format!("Of {file} the last {} MiB were searched.", SEARCHED / 1024 / 1024));
                }
                let last = found.iter().skip(found.len().saturating_sub(lines));
                all.push(last.map(|line| shown(None, name, container, line)).collect());
            }
            // Not everything has a proxy or an application.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => problems.push(format!("{file} cannot be read: {error}.")),
        }
    }
    (all, problems)
}

fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || [b'-', b'.', b'_'].contains(&byte);
    !name.is_empty() && name.len() <= 253 && !name.starts_with('.') && name.bytes().all(fits)
}

/// The last whole lines of a file, and whether there are others before them.
fn tail(path: &Path, most: u64) -> io::Result<(String, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((whole(&bytes, from > 0), from > 0))
}
