//! Takes one document out of a text.

use std::ops::Range;

/// The text without a document and without the `---` that parted it from a neighbour; `None` when nothing is left but
/// separators, so that the file can go.
pub(super) fn document(text: &str, chunks: &[Range<usize>], index: usize) -> Option<String> {
    let range = chunks.get(index)?.clone();
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let line = after.split_inclusive('\n').next().unwrap_or_default();
    let left = if index + 1 < chunks.len() && line.trim_end() == "---" {
        // The separator behind it goes along; the one in front then parts its neighbours.
        format!("{before}{}", &after[line.len()..])
    } else {
        let bare = before.trim_end();
        let own_line = bare.strip_suffix("---").filter(|rest| rest.is_empty() || rest.ends_with('\n'));
        format!("{}{after}", own_line.unwrap_or(before))
    };
    let says = left.lines().map(str::trim).any(|line| !matches!(line, "" | "---" | "..."));
    says.then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, index: usize) -> Option<String> {
        let chunks: Vec<_> = crate::yaml::split(text).into_iter().map(|chunk| chunk.range).collect();
        document(text, &chunks, index)
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        let text = "# head\na: 1\n---\nb: 2 # b\n---\n# c\nc: 3\n";
        assert_eq!(
            without(text, 0).unwrap(),
            "# head\na: 1\n---\nb: 2 # b\n---\n# c\nc: 3\n".replace("# head\na: 1\n---\n", "")
        );
        assert_eq!(without(text, 1).unwrap(), "# head\na: 1\n---\n# c\nc: 3\n");
        assert_eq!(without(text, 2).unwrap(), "# head\na: 1\n---\nb: 2 # b\n");
        assert_eq!(without("---\na: 1\n", 0), None);
        assert_eq!(without("# licence\n---\na: 1\n", 0).unwrap(), "# licence\n");
    }
}
