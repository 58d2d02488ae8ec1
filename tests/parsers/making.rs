//! Makes inputs: right ones, changed a little.

use proptest::prelude::*;

/// Characters that matter to some pattern, or only look as if they did.
const PALETTE: &[char] = &[
    'a',
    'f',
    'g',
    'z',
    'A',
    'F',
    'Z',
    '0',
    '1',
    '9',
    '-',
    '_',
    '/',
    ':',
    '.',
    ',',
    '*',
    '+',
    '=',
    '@',
    '!',
    '\'',
    '(',
    ')',
    '\\',
    '"',
    '$',
    '{',
    '}',
    '<',
    '~',
    ' ',
    '\t',
    '\n',
    '\r',
    '\0',
    '\u{7f}',
    '\u{85}',
    '\u{a0}',
    '\u{ad}',
    '\u{e4}',
    '\u{130}',
    '\u{17f}',
    '\u{301}',
    '\u{430}',
    '\u{661}',
    '\u{200b}',
    '\u{200d}',
    '\u{2010}',
    '\u{2028}',
    '\u{202e}',
    '\u{212a}',
    '\u{2044}',
    '\u{feff}',
    '\u{ff11}',
    '\u{ff1a}',
    '\u{1f511}',
];

/// Counts at which something may end.
const COUNTS: &[usize] = &[
    2, 3, 12, 32, 63, 64, 128, 200, 249, 250, 251, 253, 256, 1023, 1024, 2000, 2001, 2048,
];

/// One change: what, where, with what.
type Change = (u8, u16, u16);

/// Texts from a stock: most of them with up to three changes.
pub fn texts(stock: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    let changes = prop::collection::vec(any::<Change>(), 0..4);
    (0..stock.len(), changes).prop_map(move |(base, changes)| {
        let mut text = stock[base].to_owned();
        for change in changes {
            text = changed(&text, change, stock);
        }
        text
    })
}

fn changed(text: &str, (what, at, with): Change, stock: &[&str]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = usize::from(at) % (chars.len() + 1);
    let inside = at.min(chars.len().saturating_sub(1));
    let new = PALETTE[usize::from(with) % PALETTE.len()];
    match what % 12 {
        0 => chars.insert(at, new),
        1 if !chars.is_empty() => chars[inside] = new,
        2 if !chars.is_empty() => drop(chars.remove(inside)),
        3 if chars.len() > 1 => chars.swap(inside, (inside + 1) % text.chars().count()),
        4 => {
            return spliced(
                text,
                stock[usize::from(with) % stock.len()],
                at,
                usize::from(with) / stock.len(),
            );
        }
        5 if !chars.is_empty() => chars[inside] = other_case(chars[inside]),
        6 if !chars.is_empty() => {
            let count = COUNTS[usize::from(with) % COUNTS.len()];
            chars.splice(inside..=inside, std::iter::repeat_n(chars[inside], count));
        }
        7 => chars.truncate(at),
        8 => drop(chars.splice(at..at, stock[usize::from(with) % stock.len()].chars())),
        9 if !chars.is_empty() => chars[inside] = char::from(b'0' + with.to_le_bytes()[0] % 75),
        10 => chars.insert(at, char::from(b'a' + with.to_le_bytes()[0] % 26)),
        _ => chars.push(new),
    }
    chars.into_iter().collect()
}

/// A part between separators, replaced by a part of another text.
fn spliced(text: &str, other: &str, at: usize, which: usize) -> String {
    let parts = |text: &str| -> Vec<String> { text.split_inclusive([':', '/', '-']).map(str::to_owned).collect() };
    let (mut own, others) = (parts(text), parts(other));
    let (Some(part), false) = (others.get(which % others.len().max(1)), own.is_empty()) else {
        return other.to_owned();
    };
    let at = at % own.len();
    own[at].clone_from(part);
    own.concat()
}

fn other_case(c: char) -> char {
    if c.is_ascii_lowercase() {
        c.to_ascii_uppercase()
    } else {
        c.to_ascii_lowercase()
    }
}
