//! The files of a build: names by content, compressed twins, sizes.

use std::{fs, io::Write, num::NonZeroU64, path::Path};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::inputs::hex;

/// Brotli: quality, and log2 of the window. Slower settings gain under one percent here.
const BROTLI: (u32, u32) = (10, 22);
/// How often zopfli tries again.
const ZOPFLI: NonZeroU64 = NonZeroU64::new(3).expect("not 0");

#[derive(Default)]
pub struct Assets {
    files: Vec<Asset>,
}

struct Asset {
    name: String,
    bytes: Vec<u8>,
    brotli: Vec<u8>,
    gzip: Vec<u8>,
}

impl Assets {
    /// Adds a file whose name carries a hash of its content, so that it may be cached for ever; returns that name.
    pub fn add(&mut self, stem: &str, extension: &str, bytes: Vec<u8>) -> String {
        let hash = hex(&Sha256::digest(&bytes));
        let name = format!("{stem}-{}.{extension}", &hash[..16]);
        self.add_named(&name, bytes);
        name
    }

    /// Adds a file under a fixed name.
    pub fn add_named(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.push(Asset { name: name.to_owned(), bytes, brotli: Vec::new(), gzip: Vec::new() });
    }

    /// Fills in the compressed twins.
    pub fn compress(&mut self) -> Result<()> {
        for file in &mut self.files {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 64 * 1024, BROTLI.0, BROTLI.1);
            encoder.write_all(&file.bytes).context("brotli failed")?;
            file.brotli = encoder.into_inner();
            // Four percent smaller than zlib's best, for a few seconds of each build.
            let options = zopfli::Options { iteration_count: ZOPFLI, ..zopfli::Options::default() };
            zopfli::compress(options, zopfli::Format::Gzip, &*file.bytes, &mut file.gzip).context("gzip failed")?;
        }
        Ok(())
    }

    /// Prints a line for each file; the answer is the total in the larger of the two encodings.
    pub fn report(&self) -> usize {
        println!("{:<34} {:>10} {:>10} {:>10}", "file", "bytes", "gzip", "brotli");
        let (mut bytes, mut gzip, mut brotli) = (0, 0, 0);
        for file in &self.files {
            println!("{:<34} {:>10} {:>10} {:>10}", file.name, file.bytes.len(), file.gzip.len(), file.brotli.len());
            bytes += file.bytes.len();
            gzip += file.gzip.len();
            brotli += file.brotli.len();
        }
        println!("{:<34} {bytes:>10} {gzip:>10} {brotli:>10}", "total");
        gzip.max(brotli)
    }

    /// Writes all files to `out` and removes what an earlier build left there. `index.html` comes last, so that a
    /// server beside us never hands out a page whose files are not there yet.
    pub fn write(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        for file in &self.files {
            for (name, bytes) in file.variants() {
                let path = out.join(&name);
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        let ours: Vec<String> = self.files.iter().flat_map(|file| file.variants().map(|(name, _)| name)).collect();
        for entry in fs::read_dir(out).with_context(|| format!("cannot read {}", out.display()))? {
            let entry = entry.with_context(|| format!("cannot read {}", out.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_old(&name) && !ours.contains(&name) {
                fs::remove_file(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

impl Asset {
    fn variants(&self) -> [(String, &[u8]); 3] {
        [
            (self.name.clone(), &self.bytes),
            (format!("{}.br", self.name), &self.brotli),
            (format!("{}.gz", self.name), &self.gzip),
        ]
    }
}

/// Whether a file looks like one that a build of ours wrote: nothing else in the directory is touched.
fn is_old(name: &str) -> bool {
    let plain = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz")).unwrap_or(name);
    let Some((stem, extension)) = plain.rsplit_once('.') else { return false };
    let Some((stem, hash)) = stem.rsplit_once('-') else { return false };
    ["weft", "start", "icon"].contains(&stem)
        && ["js", "wasm", "css", "svg"].contains(&extension)
        && hash.len() == 16
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_content() {
        let mut assets = Assets::default();
        let first = assets.add("weft", "js", b"a".to_vec());
        let second = assets.add("weft", "js", b"b".to_vec());
        assert_ne!(first, second);
        assert!(is_old(&first) && is_old(&format!("{second}.br")));
        assert!(!is_old("index.html") && !is_old("weft-notes.js"));
    }

    #[test]
    fn a_second_build_leaves_nothing_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("weft-0123456789abcdef.js.gz"), "old").unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let mut assets = Assets::default();
        let name = assets.add("weft", "css", b"body{}".repeat(100));
        assets.compress().unwrap();
        assets.write(dir.path()).unwrap();
        let mut names: Vec<String> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let mut expected = vec!["notes.txt".to_owned(), name.clone(), format!("{name}.br"), format!("{name}.gz")];
        expected.sort();
        assert_eq!(names, expected);
        assert!(assets.files[0].brotli.len() < assets.files[0].bytes.len());
    }
}
