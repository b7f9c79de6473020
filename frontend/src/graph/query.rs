//! Expressions that find and hide: `ns = shop and error > 1%`, `p95 > 200ms or not mtls = 100%`, `cart`.
//!
//! ```text
//! all   = one ("or" one)*          one  = part ("and"? part)*
//! part  = "not" part | "(" all ")" | term
//! term  = field op value ("," value)* | mark | word
//! ```
//!
//! A word that is no mark is looked for in names. On an edge a field of nodes is that of the node it leads to; `from.`
//! and `to.` name an end. What a field says nothing about is neither matched nor matched by its opposite: `protocol = tcp`
//! concerns edges only, and so does `not protocol = tcp`.

mod complete;
mod field;
mod parse;
mod subject;
#[cfg(test)]
mod tests;
mod token;

pub use self::{
    complete::{Suggestion, complete},
    field::EXAMPLES,
    subject::{Index, Subject},
};
use field::{End, Field, Mark, Value};

/// A longer expression is refused: nobody types one, and an address could carry one.
pub const LONGEST: usize = 2_000;
/// Deeper nesting is refused.
const DEEPEST: usize = 40;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// An expression that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(Expr);

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Any(Vec<Expr>),
    All(Vec<Expr>),
    Not(Box<Expr>),
    /// A word in a name.
    Word(String),
    Mark(End, Mark),
    Compare(End, Field, Op, Vec<Value>),
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Is,
    IsNot,
    Has,
    HasNot,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Op {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Is, "="),
        (Self::IsNot, "!="),
        (Self::Has, "~"),
        (Self::HasNot, "!~"),
        (Self::Less, "<"),
        (Self::AtMost, "<="),
        (Self::More, ">"),
        (Self::AtLeast, ">="),
    ];

    fn text(self) -> &'static str {
        Self::ALL.into_iter().find(|(op, _)| *op == self).map_or("=", |(_, text)| text)
    }
}

impl Query {
    /// Reads an expression; `None` for an empty one.
    pub fn parse(text: &str) -> Result<Option<Self>, QueryError> {
        Ok(parse::parse(text)?.map(Self))
    }

    /// Whether a node or an edge matches.
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        holds(&self.0, subject) == Some(true)
    }
}

/// Kleene's logic: `None` is "says nothing about this".
fn holds(expr: &Expr, subject: Subject<'_>) -> Option<bool> {
    match expr {
        Expr::Any(parts) => joined(parts, subject, true),
        Expr::All(parts) => joined(parts, subject, false),
        Expr::Not(part) => holds(part, subject).map(|answer| !answer),
        Expr::Word(word) => subject.names(word),
        Expr::Mark(end, mark) => subject.marked(*end, *mark),
        Expr::Compare(end, field, op, values) => subject.compares(*end, *field, *op, values),
    }
}

/// The answer `decides` of one part decides; else one that is not known leaves the whole unknown.
fn joined(parts: &[Expr], subject: Subject<'_>, decides: bool) -> Option<bool> {
    let answers: Vec<Option<bool>> = parts.iter().map(|part| holds(part, subject)).collect();
    if answers.contains(&Some(decides)) {
        return Some(decides);
    }
    if answers.contains(&None) { None } else { Some(!decides) }
}

/// The expression that matches exactly one node.
pub fn exactly(id: &str) -> String {
    format!("id = {}", quoted(id))
}

/// The expression that matches the calls from one node to another.
pub fn call(from: &str, to: &str) -> String {
    format!("(from.id = {} and to.id = {})", quoted(from), quoted(to))
}

/// Both expressions joined by "or".
pub fn either(one: &str, other: &str) -> String {
    match (one.trim(), other.trim()) {
        ("", text) | (text, "") => text.to_owned(),
        (one, other) => format!("{one} or {other}"),
    }
}

/// A value as it may stand in an expression.
pub fn quoted(value: &str) -> String {
    let plain = !value.is_empty() && value.chars().all(token::is_word) && !token::is_keyword(value);
    if plain { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}
