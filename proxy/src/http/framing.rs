//! Where requests begin and end in the bytes of an HTTP/1 connection, seen before the codec reads them.
//!
//! The codec drops a `content-length` that stands beside `transfer-encoding`, so that nobody behind it can tell a request
//! that was written to be understood in two ways (RFC 9112 §6.1) from an honest one. This follows the framing by itself
//! and only notes the request's number. Where it cannot follow, it says so, and chunked requests are not believed from
//! there on.

/// How much is kept of a line that did not come in one piece: more than any line that matters has.
const LINE: usize = 256;

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    place: Place,
    /// Request heads that have begun.
    heads: u64,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// See [`Framing::doubtful`].
    doubtful: Option<u64>,
}

#[derive(Debug, Default)]
enum Place {
    /// Before a request line, or in it.
    #[default]
    Start,
    Fields(Fields),
    /// Bytes of a body that are left.
    Body(u64),
    ChunkSize,
    /// Bytes of a chunk that are left, its line end included.
    Chunk(u64),
    Trailers,
    Lost,
}

/// What a head says of its body's length so far.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    /// Whether there is a `transfer-encoding`.
    coding: bool,
    /// The first `content-length`; `Some(None)` is one that is no number.
    length: Option<Option<u64>>,
}

impl Framing {
    /// The number, from 1, of the first request whose chunked body cannot be believed: its head also had a length, or
    /// where it begins could not be followed.
    pub fn doubtful(&self) -> Option<u64> {
        self.doubtful
    }

    /// Takes what has just been read.
    pub fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Lost => return,
                Place::Body(left) | Place::Chunk(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= here as u64;
                    bytes = &bytes[here..];
                    if *left == 0 {
                        self.place = match self.place {
                            Place::Chunk(_) => Place::ChunkSize,
                            _ => Place::Start,
                        };
                    }
                }
                Place::Start | Place::Fields(_) | Place::ChunkSize | Place::Trailers => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        self.keep(bytes);
                        return;
                    };
                    if self.line.is_empty() {
                        self.line_ended(&bytes[..end]);
                    } else {
                        self.keep(&bytes[..end]);
                        let line = std::mem::take(&mut self.line);
                        self.line_ended(&line);
                    }
                    bytes = &bytes[end + 1..];
                }
            }
        }
    }

    /// Keeps the beginning of a line. Of one that is too long the last byte is kept right, for it may be the `\r`.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (LINE - self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        if room < bytes.len() {
            match self.place {
                // Neither a name nor a number is so long. A padded value is no number when it is cut.
                Place::Start | Place::Fields(_) => {
                    self.line[LINE - 1] = b'?';
                }
                _ => self.lose(),
            }
        }
    }

    /// A line, without its `\n`.
    fn line_ended(&mut self, line: &[u8]) {
        let (text, strict) = match line {
            [text @ .., b'\r'] => (text, true),
            text => (text, false),
        };
        match &mut self.place {
            Place::Start if text.is_empty() => {}
            Place::Start => {
                self.heads += 1;
                self.place = Place::Fields(Fields::default());
            }
            Place::Fields(fields) if text.is_empty() => {
                let fields = *fields;
                self.head_ended(fields);
            }
            Place::Fields(fields) => fields.read(text),
            // The codec wants whole line ends in chunks and trailers, and takes a bare `\n` for part of the line.
            _ if !strict => self.lose(),
            Place::ChunkSize => match chunk_size(text) {
                Some(0) => self.place = Place::Trailers,
                Some(size) => match size.checked_add(2) {
                    Some(size) => self.place = Place::Chunk(size),
                    None => self.lose(),
                },
                None => self.lose(),
            },
            Place::Trailers if text.is_empty() => self.place = Place::Start,
            Place::Trailers | Place::Body(_) | Place::Chunk(_) | Place::Lost => {}
        }
    }

    fn head_ended(&mut self, fields: Fields) {
        self.place = match fields {
            Fields { coding: true, length: None } => Place::ChunkSize,
            Fields { coding: false, length: None | Some(Some(0)) } => Place::Start,
            Fields { coding: false, length: Some(Some(length)) } => Place::Body(length),
            Fields { coding: true, length: Some(_) } | Fields { coding: false, length: Some(None) } => {
                return self.doubt(self.heads);
            }
        };
    }

    /// Within a body or between requests: the next request is the first that may be anything.
    fn lose(&mut self) {
        self.doubt(self.heads + 1);
    }

    fn doubt(&mut self, request: u64) {
        self.doubtful = Some(request);
        self.place = Place::Lost;
        self.line = Vec::new();
    }
}

impl Fields {
    fn read(&mut self, line: &[u8]) {
        // Most lines are not about lengths.
        if !matches!(line[0], b'c' | b'C' | b't' | b'T') {
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.coding = true;
        } else if name.eq_ignore_ascii_case(b"content-length") && self.length.is_none() {
            self.length = Some(decimal(value));
        }
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The size that a chunk's first line begins with.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !matches!(line.get(digits), None | Some(b';' | b' ' | b'\t')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
