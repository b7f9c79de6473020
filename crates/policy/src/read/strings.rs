//! String, path and regular expression matchers.

use std::sync::Arc;

use envoy_types::pb::envoy::r#type::matcher::v3::{
    PathMatcher, RegexMatchAndSubstitute, RegexMatcher, StringMatcher, path_matcher, string_matcher::MatchPattern,
};
use regex::{Regex, RegexBuilder};

use super::{At, Result, fail};
use crate::config::StringMatch;

/// Longest pattern, in bytes, and most memory that a compiled one may take.
const LONGEST_PATTERN: usize = 4096;
const PROGRAM_LIMIT: usize = 1 << 20;

pub(super) fn string(matcher: &StringMatcher) -> Result<StringMatch> {
    let Some(pattern) = &matcher.match_pattern else { return Err(fail("no pattern is given")) };
    let no_case = matcher.ignore_case;
    Ok(match pattern {
        MatchPattern::Exact(s) if no_case => StringMatch::ExactNoCase(s.as_str().into()),
        MatchPattern::Exact(s) => StringMatch::Exact(s.as_str().into()),
        MatchPattern::Prefix(s) if no_case => StringMatch::PrefixNoCase(s.as_str().into()),
        MatchPattern::Prefix(s) => StringMatch::Prefix(s.as_str().into()),
        MatchPattern::Suffix(s) if no_case => StringMatch::SuffixNoCase(s.as_str().into()),
        MatchPattern::Suffix(s) => StringMatch::Suffix(s.as_str().into()),
        MatchPattern::Contains(s) if no_case => StringMatch::ContainsNoCase(s.as_str().into()),
        MatchPattern::Contains(s) => StringMatch::Contains(s.as_str().into()),
        // Envoy's regular expressions do not look at ignore_case either.
        MatchPattern::SafeRegex(r) => StringMatch::Regex(whole(r).at("safe_regex")?),
        MatchPattern::Custom(_) => return Err(fail("custom matchers are not supported")),
    })
}

pub(super) fn path(matcher: &PathMatcher) -> Result<StringMatch> {
    match &matcher.rule {
        Some(path_matcher::Rule::Path(path)) => string(path).at("path"),
        None => Err(fail("no rule is given")),
    }
}

/// A pattern that has to cover the whole string.
pub(super) fn whole(matcher: &RegexMatcher) -> Result<Regex> {
    compile(&matcher.regex, true)
}

fn compile(pattern: &str, anchored: bool) -> Result<Regex> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(fail(format!("the regular expression is longer than {LONGEST_PATTERN} bytes")));
    }
    let build = |p: &str| RegexBuilder::new(p).size_limit(PROGRAM_LIMIT).dfa_size_limit(PROGRAM_LIMIT).build();
    // By itself first: `a)|(b` must not become valid by being put in parentheses.
    let alone = build(pattern).map_err(|e| fail(format!("bad regular expression: {}", short(&e))))?;
    if !anchored {
        return Ok(alone);
    }
    build(&format!("^(?:{pattern})$")).map_err(|e| fail(format!("bad regular expression: {}", short(&e))))
}

/// The last line of a regex error says what is wrong; the others draw the pattern.
fn short(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A pattern to search for and its substitution, turned from RE2's `\1` into the regex crate's `${1}`.
pub(super) fn substitution(rewrite: &RegexMatchAndSubstitute) -> Result<(Regex, Arc<str>)> {
    let Some(pattern) = &rewrite.pattern else { return Err(fail("no pattern is given")).at("pattern") };
    let regex = compile(&pattern.regex, false).at("pattern")?;
    let mut out = String::with_capacity(rewrite.substitution.len());
    let mut chars = rewrite.substitution.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some(digit) if digit.is_ascii_digit() => {
                    let group = digit as usize - '0' as usize;
                    if group >= regex.captures_len() {
                        return Err(fail(format!("the pattern has no group {group}"))).at("substitution");
                    }
                    out.push_str(&format!("${{{group}}}"));
                }
                _ => return Err(fail("after a backslash only a digit or a backslash may stand")).at("substitution"),
            },
            other => out.push(other),
        }
    }
    Ok((regex, out.into()))
}
