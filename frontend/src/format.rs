//! Numbers, durations and names as the page writes them: three significant digits, always a unit.

#[cfg(test)]
mod tests;

use weft_model::Counted;

use crate::shown::visible;

/// Three significant digits without trailing zeros, thousands grouped, millions and more with a letter.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if size < 0.001 {
        return if value < 0.0 { ">-0.001" } else { "<0.001" }.to_owned();
    }
    if size >= 999_500_000.0 {
        return format!("{} G", digits(value / 1e9));
    }
    if size >= 999_500.0 {
        return format!("{} M", digits(value / 1e6));
    }
    let exponent = size.log10().floor() as i32;
    let step = 10f64.powi(exponent - 2);
    let rounded = (value / step).round() * step;
    let decimals = (2 - rounded.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{rounded:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    group(text)
}

/// Puts a comma between thousands of the integer part.
fn group(text: &str) -> String {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A count, in full: `4,812`.
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// Requests or connections per second: `12.4 req/s`.
pub fn rate(value: f64, counted: Counted) -> String {
    format!("{} {}", digits(value), counted.unit)
}

/// Bytes per second, in thousands: `1.2 kB/s`.
pub fn bytes_rate(value: f64) -> String {
    let steps = [(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")];
    let (factor, unit) = steps.into_iter().find(|(factor, _)| value >= *factor).unwrap_or((1.0, "B/s"));
    format!("{} {unit}", digits(value / factor))
}

/// A share of 0 to 1 in percent: `3.1 %`.
pub fn share(value: f64) -> String {
    percent(value * 100.0)
}

/// A number that is in percent already: `9.6 %`.
pub fn percent(value: f64) -> String {
    if value > 0.0 && value < 0.01 {
        return "<0.01 %".to_owned();
    }
    // A share just short of all must not read as all: 99.97 % is not 100 %.
    if (99.95..100.0).contains(&value) {
        return format!("{:.2} %", (value * 100.0).floor() / 100.0);
    }
    format!("{} %", digits(value))
}

/// What to show when a number may be missing: a dash is "not known", never zero.
pub fn maybe(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), write)
}

/// Milliseconds, seconds from one thousand on: `48 ms`, `1.2 s`.
pub fn millis(value: f64) -> String {
    if value >= 60_000.0 {
        return span(value);
    }
    if value >= 999.5 {
        return format!("{} s", digits(value / 1000.0));
    }
    if value > 0.0 && value < 0.01 {
        return format!("{} µs", digits(value * 1000.0));
    }
    format!("{} ms", digits(value))
}

/// Microseconds, written as milliseconds from half of one on.
pub fn micros(value: u64) -> String {
    if value < 500 { format!("{value} µs") } else { millis(value as f64 / 1000.0) }
}

/// A length of time in the two largest units: `2 min 3 s`.
pub fn span(ms: f64) -> String {
    let seconds = (ms / 1000.0).round().max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let pair = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {small_unit}") }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => pair(minutes, "min", seconds % 60, "s"),
        (0, _, _) => pair(hours, "h", minutes, "min"),
        (730.., _, _) => format!("{} y", digits((days as f64 / 36.525).floor() / 10.0)),
        _ => pair(days, "d", hours, "h"),
    }
}

/// How long ago, in one unit: `12 s ago`.
pub fn ago(ms: f64) -> String {
    let seconds = (ms / 1000.0).max(0.0) as u64;
    match seconds {
        0..=1 => "now".to_owned(),
        2..=59 => format!("{seconds} s ago"),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=86_399 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// Shortens a name in its middle, so that both the family and the version stay readable, and shows what is hidden in it.
pub fn middle(name: &str, limit: usize) -> String {
    let length = name.chars().count();
    if length <= limit || limit < 3 {
        return visible(name);
    }
    let tail = (limit - 1) / 2;
    let head = limit - 1 - tail;
    let start: String = name.chars().take(head).collect();
    let end: String = name.chars().skip(length - tail).collect();
    visible(&format!("{start}…{end}"))
}

/// A difference with its sign: `+3.1`.
pub fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", digits(value)) } else { digits(value).replace('-', "−") }
}

/// `1 finding`, `2 findings`.
pub fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}
