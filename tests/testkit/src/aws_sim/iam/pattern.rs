//! Texts of policies, with wildcards and variables.

use super::facts::{Facts, is_known};

/// A text in which `*` and `?` may be wildcards, and `${key}` stands for the request's value of a condition key. What a
/// value brings in is taken literally, as AWS does: a tag with the value `*` opens nothing.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Value(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: any text.
    Any,
    /// `?`: any character.
    One,
    Letter(char),
}

impl Pattern {
    /// Read a text. Errors: a variable that no request has, or in a policy whose version has no variables.
    pub(crate) fn read(text: &str, variables: bool) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("no }} in {text}"))?;
            if !variables {
                return Err(format!("a policy with {text} must be of the Version 2012-10-17"));
            }
            if !is_known(name) {
                return Err(format!("unknown variable: {name}"));
            }
            pieces.extend([Piece::Text(before.to_owned()), Piece::Value(name.to_lowercase())]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// Whether a text is this one to the letter. A variable without a value equals nothing.
    pub(crate) fn equals(&self, text: &str, facts: &Facts) -> bool {
        self.literal(facts).is_some_and(|literal| literal == text)
    }

    /// The same, small and capital letters not told apart.
    pub(crate) fn equals_ignoring_case(&self, text: &str, facts: &Facts) -> bool {
        self.literal(facts)
            .is_some_and(|literal| literal.to_lowercase() == text.to_lowercase())
    }

    /// Whether a text is one of these, wildcards considered.
    pub(crate) fn like(&self, text: &str, facts: &Facts) -> bool {
        self.tokens(facts)
            .is_some_and(|tokens| fits(&tokens, &text.chars().collect::<Vec<_>>()))
    }

    /// Whether an ARN is one of these: a wildcard stays within its part of the ARN.
    pub(crate) fn like_arn(&self, arn: &str, facts: &Facts) -> bool {
        let Some(tokens) = self.tokens(facts) else {
            return false;
        };
        if tokens == [Token::Any] {
            return true;
        }
        let patterns: Vec<_> = tokens.splitn(6, |token| *token == Token::Letter(':')).collect();
        let parts: Vec<_> = arn
            .splitn(6, ':')
            .map(|part| part.chars().collect::<Vec<_>>())
            .collect();
        patterns.len() == parts.len() && patterns.iter().zip(&parts).all(|(pattern, part)| fits(pattern, part))
    }

    /// None if a variable has no value.
    fn literal(&self, facts: &Facts) -> Option<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Value(key) => only(facts, key).map(str::to_owned),
        };
        self.0.iter().map(piece).collect()
    }

    /// None if a variable has no value.
    fn tokens(&self, facts: &Facts) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => tokens.extend(text.chars().map(|letter| match letter {
                    '*' => Token::Any,
                    '?' => Token::One,
                    letter => Token::Letter(letter),
                })),
                Piece::Value(key) => tokens.extend(only(facts, key)?.chars().map(Token::Letter)),
            }
        }
        Some(tokens)
    }
}

/// A variable stands for a key with one value only.
fn only<'f>(facts: &'f Facts, key: &str) -> Option<&'f str> {
    match facts.of(key) {
        [value] => Some(value),
        _ => None,
    }
}

fn fits(pattern: &[Token], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last `*` was, and how far its text is taken to go.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match (pattern.get(at), star) {
            (Some(Token::Any), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(token), _) if *token == Token::One || *token == Token::Letter(text[from]) => {
                at += 1;
                from += 1;
            }
            (_, Some((place, taken))) => {
                star = Some((place, taken + 1));
                (at, from) = (place + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Any)
}
