//! Replaces a file in one step.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

/// Puts `bytes` in the file's place: readers see the old or the new, never a part, also after a power cut. The mode and
/// owner stay; a link stays and its target is replaced. `unchanged` is asked last of all; `false` comes back when it
/// says no, and then nothing was written.
pub(crate) fn atomically(path: &Path, bytes: &[u8], unchanged: impl FnOnce() -> io::Result<bool>) -> io::Result<bool> {
    let target = path.canonicalize()?;
    let directory = target.parent().ok_or_else(|| io::Error::other("the file is in no directory"))?;
    let metadata = fs::metadata(&target)?;
    // Begins with a dot, so that nobody takes it for a manifest.
    let mut temporary = tempfile::Builder::new().prefix(".weft-").suffix(".tmp").tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().set_permissions(metadata.permissions())?;
    let mine = temporary.as_file().metadata()?;
    if (mine.uid(), mine.gid()) != (metadata.uid(), metadata.gid()) {
        // Only root may give files away; others keep the group at most.
        let _ = chown(temporary.path(), Some(metadata.uid()), Some(metadata.gid()));
    }
    temporary.as_file().sync_all()?;
    if !unchanged()? {
        return Ok(false);
    }
    temporary.persist(&target).map_err(|error| error.error)?;
    // The name is durable once the directory is.
    File::open(directory)?.sync_all()?;
    Ok(true)
}

/// Makes a file that is not there yet, in one step. `false` comes back when there is one, and then nothing was written.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let directory = path.parent().ok_or_else(|| io::Error::other("the file is in no directory"))?;
    let mut temporary = tempfile::Builder::new().prefix(".weft-").suffix(".tmp").tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    // Manifests are no secrets, and the operator may run as somebody else.
    temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    temporary.as_file().sync_all()?;
    match temporary.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error.error),
    }
    File::open(directory)?.sync_all()?;
    Ok(true)
}
