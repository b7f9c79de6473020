//! Many logs as one, by time, with a bound.

use weft_model::details::LogLine;

/// Lines of one answer, the newest.
pub const MOST_LINES: usize = 10_000;
/// Bytes of one answer's lines.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The newest lines of several logs.
#[derive(Default)]
pub struct Merge {
    /// Oldest first, each at the time that it stands at.
    lines: Vec<(Option<u64>, LogLine)>,
    left_out: usize,
}

impl Merge {
    /// Adds a log as it was written. A line that tells no time, as those of a stack trace, stands where the line before it
    /// does; at the beginning, where the first one that tells its time does.
    pub fn add(&mut self, log: Vec<LogLine>) {
        let mut at = log.iter().find_map(|line| line.at_ms);
        self.lines.extend(log.into_iter().map(|line| {
            at = line.at_ms.or(at);
            (at, line)
        }));
        // Lines of one moment stay as they came: a stable sort tears nothing apart.
        self.lines.sort_by_key(|(at, _)| *at);
        let mut left = MOST_BYTES;
        let newest = self.lines.iter().rev().take(MOST_LINES).take_while(|(_, line)| {
            let size = size(line);
            let fits = size <= left;
            left = left.saturating_sub(size);
            fits
        });
        let older = self.lines.len() - newest.count();
        self.lines.drain(..older);
        self.left_out += older;
    }

    /// The lines, oldest first, and how many older ones are not among them.
    pub fn finish(self) -> (Vec<LogLine>, usize) {
        (self.lines.into_iter().map(|(_, line)| line).collect(), self.left_out)
    }
}

/// About as much as a line takes of an answer.
fn size(line: &LogLine) -> usize {
    let fields = line.access.as_ref().map_or(0, |access| {
        [&access.method, &access.path, &access.authority, &access.details, &access.upstream, &access.downstream]
            .iter()
            .map(|text| text.len())
            .sum::<usize>()
            + access.cluster.len()
            + access.trace_id.len()
    });
    line.instance.len() + line.container.len() + line.text.len() + fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at_ms: Option<u64>, text: &str) -> LogLine {
        LogLine { at_ms, text: text.to_owned(), ..LogLine::default() }
    }

    fn texts(merge: Merge) -> (Vec<String>, usize) {
        let (lines, left_out) = merge.finish();
        (lines.into_iter().map(|line| line.text).collect(), left_out)
    }

    #[test]
    fn a_stack_trace_stays_with_its_error() {
        let mut merge = Merge::default();
        merge.add(vec![
            line(None, "the end of a trace"),
            line(Some(5), "error"),
            line(None, "at a"),
            line(None, "at b"),
            line(Some(9), "on"),
        ]);
        merge.add(vec![line(Some(4), "before"), line(Some(5), "beside"), line(Some(7), "behind")]);
        let (told, left_out) = texts(merge);
        assert_eq!(told, ["before", "the end of a trace", "error", "at a", "at b", "beside", "behind", "on"]);
        assert_eq!(left_out, 0);
    }

    #[test]
    fn the_newest_are_kept_and_the_others_counted() {
        let mut merge = Merge::default();
        merge.add((0..MOST_LINES as u64).map(|n| line(Some(2 * n), "a")).collect());
        merge.add(vec![line(Some(1), "old"), line(Some(u64::MAX), "new")]);
        let (told, left_out) = texts(merge);
        assert_eq!((told.len(), told.last().map(String::as_str), left_out), (MOST_LINES, Some("new"), 2));
        assert!(!told.contains(&"old".to_owned()));
    }

    #[test]
    fn an_answer_has_a_size() {
        let mut merge = Merge::default();
        let long = "x".repeat(2_000);
        for _ in 0..5 {
            merge.add((0..1_000).map(|n| line(Some(n), &long)).collect());
        }
        let (told, left_out) = texts(merge);
        assert_eq!(told.len() + left_out, 5_000);
        let bytes = told.iter().map(String::len).sum::<usize>();
        assert!((MOST_BYTES - 2_000..=MOST_BYTES).contains(&bytes), "{bytes}");
    }
}
