//! Thresholds of a whole mesh, in the shape of Kiali's `health_config`.

use regex::Regex;
use serde::Deserialize;

use super::{
    RuleError, Rules,
    rules::{Written, expression},
};

/// Most entries; each node is held against them in order.
const MAX_RATES: usize = 100;
/// Longest text, in bytes.
const MAX_TEXT: usize = 256 * 1024;

/// Why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HealthConfigError {
    /// Not YAML, or of another shape.
    #[error("{0}; write rate: with a list of namespace, kind, name and tolerance, as in Kiali's health_config")]
    Shape(String),
    /// Too long to be meant.
    #[error("it is too long: {MAX_RATES} entries and {} KiB are enough", MAX_TEXT / 1024)]
    TooLong,
    /// One entry is wrong.
    #[error("rate[{0}]: {1}")]
    Rate(usize, RuleError),
}

/// Which thresholds hold for what. The first entry that fits counts; Kiali's defaults hold for what none fits.
#[derive(Clone, Debug, Default)]
pub struct HealthConfig {
    rates: Vec<Rate>,
    text: String,
}

#[derive(Clone, Debug)]
struct Rate {
    namespace: Regex,
    kind: Regex,
    name: Regex,
    rules: Rules,
}

impl PartialEq for HealthConfig {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The list alone, or under Kiali's own key.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Top {
    health_config: Option<Rates>,
    rate: Vec<RateText>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rates {
    rate: Vec<RateText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateText {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    tolerance: Vec<ToleranceText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToleranceText {
    code: String,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    degraded: f64,
    failure: f64,
}

impl HealthConfig {
    /// Reads YAML. Expressions match anywhere unless anchored, and everything where there is none; `X` in a code stands for
    /// a digit.
    pub fn parse(text: &str) -> Result<Self, HealthConfigError> {
        if text.len() > MAX_TEXT {
            return Err(HealthConfigError::TooLong);
        }
        let top: Top = serde_saphyr::from_str(text).map_err(|error| {
            let why = error.without_snippet().to_string();
            HealthConfigError::Shape(why.lines().next().unwrap_or_default().trim().to_owned())
        })?;
        let inner = top.health_config.map(|config| config.rate).unwrap_or_default();
        let rates: Vec<RateText> = top.rate.into_iter().chain(inner).collect();
        match rates.len() {
            0 => return Err(HealthConfigError::Shape("it has no entry".to_owned())),
            n if n > MAX_RATES => return Err(HealthConfigError::TooLong),
            _ => {}
        }
        let read = |(at, rate): (usize, RateText)| rate.read().map_err(|error| HealthConfigError::Rate(at, error));
        let rates = rates.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { rates, text: text.to_owned() })
    }

    /// The thresholds of one thing; `kind` is `app`, `workload` or `service`.
    pub fn of(&self, namespace: &str, kind: &str, name: &str) -> Option<&Rules> {
        let fits =
            |rate: &&Rate| rate.namespace.is_match(namespace) && rate.kind.is_match(kind) && rate.name.is_match(name);
        self.rates.iter().find(fits).map(|rate| &rate.rules)
    }
}

impl RateText {
    fn read(self) -> Result<Rate, RuleError> {
        let written: Vec<Written<'_>> = self
            .tolerance
            .iter()
            .map(|one| Written {
                code: &one.code,
                protocol: &one.protocol,
                direction: &one.direction,
                degraded: one.degraded,
                failing: one.failure,
            })
            .collect();
        Ok(Rate {
            rules: Rules::of(&written)?,
            namespace: expression(&self.namespace)?,
            kind: expression(&self.kind)?,
            name: expression(&self.name)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use weft_model::graph::{CodeRate, Health};

    use super::*;
    use crate::graph::health::Direction;

    const TEXT: &str = r#"
health_config:
  rate:
  - namespace: "^bank$"
    kind: workload
    tolerance:
    - {code: "5XX", direction: inbound, protocol: http, degraded: 0.5, failure: 1}
  - kind: ".*"
    name: "^(pay|till)"
    tolerance:
    - code: "^5\\d\\d$"
      protocol: http
      degraded: 50
      failure: 60
    - code: "4XX"
      failure: 100
"#;

    #[test]
    fn the_first_entry_that_fits_counts() {
        let config = HealthConfig::parse(TEXT).unwrap();
        let codes = [("200", 70.0), ("500", 30.0)].map(|(code, rate)| CodeRate {
            code: code.into(),
            flags: "-".into(),
            rate,
            ..CodeRate::default()
        });
        let judge = |namespace, kind, name| {
            config.of(namespace, kind, name).map(|rules| rules.judge(&codes, Direction::Inbound))
        };
        assert_eq!(judge("bank", "workload", "till"), Some(Health::Failing));
        assert_eq!(judge("bank", "app", "till"), Some(Health::Healthy));
        assert_eq!(judge("shop", "service", "payment"), Some(Health::Healthy));
        assert_eq!(judge("shop", "service", "cart"), None, "the defaults hold");
        let bare = TEXT.replace("health_config:\n", "").replace("\n  ", "\n");
        assert!(HealthConfig::parse(&bare).is_ok_and(|config| config.of("bank", "workload", "x").is_some()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let one = |tolerance: &str| format!("rate:\n- tolerance:\n  - {tolerance}\n");
        for (text, words) in [
            (String::new(), "rate:"),
            ("rate: []".to_owned(), "no entry"),
            ("- x".to_owned(), "rate:"),
            ("rates: []".to_owned(), "rate:"),
            (one("{code: 5XX, degraded: 1}"), "failure"),
            (one("{code: 5XX, failures: 1}"), "failures"),
            (one("{code: 5XX, degraded: 20, failure: 10}"), "rate[0]: in \"5XX"),
            (one("{code: 5XX, failure: 101}"), "rate[0]: \"101\" is no percentage"),
            (one("{code: '(', failure: 1}"), "regular expression"),
            ("rate:\n- tolerance: []\n".to_owned(), "rate[0]: it is empty"),
            (format!("rate:\n{}", "- tolerance: [{code: '5', failure: 1}]\n".repeat(101)), "too long"),
        ] {
            let error = HealthConfig::parse(&text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
