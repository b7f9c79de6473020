//! Durations as Go and protobuf write them: `10s`, `1.5s`, `100ms`, `1h30m`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// The standard library's form.
    pub fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// No number followed by a unit.
    #[error("{0:?} is not a duration: write a number and a unit (h, m, s, ms, us, ns), such as \"10s\" or \"1h30m\"")]
    Syntax(String),
    /// Below zero.
    #[error("{0:?} is negative")]
    Negative(String),
    /// More than protobuf's 10,000 years.
    #[error("{0:?} is longer than 315,576,000,000 s")]
    TooLong(String),
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || InvalidDuration::Syntax(text.chars().take(64).collect());
        if text.starts_with('-') {
            return Err(InvalidDuration::Negative(text.chars().take(64).collect()));
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.is_empty() {
            return Err(syntax());
        }
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(syntax)?;
            let (number, after) = rest.split_at(digits);
            let unit_length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_length);
            let scale: u128 = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                _ => return Err(syntax()),
            };
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
                return Err(syntax());
            }
            let too_long = || InvalidDuration::TooLong(text.chars().take(64).collect());
            let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
            nanos = whole.checked_mul(scale).and_then(|n| nanos.checked_add(n)).ok_or_else(too_long)?;
            let mut place = scale;
            for digit in fraction.bytes() {
                place /= 10;
                nanos += u128::from(digit - b'0') * place;
            }
            rest = after;
        }
        const LONGEST: u128 = 315_576_000_000 * 1_000_000_000;
        if nanos > LONGEST {
            return Err(InvalidDuration::TooLong(text.chars().take(64).collect()));
        }
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        let below = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
        Ok(Self(std::time::Duration::new(seconds, below)))
    }
}

/// Protobuf's JSON form: seconds with an optional fraction.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_nanos() {
            0 => write!(f, "{}s", self.0.as_secs()),
            nanos => {
                let fraction = format!("{nanos:09}");
                write!(f, "{}.{}s", self.0.as_secs(), fraction.trim_end_matches('0'))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Duration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"10s\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl schemars::JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "A duration such as 10s, 1.5s, 100ms or 1h30m."})
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, millis) in
            [("10s", 10_000), ("1.5s", 1500), ("100ms", 100), ("1h30m", 5_400_000), ("0", 0), ("0s", 0), (".5s", 500)]
        {
            assert_eq!(text.parse::<Duration>().unwrap().0.as_millis(), millis, "{text}");
        }
        assert_eq!("1.5us".parse::<Duration>().unwrap().0.as_nanos(), 1500);
    }

    #[test]
    fn refuses_the_rest() {
        for text in
            ["", "10", "s", "1.2.3s", "10 s", "5d", ".s", "1s2", "ten", "99999999999999999999999999999999999999999h"]
        {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        assert_eq!("-1s".parse::<Duration>(), Err(InvalidDuration::Negative("-1s".into())));
    }

    #[test]
    fn writes_seconds() {
        assert_eq!("90m".parse::<Duration>().unwrap().to_string(), "5400s");
        assert_eq!("1500ms".parse::<Duration>().unwrap().to_string(), "1.5s");
    }
}
