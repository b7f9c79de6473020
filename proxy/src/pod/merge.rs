//! Two expositions in one: the proxy's own, then the application's.

use std::collections::HashSet;

/// Appends `theirs`. Families that both have, such as those of the process, are the application's: the proxy's own
/// stand on its metrics port. What belongs to OpenMetrics only is taken out.
pub fn merge(ours: String, theirs: &str) -> String {
    let families: HashSet<&str> = theirs.lines().filter_map(family).collect();
    let mut merged = String::with_capacity(ours.len() + theirs.len());
    let mut skipping = false;
    for line in ours.lines() {
        if let Some(name) = header(line) {
            skipping = families.contains(name);
        }
        if !skipping {
            merged.push_str(line);
            merged.push('\n');
        }
    }
    for line in theirs.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        merged.push_str(without_exemplar(line));
        merged.push('\n');
    }
    merged
}

/// The family that a `# HELP` or `# TYPE` line begins.
fn header(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "))?;
    rest.split(' ').next()
}

/// The family or metric name of a line.
fn family(line: &str) -> Option<&str> {
    if line.starts_with('#') {
        return header(line);
    }
    line.split(['{', ' ']).next().filter(|name| !name.is_empty())
}

/// OpenMetrics writes exemplars behind the value: `… 3 # {trace_id="…"} 1`.
fn without_exemplar(line: &str) -> &str {
    if line.starts_with('#') {
        return line;
    }
    // The value stands behind the last brace of the labels; a `#` inside a label does not count.
    let labels_end = match line.find('{') {
        Some(start) => start + quoted_end(&line[start..]),
        None => 0,
    };
    match line[labels_end..].find(" # ") {
        Some(at) => &line[..labels_end + at],
        None => line,
    }
}

/// Just behind the brace that closes a set of labels, whose values may hold braces and escaped quotes.
fn quoted_end(labels: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in labels.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return at + 1,
            _ => {}
        }
    }
    labels.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applications_families_come_behind_and_win() {
        let ours = "# HELP a A.\n# TYPE a counter\na 1\n# HELP process_x X.\n# TYPE process_x gauge\nprocess_x 1\n";
        let theirs = "# TYPE process_x gauge\nprocess_x 2\napp_total{l=\"} # \\\"\"} 3 # {trace_id=\"t\"} 1\n# EOF";
        assert_eq!(
            merge(ours.into(), theirs),
            "# HELP a A.\n# TYPE a counter\na 1\n# TYPE process_x gauge\nprocess_x 2\napp_total{l=\"} # \\\"\"} 3\n"
        );
    }

    #[test]
    fn garbage_is_passed_on_without_a_panic() {
        for theirs in ["", "{", "a{\"", "é # ", "\u{0}", "# TYPE", "a{b=\"\\"] {
            assert!(merge("x 1\n".into(), theirs).starts_with("x 1\n"), "{theirs:?}");
        }
    }
}
