//! Parsers of flag values.

use std::time::Duration;

use jiff::SignedDuration;

/// Parses an account id of 12 digits.
pub(super) fn account(text: &str) -> Result<String, &'static str> {
    let is_one = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one
        .then(|| text.to_owned())
        .ok_or("must be an account id of 12 digits")
}

/// Parses a duration such as `300ms`, `10s`, `15m` or `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "must be a time such as 300ms, 10s, 15m or 1h30m";
    let parsed: SignedDuration = text.parse().map_err(|_| WANTED)?;
    Duration::try_from(parsed).map_err(|_| WANTED)
}

/// Parses a duration that is not zero.
pub(super) fn interval(text: &str) -> Result<Duration, &'static str> {
    duration(text).and_then(|time| {
        if time.is_zero() {
            Err("must be longer than 0s")
        } else {
            Ok(time)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, millis) in [
            ("300ms", 300),
            ("10s", 10_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "-1s", "1 fortnight", "NaN", "inf", "1e300s"] {
            duration(text).unwrap_err();
        }
        interval("0s").unwrap_err();
        interval("1ms").unwrap();
    }
}
