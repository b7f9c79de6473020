use regex::{Regex, RegexBuilder};
use weft_model::graph::{CodeRate, Health};

use super::{Direction, Outcome, outcome, share};

/// Kiali's annotation of services and workloads: `CODE,DEGRADED,FAILURE,PROTOCOL,DIRECTION;…`.
pub const ANNOTATION: &str = "health.kiali.io/rate";

/// Most rules that one annotation may hold.
const MAX_RULES: usize = 20;
/// Longest rule, in bytes.
const MAX_LENGTH: usize = 400;
/// How large a compiled expression may get, in bytes.
const MAX_EXPRESSION: usize = 64 * 1024;

/// Why an annotation cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Nothing is in it.
    #[error("it is empty; write at least one rule, such as 4XX,10,20,http,inbound")]
    Empty,
    /// Too many.
    #[error("it has more than {MAX_RULES} rules; put them together")]
    TooMany,
    /// Too long to be meant.
    #[error("a rule is too long: {MAX_LENGTH} characters are enough")]
    TooLong,
    /// Parts are missing, or an expression has a comma.
    #[error(
        "\"{0}\" has not five parts; write CODE,DEGRADED,FAILURE,PROTOCOL,DIRECTION (expressions cannot hold commas)"
    )]
    Parts(String),
    /// Not a percentage.
    #[error("\"{0}\" is no percentage; write a number from 0 to 100")]
    Number(String),
    /// The wrong way round.
    #[error("in \"{0}\" the failure threshold is below the degraded one; exchange them")]
    Order(String),
    /// Not a regular expression.
    #[error("\"{0}\" is no regular expression; {1}")]
    Expression(String, String),
}

/// One threshold by its parts, in percent; an expression without characters matches everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub code: &'a str,
    pub protocol: &'a str,
    pub direction: &'a str,
    pub degraded: f64,
    pub failing: f64,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// 5xx, no answer, failed connections.
    Server,
    /// 4xx.
    Client,
    /// gRPC statuses 1 to 16.
    Grpc,
    /// As an annotation says.
    Written { code: Regex, protocol: Regex, direction: Regex },
}

/// A share of the requests that match, in percent of all, above zero and at or above the number, counts.
#[derive(Clone, Debug)]
struct Tolerance {
    matcher: Matcher,
    degraded: f64,
    failing: f64,
}

/// How much failing traffic is tolerated. The default is Kiali's `health_config`.
#[derive(Clone, Debug)]
pub struct Rules {
    tolerances: Vec<Tolerance>,
    text: Option<String>,
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Default for Rules {
    fn default() -> Self {
        let of = |matcher, degraded, failing| Tolerance { matcher, degraded, failing };
        Self {
            tolerances: vec![
                of(Matcher::Server, 0.0, 10.0),
                of(Matcher::Client, 10.0, 20.0),
                of(Matcher::Grpc, 0.0, 10.0),
            ],
            text: None,
        }
    }
}

impl Rules {
    /// Reads the annotation. `X` in a code stands for a digit, as in Kiali; expressions match anywhere unless anchored.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let rules: Vec<&str> = text.split(';').map(str::trim).filter(|rule| !rule.is_empty()).collect();
        match rules.len() {
            0 => return Err(RuleError::Empty),
            n if n > MAX_RULES => return Err(RuleError::TooMany),
            _ => {}
        }
        let tolerances = rules.into_iter().map(Tolerance::parse).collect::<Result<_, _>>()?;
        Ok(Self { tolerances, text: Some(text.to_owned()) })
    }

    /// Takes thresholds that are written otherwise than in the annotation.
    pub(super) fn of(written: &[Written<'_>]) -> Result<Self, RuleError> {
        match written.len() {
            0 => return Err(RuleError::Empty),
            n if n > MAX_RULES => return Err(RuleError::TooMany),
            _ => {}
        }
        let tolerances = written.iter().map(Tolerance::of).collect::<Result<_, _>>()?;
        Ok(Self { tolerances, text: Some(format!("{written:?}")) })
    }

    /// Health of traffic with these outcomes. `Idle` without requests.
    pub fn judge(&self, codes: &[CodeRate], direction: Direction) -> Health {
        let verdict = |tolerance: &Tolerance| {
            let percent = share(codes, |code| tolerance.matcher.matches(code, direction)).map(|share| share * 100.0);
            match percent {
                None => Health::Idle,
                Some(percent) if percent > 0.0 && percent >= tolerance.failing => Health::Failing,
                Some(percent) if percent > 0.0 && percent >= tolerance.degraded => Health::Degraded,
                Some(_) => Health::Healthy,
            }
        };
        self.tolerances.iter().map(verdict).max().unwrap_or_default()
    }
}

impl Tolerance {
    fn parse(rule: &str) -> Result<Self, RuleError> {
        if rule.len() > MAX_LENGTH {
            return Err(RuleError::TooLong);
        }
        let parts: Vec<&str> = rule.split(',').map(str::trim).collect();
        let [code, degraded, failing, protocol, direction] = parts[..] else {
            return Err(RuleError::Parts(rule.to_owned()));
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| RuleError::Number(text.to_owned()));
        let (degraded, failing) = (number(degraded)?, number(failing)?);
        Self::of(&Written { code, protocol, direction, degraded, failing })
    }

    fn of(written: &Written<'_>) -> Result<Self, RuleError> {
        let Written { code, protocol, direction, degraded, failing } = *written;
        if let Some(number) = [degraded, failing].into_iter().find(|number| !(0.0..=100.0).contains(number)) {
            return Err(RuleError::Number(number.to_string()));
        }
        if failing < degraded {
            return Err(RuleError::Order(format!("{code},{degraded},{failing},{protocol},{direction}")));
        }
        let code = expression(&code.replace(['X', 'x'], r"\d"))?;
        let matcher = Matcher::Written { code, protocol: expression(protocol)?, direction: expression(direction)? };
        Ok(Self { matcher, degraded, failing })
    }
}

pub(super) fn expression(text: &str) -> Result<Regex, RuleError> {
    if text.len() > MAX_LENGTH {
        return Err(RuleError::TooLong);
    }
    RegexBuilder::new(text).size_limit(MAX_EXPRESSION).build().map_err(|error| {
        let why = error.to_string();
        RuleError::Expression(text.to_owned(), why.lines().last().unwrap_or_default().trim().to_owned())
    })
}

impl Matcher {
    fn matches(&self, rate: &CodeRate, direction: Direction) -> bool {
        match self {
            Self::Server => outcome(rate) == Outcome::ServerError,
            Self::Client => outcome(rate) == Outcome::ClientError,
            Self::Grpc => outcome(rate) == Outcome::GrpcError,
            Self::Written { code, protocol, direction: way } => {
                let (name, value) = match (rate.code.as_str(), rate.grpc.as_str(), outcome(rate)) {
                    // What got no answer failed as 503 does; a TCP connection that failed has no code either.
                    ("", _, Outcome::ServerError) => ("tcp", "503"),
                    ("", _, _) => ("tcp", "200"),
                    ("0", _, _) => ("http", "503"),
                    (_, status, Outcome::GrpcError) => ("grpc", status),
                    (status, "", _) => ("http", status),
                    (_, status, Outcome::Success) => ("grpc", status),
                    (status, _, _) => ("http", status),
                };
                let direction = match direction {
                    Direction::Inbound => "inbound",
                    Direction::Outbound => "outbound",
                };
                code.is_match(value) && protocol.is_match(name) && way.is_match(direction)
            }
        }
    }
}
