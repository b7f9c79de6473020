//! gRPC's framing, as far as a proxy needs it
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Trailer (or header, when there is no body) that carries a call's outcome.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Its words.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// `grpc-status` as a number, if there is one.
pub fn status_of(headers: &HeaderMap) -> Option<u16> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.trim().parse().ok()
}

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The caller's `grpc-timeout`: up to eight digits and a unit.
pub fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// The gRPC status for an HTTP status that a proxy answers with
/// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
pub fn from_http(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// A status as a header value.
pub fn status_value(status: u16) -> HeaderValue {
    HeaderValue::from(status)
}

/// Counts length-prefixed messages in a stream of chunks.
#[derive(Debug, Default)]
pub struct Messages {
    /// Messages whose prefix is complete.
    pub count: u64,
    prefix: [u8; 4],
    /// Bytes of the five-byte prefix that have been seen.
    seen: usize,
    /// Bytes of the present message that have not.
    left: u64,
}

impl Messages {
    /// Takes the next chunk of the body.
    pub fn feed(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            if self.left > 0 {
                let skip = usize::try_from(self.left).unwrap_or(usize::MAX).min(chunk.len());
                self.left -= skip as u64;
                chunk = &chunk[skip..];
                continue;
            }
            if self.seen > 0 {
                self.prefix[self.seen - 1] = chunk[0];
            }
            self.seen += 1;
            chunk = &chunk[1..];
            if self.seen == 5 {
                self.seen = 0;
                self.count += 1;
                self.left = u64::from(u32::from_be_bytes(self.prefix));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_unit() {
        let of =
            |text: &'static str| timeout_of(&HeaderMap::from_iter([(GRPC_TIMEOUT, HeaderValue::from_static(text))]));
        assert_eq!(of("100m"), Some(Duration::from_millis(100)));
        assert_eq!(of("2S"), Some(Duration::from_secs(2)));
        assert_eq!((of("S"), of("123456789S"), of("5x"), of("")), (None, None, None, None));
    }

    #[test]
    fn counts_messages_however_they_are_cut() {
        let bytes = [&[0, 0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0, 0], &[1, 0, 0, 1, 0], &[7; 256]].concat();
        for size in [1, 2, 3, 7, 64, 1000] {
            let mut messages = Messages::default();
            bytes.chunks(size).for_each(|chunk| messages.feed(chunk));
            assert_eq!((messages.count, messages.left, messages.seen), (3, 0, 0), "cut in {size}");
        }
    }
}
