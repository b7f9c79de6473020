//! What may come next while an expression is typed.

use std::collections::BTreeSet;

use weft_model::graph::{Graph, Node};

use super::{
    Op,
    field::{Field, Mark, Sort},
    parse::split,
    quoted,
    token::{Token, is_keyword, tokens},
};

/// The most that is offered at once.
const OFFERED: usize = 10;

/// Something to put into the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What is shown.
    pub word: String,
    /// What it means; empty for values.
    pub meaning: &'static str,
    /// The whole text after taking it.
    pub text: String,
}

/// What may stand at the end of `text`, the names taken from `graph`. Nothing for an empty text: examples say more.
pub fn complete(text: &str, graph: &Graph) -> Vec<Suggestion> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let Ok(mut all) = tokens(text) else { return Vec::new() };
    // A word that the text ends with is still being typed.
    let typed = match all.last() {
        Some((column, Token::Word(word)))
            if text.ends_with(|char: char| !char.is_whitespace()) && !text.ends_with('!') =>
        {
            let typed = (*column, word.clone());
            all.pop();
            Some(typed)
        }
        _ => None,
    };
    let (kept, part) = match &typed {
        Some((column, word)) => (text.chars().take(column - 1).collect::<String>(), word.as_str()),
        None => (text.to_owned(), ""),
    };
    let offer = |word: &str, meaning: &'static str, behind: &str| Suggestion {
        word: word.to_owned(),
        meaning,
        text: format!("{kept}{word}{behind}"),
    };
    let lower = part.to_lowercase();
    let mut out: Vec<Suggestion> = match expected(&all) {
        Expected::Value(field) => values(field, graph)
            .into_iter()
            .filter(|value| value.to_lowercase().contains(&lower))
            .map(|value| offer(&quoted(&value), "", " "))
            .collect(),
        Expected::Op(field) => {
            let numeric = !matches!(field.sort(), Sort::Text | Sort::Choice);
            let text = field.sort() == Sort::Text;
            let fits = |op: Op| match op {
                Op::Is | Op::IsNot => true,
                Op::Has | Op::HasNot => text,
                _ => numeric,
            };
            let ops = Op::ALL.into_iter().filter(|(op, _)| fits(*op)).map(|(_, text)| offer(text, "", " "));
            // Without an operator a mark of this name is complete.
            ops.collect()
        }
        Expected::Term(joined) => {
            let (end, name) = split(part);
            let prefix = &part[..part.len() - name.len()];
            let name = name.to_lowercase();
            let fields = Field::ALL.into_iter().filter(|(field, names, _)| {
                names.iter().any(|other| other.starts_with(&name)) && (end == super::End::Own || !field.of_calls())
            });
            let fields = fields.map(|(_, names, meaning)| offer(&format!("{prefix}{}", names[0]), meaning, " "));
            let marks =
                Mark::ALL.into_iter().filter(|(_, names, _)| names.iter().any(|other| other.starts_with(&name)));
            let marks = marks.map(|(_, names, meaning)| offer(&format!("{prefix}{}", names[0]), meaning, " "));
            let joins = [("and", "both"), ("or", "either")].into_iter().filter(|_| joined);
            let words = joins.chain([("not", "the opposite"), ("from.", "of the caller"), ("to.", "of the called")]);
            let words = words.filter(|(word, _)| word.starts_with(&lower));
            let words = words.map(|(word, meaning)| offer(word, meaning, if word.ends_with('.') { "" } else { " " }));
            if joined && part.is_empty() { words.collect() } else { fields.chain(marks).chain(words).collect() }
        }
    };
    // What is there already is no suggestion.
    out.retain(|suggestion| {
        suggestion.text.trim_end() != text.trim_end() || !part.is_empty() && suggestion.word != part
    });
    out.truncate(OFFERED);
    out
}

enum Expected {
    /// A field, a mark or a keyword; whether an expression stands before it.
    Term(bool),
    Op(Field),
    Value(Field),
}

fn expected(before: &[(usize, Token)]) -> Expected {
    let field = |token: Option<&(usize, Token)>| match token {
        Some((_, Token::Word(word))) => Field::named(split(word).1),
        _ => None,
    };
    let Some((_, last)) = before.last() else { return Expected::Term(false) };
    let count = before.len();
    match last {
        Token::Op(_) => {
            count.checked_sub(2).and_then(|at| field(before.get(at))).map_or(Expected::Term(false), Expected::Value)
        }
        Token::Comma => {
            let op = before.iter().rposition(|(_, token)| matches!(token, Token::Op(_)));
            let field = op.and_then(|op| op.checked_sub(1)).and_then(|at| field(before.get(at)));
            field.map_or(Expected::Term(false), Expected::Value)
        }
        Token::Word(word) if is_keyword(word) => Expected::Term(false),
        Token::Word(word) => {
            let is_value = count
                .checked_sub(2)
                .and_then(|at| before.get(at))
                .is_some_and(|(_, token)| matches!(token, Token::Op(_) | Token::Comma));
            match Field::named(split(word).1) {
                Some(field) if !is_value => Expected::Op(field),
                _ => Expected::Term(true),
            }
        }
        Token::Open => Expected::Term(false),
        Token::Close | Token::Quoted(_) => Expected::Term(true),
    }
}

/// Values of a field that occur.
fn values(field: Field, graph: &Graph) -> Vec<String> {
    let of = |part: fn(&Node) -> &str| -> Vec<String> {
        let all: BTreeSet<&str> =
            graph.nodes.iter().map(part).filter(|text| !text.is_empty() && *text != "unknown").collect();
        all.into_iter().map(str::to_owned).collect()
    };
    match field {
        Field::Name => of(|node| &node.workload),
        Field::Namespace => of(|node| &node.namespace),
        Field::App => of(|node| &node.app),
        Field::Version => of(|node| &node.version),
        Field::Host => of(|node| &node.host),
        Field::Cluster => of(|node| &node.cluster),
        Field::Id => of(|node| &node.id),
        Field::Code | Field::Flags => {
            let codes = graph.edges.iter().flat_map(|edge| &edge.codes);
            let all: BTreeSet<&str> =
                codes
                    .flat_map(|code| {
                        if field == Field::Code { vec![code.code.as_str()] } else { code.flags.split(',').collect() }
                    })
                    .filter(|text| !text.is_empty() && *text != "-")
                    .collect();
            all.into_iter().map(str::to_owned).collect()
        }
        other if other.choices().is_empty() => other.examples().iter().map(|value| (*value).to_owned()).collect(),
        other => other.choices().into_iter().map(str::to_owned).collect(),
    }
}
