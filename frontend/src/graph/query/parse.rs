//! From pieces to an expression, by recursive descent.

use super::{
    DEEPEST, Expr, LONGEST, Op, QueryError,
    field::{self, End, Field, Mark, Sort},
    token::{Token, is_keyword, tokens},
};

/// Reads an expression; `None` for an empty one.
pub fn parse(text: &str) -> Result<Option<Expr>, QueryError> {
    let length = text.chars().count();
    if length > LONGEST {
        return Err(QueryError {
            column: LONGEST + 1,
            what: format!("The expression has {length} characters; {LONGEST} are read."),
            remedy: "Shorten it.".to_owned(),
        });
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens, at: 0, end: length + 1, depth: 0 };
    let expr = parser.any()?;
    match parser.tokens.get(parser.at) {
        None => Ok(Some(expr)),
        Some((column, _)) => Err(QueryError {
            column: *column,
            what: "This parenthesis closes nothing.".to_owned(),
            remedy: "Take it away, or put a ( before what it closes.".to_owned(),
        }),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    /// The column behind the last character.
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(column, _)| *column)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(other)) if other.eq_ignore_ascii_case(word))
    }

    fn any(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.all()?];
        while self.is_word("or") {
            self.at += 1;
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Any(parts) })
    }

    fn all(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.part()?];
        loop {
            if self.is_word("and") {
                self.at += 1;
            } else if self.is_word("or")
                || !matches!(self.peek(), Some(Token::Word(_) | Token::Quoted(_) | Token::Open))
            {
                break;
            }
            parts.push(self.part()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::All(parts) })
    }

    fn part(&mut self) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("The expression is nested too deeply.", "Take parentheses away."));
        }
        let out = if self.is_word("not") {
            self.at += 1;
            self.part().map(|part| Expr::Not(Box::new(part)))
        } else if self.peek() == Some(&Token::Open) {
            let opened = self.column();
            self.at += 1;
            let inner = self.any()?;
            if self.peek() == Some(&Token::Close) {
                self.at += 1;
                Ok(inner)
            } else {
                Err(QueryError {
                    column: opened,
                    what: "This parenthesis is not closed.".to_owned(),
                    remedy: "Put a ) behind what it holds.".to_owned(),
                })
            }
        } else {
            self.term()
        };
        self.depth -= 1;
        out
    }

    fn term(&mut self) -> Result<Expr, QueryError> {
        let column = self.column();
        let word = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            Some(Token::Quoted(word)) => {
                let word = word.to_lowercase();
                self.at += 1;
                return Ok(Expr::Word(word));
            }
            Some(Token::Op(op)) => {
                let what = format!("{} compares nothing: no field stands before it.", op.text());
                return Err(self.error(&what, "Write for example ns = shop."));
            }
            Some(Token::Comma) => {
                return Err(self.error("A comma stands between values only.", "Write ns = shop, mail."));
            }
            Some(Token::Close) => {
                return Err(self.error("Nothing stands before this parenthesis.", "Put an expression there."));
            }
            Some(Token::Word(word)) => {
                let what = format!("An expression is missing before {}.", word.to_lowercase());
                return Err(self.error(&what, "Write for example ns = shop and error > 1%."));
            }
            None | Some(Token::Open) => {
                return Err(self.error("The expression is not complete.", "Write for example ns = shop."));
            }
        };
        self.at += 1;
        let Some(Token::Op(op)) = self.peek().cloned() else {
            let (end, name) = split(&word);
            return Ok(match Mark::named(name) {
                Some(mark) => Expr::Mark(end, mark),
                None => Expr::Word(word.to_lowercase()),
            });
        };
        let (end, name) = split(&word);
        let Some(field) = Field::named(name) else {
            let names = || Field::ALL.into_iter().filter_map(|(_, names, _)| names.first().copied());
            let remedy = field::meant(&name.to_lowercase(), names()).map_or_else(
                || format!("There are {}.", names().collect::<Vec<_>>().join(", ")),
                |name| format!("Did you mean {name}?"),
            );
            return Err(QueryError { column, what: format!("There is no field {word}."), remedy });
        };
        let numeric = !matches!(field.sort(), Sort::Text | Sort::Choice);
        let fits = match op {
            Op::Is | Op::IsNot => true,
            Op::Has | Op::HasNot => field.sort() == Sort::Text,
            _ => numeric,
        };
        if !fits {
            let remedy = if numeric { "Use = != < <= > >=." } else { "Use = != (and ~ !~ for a part of it)." };
            return Err(self.error(&format!("{} cannot be compared by {}.", field.name(), op.text()), remedy));
        }
        self.at += 1;
        let mut values = vec![self.value(field)?];
        while self.peek() == Some(&Token::Comma) {
            self.at += 1;
            values.push(self.value(field)?);
        }
        if values.len() > 1 && !matches!(op, Op::Is | Op::IsNot | Op::Has | Op::HasNot) {
            return Err(QueryError {
                column,
                what: format!("{} takes one value.", op.text()),
                remedy: "Join two comparisons by or.".to_owned(),
            });
        }
        Ok(Expr::Compare(end, field, op, values))
    }

    fn value(&mut self, field: Field) -> Result<field::Value, QueryError> {
        let column = self.column();
        let mut text = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            Some(Token::Quoted(word)) => word.clone(),
            _ => {
                let remedy = field.examples().first().copied().or_else(|| field.choices().first().copied());
                let remedy =
                    remedy.map_or_else(|| "Put one there.".to_owned(), |value| format!("For example {value}."));
                return Err(QueryError {
                    column,
                    what: format!("{} has no value to compare with.", field.name()),
                    remedy,
                });
            }
        };
        self.at += 1;
        // "200 ms" and "1 %" are read as one value.
        if let Some(Token::Word(unit)) = self.peek()
            && text.chars().all(|char| char.is_ascii_digit() || char == '.')
            && !is_keyword(unit)
            && field::value(field, &format!("{text}{unit}")).is_ok()
            && !unit.starts_with(|char: char| char.is_ascii_digit())
        {
            text.push_str(unit);
            self.at += 1;
        }
        field::value(field, &text).map_err(|remedy| QueryError {
            column,
            what: format!("\u{201c}{text}\u{201d} is no value of {}.", field.name()),
            remedy,
        })
    }

    fn error(&self, what: &str, remedy: &str) -> QueryError {
        QueryError { column: self.column(), what: what.to_owned(), remedy: remedy.to_owned() }
    }
}

/// A field's name without the end that it is read of.
pub fn split(word: &str) -> (End, &str) {
    let end = [("from.", End::From), ("source.", End::From), ("to.", End::To), ("destination.", End::To)];
    let found = end.into_iter().find_map(|(prefix, end)| {
        let start = word.get(..prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then(|| (end, &word[prefix.len()..]))
    });
    found.unwrap_or((End::Own, word))
}
