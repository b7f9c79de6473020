//! How a program behind HTTP is reached: its address, a token or a password for it, a tenant, and whom to trust.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use prometheus_http_query::reqwest::{
    self, ClientBuilder,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};

/// Names a tenant of Tempo, Mimir, Cortex and their like.
const TENANT: &str = "x-scope-orgid";

/// The flags that it is given by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub url: &'static str,
    pub token_file: &'static str,
    pub user: &'static str,
    pub tenant: &'static str,
    pub ca_file: &'static str,
}

/// What they say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given<'a> {
    /// `http://` or `https://`, without a name and a password.
    pub url: &'a str,
    /// A file with a bearer token, or with the password of `user`.
    pub token_file: Option<&'a Path>,
    /// A name for HTTP Basic.
    pub user: Option<&'a str>,
    /// A tenant.
    pub tenant: Option<&'a str>,
    /// A file with certificates in PEM, trusted beside the system's.
    pub ca_file: Option<&'a Path>,
}

/// What requests carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    token_file: Option<PathBuf>,
    user: Option<String>,
    tenant: Option<HeaderValue>,
}

/// Why it cannot be reached as it is given.
#[derive(Debug)]
pub(super) enum AccessError {
    /// The address is none.
    Address(String),
    /// A flag is wrong.
    Flag { flag: &'static str, why: String },
}

/// Why nobody can sign in now.
#[derive(Debug)]
pub(super) struct TokenError {
    pub file: String,
    pub why: String,
}

impl Access {
    /// Checks what is given. Gives a client's builder as well, which trusts whom it should.
    pub(super) fn open(flags: &Flags, given: &Given<'_>) -> Result<(Self, ClientBuilder), AccessError> {
        let address = |why: &str| AccessError::Address(why.to_owned());
        let flag = |flag: &'static str, why: &str| AccessError::Flag { flag, why: why.to_owned() };
        let parsed = url::Url::parse(given.url).map_err(|error| address(&error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err(address("it must begin with http:// or https://"));
        }
        // The address stands in messages that people read.
        if !parsed.username().is_empty() || parsed.password().is_some() {
            let why = format!("a name and a password do not belong in it: use {} and {}", flags.user, flags.token_file);
            return Err(flag(flags.url, &why));
        }
        if let Some(user) = given.user {
            if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
                return Err(flag(flags.user, "a name is not empty and has no colon in it"));
            }
            if given.token_file.is_none() {
                let why = format!("its password is missing: name its file with {}", flags.token_file);
                return Err(flag(flags.user, &why));
            }
        }
        let tenant = given.tenant.map(HeaderValue::from_str).transpose();
        let tenant = tenant.map_err(|_| flag(flags.tenant, "it has characters that a header cannot hold"))?;
        let builder = reqwest::Client::builder();
        let builder = match (parsed.scheme(), given.ca_file) {
            // Spoken to without TLS, it needs no roots; an image need not have them.
            ("http", None) => builder.tls_certs_only(Vec::new()).no_proxy(),
            (_, None) => builder,
            (scheme, Some(file)) => {
                if scheme == "http" {
                    return Err(flag(flags.ca_file, "the address begins with http://, so nobody shows a certificate"));
                }
                let wrong = |why: String| flag(flags.ca_file, &format!("{}: {why}", file.display()));
                let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
                let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
                if roots.is_empty() {
                    return Err(wrong("it holds no certificate".to_owned()));
                }
                builder.tls_certs_merge(roots)
            }
        };
        let (token_file, user) = (given.token_file.map(Path::to_owned), given.user.map(str::to_owned));
        Ok((Self { token_file, user, tenant }, builder))
    }

    /// What the next request shows. The file is read each time, so that what it holds can be renewed.
    pub(super) fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, TokenError> {
        let mut headers: Vec<_> =
            self.tenant.iter().map(|tenant| (HeaderName::from_static(TENANT), tenant.clone())).collect();
        if let Some(file) = &self.token_file {
            let proof = self.proof(file).map_err(|why| TokenError { file: file.display().to_string(), why })?;
            headers.push((AUTHORIZATION, proof));
        }
        Ok(headers)
    }

    fn proof(&self, file: &Path) -> Result<HeaderValue, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let token = text.trim();
        if token.is_empty() {
            return Err("it is empty".to_owned());
        }
        let proof = match &self.user {
            Some(user) => format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))),
            None => format!("Bearer {token}"),
        };
        let mut proof =
            HeaderValue::from_str(&proof).map_err(|_| "it has characters that a header cannot hold".to_owned())?;
        proof.set_sensitive(true);
        Ok(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags { url: "--u", token_file: "--t", user: "--n", tenant: "--o", ca_file: "--c" };

    fn refused(given: Given<'_>) -> (&'static str, String) {
        match Access::open(&FLAGS, &given) {
            Err(AccessError::Flag { flag, why }) => (flag, why),
            Err(AccessError::Address(why)) => ("", why),
            Ok(_) => panic!("{given:?} is taken"),
        }
    }

    #[test]
    fn each_wrong_flag_is_named() {
        let plain = Given { url: "http://store:80", ..Given::default() };
        let file = tempfile::NamedTempFile::new().unwrap();
        let ca_file = Some(file.path());
        for (given, flag, words) in [
            (Given { url: "store:80", ..plain }, "", "http://"),
            (Given { url: "ftp://store", ..plain }, "", "http://"),
            (Given { url: "http://ada:secret@store", ..plain }, "--u", "--n and --t"),
            (Given { url: "https://ada@store", ..plain }, "--u", "--n and --t"),
            (Given { user: Some("ada"), ..plain }, "--n", "--t"),
            (Given { user: Some("a:b"), token_file: ca_file, ..plain }, "--n", "colon"),
            (Given { tenant: Some("a\nb"), ..plain }, "--o", "characters"),
            (Given { ca_file, ..plain }, "--c", "http://"),
            (Given { url: "https://store", ca_file, ..plain }, "--c", "no certificate"),
            (
                Given { url: "https://store", ca_file: Some(Path::new("/nonexistent/ca")), ..plain },
                "--c",
                "/nonexistent/ca",
            ),
        ] {
            let (told, why) = refused(given);
            assert!(told == flag && why.contains(words), "{given:?}: {told} {why}");
            assert!(!why.contains("secret"), "{why}");
        }
        for url in ["http://store", "https://store/prefix/"] {
            assert!(Access::open(&FLAGS, &Given { url, ..Given::default() }).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_a_request_shows_is_read_anew() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let given =
            Given { url: "http://store", token_file: Some(file.path()), tenant: Some("team"), ..Given::default() };
        let bearer = Access::open(&FLAGS, &given).unwrap().0;
        let basic = Access::open(&FLAGS, &Given { user: Some("ada"), ..given }).unwrap().0;
        assert_eq!(bearer.headers().unwrap_err().why, "it is empty");
        for (token, encoded) in [("open sesame\n", "YWRhOm9wZW4gc2VzYW1l"), ("second", "YWRhOnNlY29uZA==")] {
            std::fs::write(file.path(), token).unwrap();
            let shown = |access: &Access| {
                let headers = access.headers().unwrap();
                assert_eq!(headers[0], (HeaderName::from_static(TENANT), HeaderValue::from_static("team")));
                headers[1].1.to_str().unwrap().to_owned()
            };
            assert_eq!(shown(&bearer), format!("Bearer {}", token.trim()));
            assert_eq!(shown(&basic), format!("Basic {encoded}"));
        }
        assert!(!format!("{bearer:?} {:?}", bearer.headers()).contains("second"));
    }
}
