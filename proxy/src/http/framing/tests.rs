use super::*;

/// What is told of `bytes` however they are cut: in two at every place, and byte by byte.
fn seen(bytes: &[u8]) -> (u64, Option<u64>) {
    let whole = told(std::iter::once(bytes));
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(told([a, b].into_iter()), whole, "cut at {cut}: {}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(told(bytes.chunks(1)), whole);
    whole
}

fn told<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (u64, Option<u64>) {
    let mut framing = Framing::default();
    pieces.for_each(|piece| framing.read(piece));
    (framing.heads, framing.doubtful())
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const BOTH: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

#[test]
fn honest_requests_are_counted() {
    let lengths = b"\r\nPOST / HTTP/1.1\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\n\r\n\r\n";
    let empty = b"POST / HTTP/1.1\ncontent-length:\t0 \n\n";
    let chunks =
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nGET /\r\nA \r\n0123456789\r\n0\r\nx: 1\r\n\r\n";
    let all = [GET, lengths, empty, chunks, GET].concat();
    assert_eq!(seen(&all), (5, None));
}

#[test]
fn a_length_beside_chunks_is_seen_in_either_order() {
    assert_eq!(seen(BOTH), (1, Some(1)));
    let other = b"POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nHost: a\r\ncOnTeNt-LeNgTh: 3\r\n\r\n";
    assert_eq!(seen(other), (1, Some(1)));
    let nonsense = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: x\r\n\r\n";
    assert_eq!(seen(nonsense), (1, Some(1)));
}

#[test]
fn it_is_found_behind_other_requests_and_not_in_their_bodies() {
    let body = [format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", BOTH.len()).as_bytes(), BOTH].concat();
    assert_eq!(seen(&[&body, GET].concat()), (2, None));
    assert_eq!(seen(&[GET, &body, BOTH].concat()), (3, Some(3)));
    let chunk = format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", BOTH.len());
    let chunked = [chunk.as_bytes(), BOTH, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(seen(&[&chunked, GET, BOTH].concat()), (3, Some(3)));
}

/// The codec reads on where a line ends in `\n` alone, so the next head is not where it seems to be.
#[test]
fn what_cannot_be_followed_is_not_believed() {
    let bare = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: 1\n\r\n\r\n";
    assert_eq!(seen(bare), (1, Some(2)));
    for size in ["zz", "", "fffffffffffffffff", "ffffffffffffffff", "-1"] {
        let chunk = format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{size}\r\n");
        assert_eq!(seen(chunk.as_bytes()), (1, Some(2)), "{size}");
    }
    let length = b"POST / HTTP/1.1\r\ncontent-length: 5, 5\r\n\r\n";
    assert_eq!(seen(length), (1, Some(1)));
}

#[test]
fn long_lines_are_not_kept_whole() {
    let long = "x".repeat(100_000);
    let head =
        format!("GET /{long} HTTP/1.1\r\nx-{long}: {long}\r\nTransfer-Encoding: {long}\r\nContent-Length: 1\r\n\r\n");
    let mut framing = Framing::default();
    head.as_bytes().chunks(1000).for_each(|piece| framing.read(piece));
    assert_eq!((framing.heads, framing.doubtful()), (1, Some(1)));
    assert!(framing.line.capacity() <= 2 * LINE);
    // A number that is padded beyond what is kept is no number.
    let padded = format!("POST / HTTP/1.1\r\ncontent-length: {}5\r\n\r\n", " ".repeat(1000));
    let mut framing = Framing::default();
    padded.as_bytes().chunks(100).for_each(|piece| framing.read(piece));
    assert_eq!(framing.doubtful(), Some(1));
}
