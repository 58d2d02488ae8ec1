//! Identifiers that look right on a screen.

use crate::cases::{Case, ID, KEY, arn, key};
use crate::verdict::everywhere_denied;

pub fn cases() -> Vec<Case> {
    let rows = [
        ("Cyrillic a in an alias", "alias/fin\u{430}nce".to_owned()),
        ("Cyrillic a in the prefix", "\u{430}lias/finance".to_owned()),
        ("Cyrillic a in arn", arn("alias/finance").replacen('a', "\u{430}", 1)),
        (
            "full-width digits in a key id",
            ID.replacen("1234", "\u{ff11}\u{ff12}\u{ff13}\u{ff14}", 1),
        ),
        (
            "Arabic digits in an account",
            arn("alias/finance").replace('1', "\u{661}"),
        ),
        (
            "full-width colon in an ARN",
            arn("alias/finance").replacen(':', "\u{ff1a}", 1),
        ),
        ("fraction slash in an alias", "alias\u{2044}finance".to_owned()),
        ("U+2010 hyphens in a key id", ID.replace('-', "\u{2010}")),
        ("non-breaking hyphen in an alias", "alias/finance\u{2011}eu".to_owned()),
        ("zero-width space in an alias", "alias/fin\u{200b}ance".to_owned()),
        ("zero-width joiner behind a key id", format!("{ID}\u{200d}")),
        ("soft hyphen in an alias", "alias/fin\u{ad}ance".to_owned()),
        ("non-breaking space behind a key id", format!("{ID}\u{a0}")),
        ("combining accent in an alias", "alias/finance\u{301}".to_owned()),
        ("right-to-left override in an alias", "alias/\u{202e}ecnanif".to_owned()),
        ("byte order mark before a key id", format!("\u{feff}{ID}")),
        ("line break behind a key id", format!("{ID}\n")),
        ("line break behind an alias", "alias/finance\n".to_owned()),
        ("carriage return behind an ARN", arn("alias/finance\r")),
        ("line separator behind a key id", format!("{ID}\u{2028}")),
        ("tab behind a key id", format!("{ID}\t")),
        ("NUL behind a key id", format!("{ID}\0")),
        ("delete character in an alias", "alias/fin\u{7f}ance".to_owned()),
        ("blank before a key id", format!(" {ID}")),
        ("blank behind an ARN", arn("alias/finance ")),
        ("a blank alone", " ".to_owned()),
        ("emoji in an alias", "alias/\u{1f511}".to_owned()),
    ];
    rows.into_iter()
        .map(|(name, text)| key(name, text, everywhere_denied(KEY)))
        .collect()
}
