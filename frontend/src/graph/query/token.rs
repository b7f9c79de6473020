//! Words, signs and quoted values, each with the column where it begins.

use super::{Op, QueryError};

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A field, a mark, a keyword, a value or a word to look for.
    Word(String),
    /// Between quotation marks.
    Quoted(String),
    Op(Op),
    Comma,
    Open,
    Close,
}

/// Whether a character may stand in a word.
pub fn is_word(char: char) -> bool {
    char.is_alphanumeric() || "-._/:*@%+$&#?…µ".contains(char)
}

/// Whether a word joins others.
pub fn is_keyword(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// The pieces of `text`, each with its column from 1.
pub fn tokens(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&char) = chars.get(at) {
        let (start, next) = (at, chars.get(at + 1).copied());
        at += 1;
        let token = match (char, next) {
            (char, _) if char.is_whitespace() => continue,
            ('(', _) => Token::Open,
            (')', _) => Token::Close,
            (',', _) => Token::Comma,
            ('!', Some('=')) => two(&mut at, Token::Op(Op::IsNot)),
            ('!', Some('~')) => two(&mut at, Token::Op(Op::HasNot)),
            ('!', _) => Token::Word("not".to_owned()),
            ('=', Some('=')) => two(&mut at, Token::Op(Op::Is)),
            ('=', _) => Token::Op(Op::Is),
            ('~', _) => Token::Op(Op::Has),
            ('<', Some('=')) => two(&mut at, Token::Op(Op::AtMost)),
            ('<', _) => Token::Op(Op::Less),
            ('>', Some('=')) => two(&mut at, Token::Op(Op::AtLeast)),
            ('>', _) => Token::Op(Op::More),
            ('&', Some('&')) => two(&mut at, Token::Word("and".to_owned())),
            ('|', Some('|')) => two(&mut at, Token::Word("or".to_owned())),
            ('"' | '\'', _) => {
                let mut value = String::new();
                loop {
                    match chars.get(at) {
                        None => {
                            return Err(QueryError {
                                column: start + 1,
                                what: "This quotation mark is not closed.".to_owned(),
                                remedy: format!("Put a {char} behind the value."),
                            });
                        }
                        Some(end) if *end == char => break,
                        Some('\\') if at + 1 < chars.len() => {
                            value.push(chars[at + 1]);
                            at += 2;
                        }
                        Some(other) => {
                            value.push(*other);
                            at += 1;
                        }
                    }
                }
                at += 1;
                Token::Quoted(value)
            }
            (char, _) if is_word(char) => {
                let length = chars[start..].iter().take_while(|char| is_word(**char)).count();
                at = start + length;
                Token::Word(chars[start..at].iter().collect())
            }
            (other, _) => {
                return Err(QueryError {
                    column: start + 1,
                    what: format!("\u{201c}{other}\u{201d} means nothing here."),
                    remedy: "Put names with such signs between quotation marks.".to_owned(),
                });
            }
        };
        out.push((start + 1, token));
    }
    Ok(out)
}

fn two(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}
