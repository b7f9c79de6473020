//! Who asks: a bearer token, or a session that a sign-in link began.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;
use weft_runtime::StartupError;

use super::place;
use crate::cluster::innermost;

/// The cookie that holds a session of the console.
const COOKIE: &str = "__Host-weft-session";
/// Bytes of a token or a kept session that are read at most.
const MAX_SECRET: u64 = 64 * 1024;

/// What a request shows of who asks. It is never printed.
#[derive(Clone, Debug, Default)]
pub struct Credential(HeaderMap);

impl Credential {
    /// A bearer token; `from` is where it stands.
    ///
    /// # Errors
    /// When no header can hold it.
    pub fn bearer(token: &str, from: &str) -> Result<Self, StartupError> {
        let token = token.trim();
        let fit = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| fit);
        let mut value = value.ok_or_else(|| {
            let remedy = "write the token alone, such as kubectl create token NAME prints it";
            StartupError::new(format!("cannot use the token in {from}"), "it is no bearer token", remedy)
        })?;
        value.set_sensitive(true);
        Ok(Self([(header::AUTHORIZATION, value)].into_iter().collect()))
    }

    /// The bearer token in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
    pub fn in_file(file: &Path) -> Result<Self, StartupError> {
        let from = file.display().to_string();
        let text = read(file).map_err(|error| {
            StartupError::new(format!("cannot read the token in {from}"), error, "look at its path and permissions")
        })?;
        Self::bearer(&text, &from)
    }

    /// The session that was begun at a console, if one was.
    ///
    /// # Errors
    /// When others can read it too, or it cannot be read.
    pub fn kept(console: &Url) -> Result<Self, StartupError> {
        match directory() {
            Some(directory) => Self::kept_in(&directory, console),
            None => Ok(Self::default()),
        }
    }

    fn kept_in(directory: &Path, console: &Url) -> Result<Self, StartupError> {
        let file = file(directory, console);
        let what = || format!("cannot use the session in {}", file.display());
        let mode = match fs::metadata(&file) {
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(StartupError::new(what(), error, "look at its permissions")),
        };
        if mode & 0o077 != 0 {
            let remedy = "delete it, and sign in anew with weft console login";
            return Err(StartupError::new(what(), "others can read it as well", remedy));
        }
        let text = read(&file).map_err(|error| StartupError::new(what(), error, "look at its permissions"))?;
        Self::session(text.trim())
            .ok_or_else(|| StartupError::new(what(), "it holds none", "sign in anew with weft console login"))
    }

    fn session(secret: &str) -> Option<Self> {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let mut value = HeaderValue::from_str(&format!("{COOKIE}={secret}")).ok()?;
        value.set_sensitive(true);
        let whole = !secret.is_empty() && secret.bytes().all(fit);
        whole.then(|| Self([(header::COOKIE, value)].into_iter().collect()))
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.0
    }
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(file)?.take(MAX_SECRET).read_to_string(&mut text)?;
    Ok(text)
}

/// Where a user's state is by the XDG base directory specification; nothing where there is no home.
fn directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("weft/console"))
}

/// The file of a console's session: by scheme, host and port.
fn file(directory: &Path, console: &Url) -> PathBuf {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' };
    let origin = console.origin().ascii_serialization();
    directory.join(origin.chars().map(plain).collect::<String>())
}

/// What a sign-in led to.
#[derive(Debug)]
pub struct SignedIn {
    /// The console.
    pub console: String,
    /// Where its session is kept.
    pub file: PathBuf,
}

/// Opens a sign-in link as a browser would, and keeps the session. `-` reads the link from standard input.
///
/// # Errors
/// When it is no link, has been used, or the session cannot be kept.
pub async fn sign_in(written: &str) -> anyhow::Result<SignedIn> {
    let mut link = written.to_owned();
    if written == "-" {
        link.clear();
        io::stdin().take(MAX_SECRET).read_to_string(&mut link)?;
    }
    let link = link_of(link.trim())?;
    let console = place::origin(&link);
    let failed = |why: String, remedy: &str| StartupError::new(format!("cannot sign in at {console}"), why, remedy);
    let directory = directory().ok_or_else(|| {
        failed("there is no place to keep the session".to_owned(), "set HOME, or XDG_STATE_HOME to a directory")
    })?;
    let response = place::client()?.get(link.clone()).send().await.map_err(|error| {
        failed(innermost(&error.without_url()), "look whether the console runs: weft demo prints its link")
    })?;
    let secret = (response.status() == StatusCode::SEE_OTHER).then(|| session_in(response.headers())).flatten();
    let secret = secret.ok_or_else(|| {
        let next = "a link works once: the next one is in the file that weft demo names beside it";
        failed("the link is not accepted".to_owned(), next)
    })?;
    let file = keep(&directory, &link, &secret).map_err(|error| {
        failed(
            format!("the session cannot be kept in {}: {error}", directory.display()),
            "make it writable, or set XDG_STATE_HOME to another directory",
        )
    })?;
    Ok(SignedIn { console, file })
}

