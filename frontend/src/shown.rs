//! Text that others wrote, as the page shows it. Some characters have no width, and some turn round what stands beside them:
//! a sentence, or a difference that somebody approves, would read as something else than it does. They are shown by their
//! numbers; what is edited, copied or compared keeps them.

/// Places of a text that are told.
const TOLD: usize = 3;

/// Whether a character is not seen, or moves others about. Blanks are seen, and joiners are part of languages and emoji.
pub fn is_hidden(letter: char) -> bool {
    match letter {
        '\t' | '\n' => false,
        // The soft hyphen, marks of direction, blanks without width, fillers, and characters that only steer others.
        '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        letter => letter.is_control(),
    }
}

/// The text with each hidden character by its number, such as `\u{202e}`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out
}

/// The text in runs, each with whether it is of hidden characters; together they are the text.
pub fn runs(text: &str) -> Vec<(bool, &str)> {
    let mut runs = Vec::new();
    let (mut start, mut hidden) = (0, false);
    for (at, letter) in text.char_indices() {
        if is_hidden(letter) != hidden {
            if at > start {
                runs.push((hidden, &text[start..at]));
            }
            (start, hidden) = (at, !hidden);
        }
    }
    if start < text.len() {
        runs.push((hidden, &text[start..]));
    }
    runs
}

/// What is said of a text with hidden characters, and where they are; `None` where it has none. An end of a line is none,
/// however it is written.
pub fn told(text: &str) -> Option<String> {
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).zip(1_usize..);
    let places: Vec<(char, usize)> = lines
        .flat_map(|(line, number)| line.chars().filter(|letter| is_hidden(*letter)).map(move |letter| (letter, number)))
        .collect();
    let named = places.iter().take(TOLD).map(|(letter, line)| format!("{} in line {line}", letter.escape_unicode()));
    let named = named.collect::<Vec<_>>().join(", ");
    match places.len() {
        0 => None,
        1..=TOLD => Some(format!("This text has what cannot be seen: {named}.")),
        all => Some(format!("This text has what cannot be seen: {named}, and {} more.", all - TOLD)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_a_sentence_round_is_shown() {
        let sentence = "Requests with x-a: \u{202e}50 % to payments";
        assert_eq!(visible(sentence), "Requests with x-a: \\u{202e}50 % to payments");
        assert_eq!(visible("\u{202e}gnp.exe"), "\\u{202e}gnp.exe");
        assert_eq!(visible("a\u{200b}b\u{ad}c\u{feff}\u{2028}\u{7}"), "a\\u{200b}b\\u{ad}c\\u{feff}\\u{2028}\\u{7}");
    }

    #[test]
    fn every_character_that_steers_the_direction_is_hidden() {
        let steers =
            ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain(['\u{200e}', '\u{200f}', '\u{61c}']);
        for letter in steers {
            assert!(is_hidden(letter), "{}", letter.escape_unicode());
        }
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').filter(|letter| !matches!(letter, '\t' | '\n'));
        for letter in controls.chain(['\u{2028}', '\u{2029}', '\u{200b}', '\u{feff}', '\u{ad}']) {
            assert!(is_hidden(letter), "{}", letter.escape_unicode());
        }
    }

    #[test]
    fn what_languages_need_stays_as_it_is() {
        for text in ["größe: 订单\t服务\n", "שלום עולם", "می\u{200c}خواهم", "👩\u{200d}💻", "\\u{202e}", ""]
        {
            assert_eq!(visible(text), text);
            assert!(runs(text).iter().all(|(hidden, _)| !hidden));
            assert_eq!(told(text), None);
        }
    }

    #[test]
    fn runs_make_up_the_text() {
        let text = "\u{202e}gnp.exe\u{2066}\u{2069} end\u{200b}";
        let found = runs(text);
        let expected =
            [(true, "\u{202e}"), (false, "gnp.exe"), (true, "\u{2066}\u{2069}"), (false, " end"), (true, "\u{200b}")];
        assert_eq!(found, expected);
        assert!(runs("").is_empty());
    }

    #[test]
    fn a_text_says_where_it_hides_something() {
        let one = told("a: 1\r\nb: \u{202e}2\r\n").unwrap();
        assert_eq!(one, "This text has what cannot be seen: \\u{202e} in line 2.");
        assert_eq!(told("a: 1\r\nb: 2\r\n"), None);
        let many = told("\u{200b}\u{200b}\n\u{200b}\n\u{200b}\u{200b}").unwrap();
        assert!(many.ends_with("\\u{200b} in line 2, and 2 more."), "{many}");
    }
}
