//! What proves an identity that has no certificate yet: join tokens, `weft1.<id>.<secret>.<root hash>`, and the service
//! account tokens of pods.

use std::{fmt, path::Path, str::FromStr};

/// Longest token file that is read.
const MAX_FILE: u64 = 64 * 1024;

/// A join token. Its text never appears in logs.
#[derive(Clone)]
pub struct JoinToken {
    text: String,
    root_hash: [u8; 32],
}

/// Why a token cannot be used. Never quotes the token.
#[derive(Debug, thiserror::Error)]
pub enum InvalidToken {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file is too long to be a token.
    #[error("the file is longer than {MAX_FILE} bytes")]
    TooLong,
    /// Not of the form of a join token.
    #[error("it is not of the form weft1.<id>.<secret>.<root hash>")]
    Form,
    /// Not of the form of a service account token.
    #[error("it is not a JSON web token")]
    NoJwt,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(redacted)")
    }
}

impl JoinToken {
    /// Reads a file that holds a token and perhaps an end of line.
    pub fn read(path: &Path) -> Result<Self, InvalidToken> {
        read(path)?.parse()
    }

    /// What is sent to the certificate authority.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.text)
    }

    /// The part that names it and is no secret; nothing for one that could not stand in a line of a file.
    pub fn id(&self) -> Option<&str> {
        let id = self.text.split('.').nth(1)?;
        id.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(id)
    }

    /// SHA-256 of the DER of the mesh's root.
    pub fn root_hash(&self) -> [u8; 32] {
        self.root_hash
    }
}

/// A pod's projected service account token. Its text never appears in logs.
pub struct ServiceAccountToken(String);

impl ServiceAccountToken {
    /// Reads a file that the kubelet keeps fresh.
    pub fn read(path: &Path) -> Result<Self, InvalidToken> {
        let text = read(path)?;
        let parts = text.split('.').filter(|part| !part.is_empty()).count();
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if parts == 3 && visible { Ok(Self(text)) } else { Err(InvalidToken::NoJwt) }
    }

    /// What is sent to the certificate authority.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

fn read(path: &Path) -> Result<String, InvalidToken> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(InvalidToken::TooLong);
    }
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

impl FromStr for JoinToken {
    type Err = InvalidToken;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('.').collect();
        let [version, id, secret, hash] = parts[..] else { return Err(InvalidToken::Form) };
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if version != "weft1" || id.is_empty() || secret.is_empty() || hash.len() != 64 || !visible {
            return Err(InvalidToken::Form);
        }
        let mut root_hash = [0; 32];
        for (pair, byte) in hash.as_bytes().chunks_exact(2).zip(&mut root_hash) {
            let digit = |c: u8| (c as char).to_digit(16).ok_or(InvalidToken::Form);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(Self { text: text.to_owned(), root_hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_tokens() {
        let hash = "ab".repeat(32);
        let token: JoinToken = format!("weft1.id.secret.{hash}").parse().unwrap();
        assert_eq!((token.root_hash(), token.id()), ([0xab; 32], Some("id")));
        assert_eq!(token.bearer(), format!("Bearer weft1.id.secret.{hash}"));
        assert!(!format!("{token:?}").contains("secret"));
        for bad in ["", "weft1", "weft2.a.b.c", "weft1.a.b.zz", "weft1.a.b.c.d", &format!("weft1.a b.c.{hash}")] {
            assert!(bad.parse::<JoinToken>().is_err(), "{bad}");
        }
    }
}