fn link_of(text: &str) -> Result<Url, StartupError> {
    let wrong = || {
        // The link itself is a secret until it is used.
        let remedy = "copy it whole: it looks like http://127.0.0.1:20001/auth/link?code=…";
        StartupError::new("cannot sign in", "this is no sign-in link of a console", remedy)
    };
    let link = Url::parse(text).map_err(|_| wrong())?;
    let coded = link.query_pairs().any(|(name, code)| name == "code" && !code.is_empty());
    if link.path() != "/auth/link" || !coded {
        return Err(wrong());
    }
    place::check(&link)?;
    Ok(link)
}

fn session_in(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut secrets = cookies.filter_map(|text| {
        let (name, value) = text.split(';').next()?.split_once('=')?;
        (name.trim() == COOKIE && !value.trim().is_empty()).then(|| value.trim().to_owned())
    });
    secrets.next()
}

fn keep(directory: &Path, console: &Url, secret: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let file = file(directory, console);
    let unfinished = directory.join(format!(".new-{}", std::process::id()));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    new.write_all(format!("{secret}\n").as_bytes())?;
    fs::rename(&unfinished, &file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_to_nobody_else() {
        let token = Credential::bearer(" ey.a-b_c\n", "FILE").unwrap();
        assert_eq!(token.headers()[header::AUTHORIZATION], "Bearer ey.a-b_c");
        assert!(!format!("{token:?}").contains("ey.a"), "{token:?}");
        for bad in ["", "  ", "a b", "a\nb", "ä"] {
            let told = Credential::bearer(bad, "FILE").unwrap_err().to_string();
            assert!(told.contains("the token in FILE"), "{told}");
        }
    }

    #[test]
    fn a_session_is_kept_for_one_console_and_one_user() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state/weft");
        let url = |text: &str| Url::parse(text).unwrap();
        let console = url("http://127.0.0.1:20001/auth/link?code=x");
        let file = keep(&state, &console, "first").unwrap();
        assert_eq!(keep(&state, &console, "se-cr_et").unwrap(), file);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
        let kept = |text: &str| Credential::kept_in(&state, &url(text));
        assert_eq!(kept("http://127.0.0.1:20001").unwrap().headers()[header::COOKIE], format!("{COOKIE}=se-cr_et"));
        for other in ["http://127.0.0.1:20002", "https://127.0.0.1:20001", "http://localhost:20001"] {
            assert!(kept(other).unwrap().headers().is_empty(), "{other}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(kept("http://127.0.0.1:20001").unwrap_err().to_string().contains("others can read it"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "a; b=c\n").unwrap();
        assert!(kept("http://127.0.0.1:20001").unwrap_err().to_string().contains("weft console login"));
    }

    #[test]
    fn only_a_sign_in_link_is_opened() {
        assert!(link_of("http://127.0.0.1:20001/auth/link?code=abc").is_ok());
        for bad in [
            "abc",
            "http://127.0.0.1:20001/",
            "http://127.0.0.1:20001/auth/link",
            "http://127.0.0.1:20001/auth/link?code=",
            "http://evil.example/auth/link?code=abc",
        ] {
            let told = link_of(bad).unwrap_err().to_string();
            assert!(!told.contains("code=abc"), "{told}");
        }
    }

    #[test]
    fn the_session_is_found_among_cookies() {
        let headers = |texts: &[&str]| -> HeaderMap {
            texts.iter().map(|text| (header::SET_COOKIE, HeaderValue::from_str(text).unwrap())).collect()
        };
        let secret = session_in(&headers(&["a=b; Path=/", "__Host-weft-session=xyz; Path=/; Secure"]));
        assert_eq!(secret.as_deref(), Some("xyz"));
        assert_eq!(session_in(&headers(&["__Host-weft-session=; Max-Age=0"])), None);
    }
}
