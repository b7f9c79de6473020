//! Finding out what a client speaks from its first bytes, within a bound of bytes and of time.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use rustls::server::Acceptor;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// The longest ClientHello that is looked at, in bytes. Larger ones are handed to the handshake unread.
pub const MAX_CLIENT_HELLO: usize = 16 * 1024;
/// HTTP/2's connection preface (RFC 9113 §3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest method that is looked for. WebDAV's and the registry's longest name has 17 letters.
const MAX_METHOD: usize = 24;

/// What the first bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A TLS ClientHello (or something that begins like one).
    Tls(Hello),
    /// An HTTP/1 request line begins.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Anything else, also nothing at all: the server speaks first.
    Opaque,
    /// The client closed without a byte.
    Closed,
}

/// What a ClientHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Server name, lower case.
    pub server_name: Option<String>,
    /// ALPN protocols in the client's order.
    pub alpn: Vec<String>,
}

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Tell TLS from plaintext, and read the ClientHello.
    pub tls: bool,
    /// Tell HTTP from opaque bytes.
    pub http: bool,
    /// How long to wait for bytes that decide; then the connection is [`Seen::Opaque`].
    pub timeout: Duration,
}

/// Reads as little as decides, and returns what was read for the next reader.
pub async fn peek(stream: &mut TcpStream, look: Look) -> io::Result<(Seen, Bytes)> {
    peek_further(stream, Bytes::new(), look).await
}

/// The same where `seen` was read already, by an earlier look at other things.
pub async fn peek_further(stream: &mut TcpStream, seen: Bytes, look: Look) -> io::Result<(Seen, Bytes)> {
    let deadline = Instant::now() + look.timeout;
    let mut buffer = BytesMut::from(seen);
    let mut acceptor = Acceptor::default();
    let mut fed = 0;
    loop {
        match judge(&buffer, look) {
            Judgement::Is(seen) => return Ok((seen, buffer.freeze())),
            Judgement::Tls => match feed(&mut acceptor, &buffer[fed..]) {
                Some(hello) => return Ok((Seen::Tls(hello), buffer.freeze())),
                None if buffer.len() >= MAX_CLIENT_HELLO => return Ok((Seen::Tls(Hello::default()), buffer.freeze())),
                None => fed = buffer.len(),
            },
            Judgement::More => {}
        }
        buffer.reserve(1024);
        match timeout_at(deadline, stream.read_buf(&mut buffer)).await {
            Ok(Ok(0)) if buffer.is_empty() => return Ok((Seen::Closed, Bytes::new())),
            // A client that closes its half has said all it will: what came decides.
            Ok(Ok(0)) => return Ok((settle(&buffer, look), buffer.freeze())),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok((settle(&buffer, look), buffer.freeze())),
        }
    }
}

enum Judgement {
    Is(Seen),
    Tls,
    More,
}

/// A TLS record of type handshake, version 3.x (RFC 8446 §5.1).
fn tls_record(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [] => None,
        [0x16] => None,
        [first, rest @ ..] => Some(*first == 0x16 && rest[0] == 0x03),
    }
}

fn judge(bytes: &[u8], look: Look) -> Judgement {
    if look.tls {
        match tls_record(bytes) {
            None => return Judgement::More,
            Some(true) => return Judgement::Tls,
            Some(false) => {}
        }
    }
    if !look.http {
        return if bytes.is_empty() { Judgement::More } else { Judgement::Is(Seen::Opaque) };
    }
    let preface = bytes.len().min(H2_PREFACE.len());
    if bytes[..preface] == H2_PREFACE[..preface] {
        return if preface == H2_PREFACE.len() { Judgement::Is(Seen::Http2) } else { Judgement::More };
    }
    // A method token, one space, and the first byte of a request target (RFC 9112 §3).
    match bytes.iter().position(|byte| !is_method_byte(*byte)) {
        None if bytes.len() <= MAX_METHOD => Judgement::More,
        None | Some(0) => Judgement::Is(Seen::Opaque),
        Some(end) if bytes[end] != b' ' => Judgement::Is(Seen::Opaque),
        Some(end) => match bytes.get(end + 1) {
            None => Judgement::More,
            Some(b'/' | b'*' | b'h' | b'H') => Judgement::Is(Seen::Http1),
            Some(byte) if bytes[..end] == *b"CONNECT" && byte.is_ascii_alphanumeric() => Judgement::Is(Seen::Http1),
            Some(_) => Judgement::Is(Seen::Opaque),
        },
    }
}

/// Methods that are in use are upper case; lower-case words are some other line protocol.
fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'-' || byte == b'_'
}

/// What unfinished bytes are taken for when no more come.
fn settle(bytes: &[u8], look: Look) -> Seen {
    match judge(bytes, look) {
        Judgement::Is(seen) => seen,
        Judgement::Tls => Seen::Tls(Hello::default()),
        Judgement::More => Seen::Opaque,
    }
}

/// `None` while the ClientHello is incomplete. A broken one gives an empty hello: the handshake will refuse it properly.
fn feed(acceptor: &mut Acceptor, mut bytes: &[u8]) -> Option<Hello> {
    while !bytes.is_empty() {
        if acceptor.read_tls(&mut bytes).is_err() {
            return Some(Hello::default());
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                return Some(Hello {
                    server_name: hello.server_name().map(str::to_ascii_lowercase),
                    alpn: hello
                        .alpn()
                        .into_iter()
                        .flatten()
                        .filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned))
                        .collect(),
                });
            }
            Ok(None) => {}
            Err(_) => return Some(Hello::default()),
        }
    }
    None
}

#[cfg(test)]
mod tests;
