//! Where documents begin and end. `---` and `...` at the start of a line part documents wherever they stand, even inside
//! a block scalar, so a document that cannot be read does not take its neighbours along.

use std::ops::Range;

/// The text of one document, without the line that parts it from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes of the text.
    pub range: Range<usize>,
}

/// Parts a text into documents. Those without content are left out.
pub fn split(text: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    // A byte order mark belongs to no document.
    let mut start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut offset = start;
    for line in text[start..].split_inclusive('\n') {
        let marker = line.starts_with("---") || line.starts_with("...");
        if marker && line[3..].chars().next().is_none_or(char::is_whitespace) {
            push(&mut chunks, text, start..offset);
            start = offset + 3;
        }
        offset += line.len();
    }
    push(&mut chunks, text, start..text.len());
    chunks
}

fn push(chunks: &mut Vec<Chunk>, text: &str, range: Range<usize>) {
    // Directives (`%YAML 1.2`) stand before a `---` and say nothing that matters here.
    let content = text[range.clone()].lines().map(str::trim_start);
    if content.into_iter().any(|line| !line.is_empty() && !line.starts_with(['#', '%'])) {
        // The rest of the `---` line and blank lines after it say nothing.
        let blank: usize =
            text[range.clone()].split_inclusive('\n').take_while(|line| line.trim().is_empty()).map(str::len).sum();
        chunks.push(Chunk { range: range.start + blank..range.end });
    }
}
