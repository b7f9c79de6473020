//! What is wrong with parameters and bodies, in words of the API: those of what reads them are for whoever wrote the console.

/// What is said when a parameter cannot be read, by a word of it, and what to do.
const REMEDIES: [(&str, &str); 6] = [
    ("digit", "Write a whole number, 0 or more."),
    ("integer", "Write a whole number, 0 or more."),
    ("`true` or `false`", "Write true or false."),
    ("float", "Write a number, such as 0.5."),
    ("IP address", "Write an IP address, such as 10.0.0.7."),
    ("duplicate field", "Give each parameter once."),
];
/// Where it is said otherwise.
const DOCUMENT: &str = "The API's document, /api/v1/openapi.json, says what it takes.";

/// What somebody sent, in quotes and cut short.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("“{short}…”") } else { format!("“{short}”") }
}

/// “Did you mean …? ” if one of `known` is nearly what was given.
pub(super) fn meant(given: &str, known: &[&str]) -> String {
    let short: String = given.chars().take(60).collect();
    let like = known.iter().map(|known| (strsim::damerau_levenshtein(known, &short), *known)).min();
    match like {
        Some((distance, known)) if distance <= 2 => format!("Did you mean {known}? "),
        _ => String::new(),
    }
}

/// Title and detail for what a query's reader says.
pub(super) fn of_query(said: &str) -> (String, String) {
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(said);
    if let Some(name) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return (format!("The parameter {name} is missing."), format!("Add {name}=… to the address."));
    }
    let (name, why) = match said.split_once(": ") {
        Some((name, why)) if is_path(name) => (name, why),
        _ => ("", said),
    };
    if let Some((given, known)) = variant(why) {
        let what = if name.is_empty() { "A parameter" } else { name };
        return (format!("{what} cannot be {}.", shown(given)), choices(given, &known));
    }
    let remedy = REMEDIES.iter().find(|(sign, _)| why.contains(sign)).map_or(DOCUMENT, |(_, remedy)| *remedy);
    let title =
        if name.is_empty() { "The query cannot be read.".to_owned() } else { format!("{name} cannot be read.") };
    (title, remedy.to_owned())
}

/// What one of `known` has to be.
pub(super) fn choices(given: &str, known: &[&str]) -> String {
    format!("{}It takes {}.", meant(given, known), known.join(", "))
}

/// Title and detail for what the reader of a body says that is JSON, and not the right one.
pub(super) fn of_body(said: &str) -> (String, String) {
    let said = said.strip_prefix("Failed to deserialize the JSON body into the target type: ").unwrap_or(said);
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let (path, why) = match said.split_once(": ") {
        Some((path, why)) if is_path(path) => (path, why),
        _ => ("", said),
    };
    let place = if path.is_empty() { "The body" } else { path };
    if let Some(name) = why.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return (format!("{place} lacks {name}."), format!("Give {name} as well."));
    }
    if let Some((name, known)) = named(why, "unknown field `") {
        return (format!("{place} has no field {}.", shown(name)), choices(name, &known));
    }
    if let Some((given, known)) = variant(why) {
        return (format!("{place} cannot be {}.", shown(given)), choices(given, &known));
    }
    let kind = why.strip_prefix("invalid type: ").or_else(|| why.strip_prefix("invalid value: "));
    if let Some((given, expected)) = kind.and_then(|why| why.rsplit_once(", expected ")) {
        let given: String = given.replace('`', "").chars().take(60).collect();
        return (format!("{place} cannot be {given}."), format!("Give {}.", plain(expected)));
    }
    let title = if path.is_empty() { "The body cannot be read.".to_owned() } else { format!("{path} cannot be read.") };
    (title, DOCUMENT.to_owned())
}

/// Title and detail for what the reader of a body says that is no JSON.
pub(super) fn of_no_json(said: &str) -> (String, String) {
    let at = said.rsplit_once(" at line ").and_then(|(_, at)| at.split_once(" column "));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let detail = match at {
        Some((line, column)) if digits(line) && digits(column) => {
            format!("Mend it at line {line}, column {column}.")
        }
        _ => "Send one JSON value.".to_owned(),
    };
    ("The body is not JSON.".to_owned(), detail)
}

/// What `serde` expects, without Rust's names.
fn plain(expected: &str) -> String {
    let word = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ if expected.starts_with("a ") || expected.starts_with("an ") => expected,
        _ => "what /api/v1/openapi.json says",
    };
    word.to_owned()
}

/// Whether something is where a field stands (`object.name`, `weights[1]`) rather than words.
fn is_path(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    !text.is_empty() && text.chars().all(fits)
}

fn variant(why: &str) -> Option<(&str, Vec<&str>)> {
    named(why, "unknown variant `")
}

/// What is named behind `start`, and what may stand there; `None` when that is not told.
pub(super) fn named<'a>(why: &'a str, start: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (_, said) = why.split_once(start)?;
    let (name, expected) = said.split_once("`, expected ")?;
    Some((name, expected.split('`').skip(1).step_by(2).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_told_of_by_its_parameters() {
        let of = |said: &str| {
            let (title, detail) = of_query(&format!("Failed to deserialize query string: {said}"));
            format!("{title} {detail}")
        };
        assert_eq!(
            of("window: invalid digit found in string"),
            "window cannot be read. Write a whole number, 0 or more."
        );
        assert_eq!(
            of("view: unknown variant `ap`, expected one of `workload`, `app`"),
            "view cannot be “ap”. Did you mean app? It takes workload, app."
        );
        assert_eq!(of("missing field `kind`"), "The parameter kind is missing. Add kind=… to the address.");
        assert_eq!(of("idle: provided string was not `true` or `false`"), "idle cannot be read. Write true or false.");
    }

    #[test]
    fn a_body_is_told_of_by_its_fields() {
        let of = |said: &str| {
            let said = format!("Failed to deserialize the JSON body into the target type: {said} at line 1 column 9");
            let (title, detail) = of_body(&said);
            format!("{title} {detail}")
        };
        assert_eq!(of("missing field `location`"), "The body lacks location. Give location as well.");
        assert_eq!(
            of("name: invalid type: integer `5`, expected a string"),
            "name cannot be integer 5. Give a string."
        );
        assert_eq!(
            of("weights[1]: invalid type: string \"x\", expected u32"),
            "weights[1] cannot be string \"x\". Give a whole number, 0 or more."
        );
        assert_eq!(
            of_no_json("Failed to parse the request body as JSON: expected value at line 1 column 2"),
            ("The body is not JSON.".to_owned(), "Mend it at line 1, column 2.".to_owned())
        );
    }
}
