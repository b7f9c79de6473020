//! What an unquoted scalar means: YAML 1.1's types as Kubernetes' reader resolves them, as far as JSON has them.

use serde_json::{Number, Value};

/// The meaning of a plain scalar.
pub(super) fn resolve(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Err(format!("{text} has no meaning in JSON")),
        _ if matches!(text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF") => {
            return Err(format!("{text} has no meaning in JSON"));
        }
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if !first.is_ascii_digit() && !matches!(first, b'+' | b'-' | b'.') {
        return None;
    }
    integer(text).or_else(|| float(text))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'0'..=b'7', ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let plain = digits.replace('_', "");
    if plain.is_empty() || digits.starts_with('_') || !plain.bytes().all(|b| (b as char).is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(&plain, radix).ok()?;
    if !negative {
        return Some(magnitude.into());
    }
    0i64.checked_sub_unsigned(magnitude).map(Number::from)
}

fn float(text: &str) -> Option<Number> {
    let body = text.trim_start_matches(['+', '-']);
    let numeric = body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    if !numeric || text.len() - body.len() > 1 || !body.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    text.replace('_', "").parse::<f64>().ok().and_then(Number::from_f64)
}

/// A scalar as it may be written in place of another one. Strings are quoted unless nothing else could be meant.
pub(crate) fn write(value: &Value, json: bool) -> String {
    match value {
        Value::String(text) if !json && plain_enough(text) => text.clone(),
        other => other.to_string(),
    }
}

fn plain_enough(text: &str) -> bool {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(safe)
        && matches!(resolve(text), Ok(Value::String(_)))
}
