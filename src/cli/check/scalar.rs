//! Resolves plain YAML scalars as the Go library of kubectl does (YAML 1.1, without sexagesimal numbers).

use serde_json::Value;

/// Resolves a plain scalar as the Go library of kubectl does. `None`: JSON cannot represent the value.
pub(super) fn scalar(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return None,
        text => numeric(text).unwrap_or_else(|| text.into()),
    })
}

fn numeric(text: &str) -> Option<Value> {
    let first = text.chars().next()?;
    if !(first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    let digits = match first {
        '.' => text.to_owned(),
        _ => text.replace('_', ""),
    };
    integer(&digits).or_else(|| float(&digits))
}

fn integer(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = match unsigned.get(..2) {
        Some("0x" | "0X") => (16, &unsigned[2..]),
        Some("0o" | "0O") => (8, &unsigned[2..]),
        Some("0b" | "0B") => (2, &unsigned[2..]),
        Some(_) if unsigned.starts_with('0') => (8, &unsigned[1..]),
        Some(_) | None => (10, unsigned),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let size = i128::from_str_radix(digits, radix).ok()?;
    let signed = if text.starts_with('-') { -size } else { size };
    let large = || u64::try_from(signed).ok().filter(|_| text == unsigned);
    i64::try_from(signed)
        .map(Value::from)
        .ok()
        .or_else(|| large().map(Value::from))
}

fn float(text: &str) -> Option<Value> {
    let of_numbers = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let float: f64 = Some(text).filter(|text| text.chars().all(of_numbers))?.parse().ok()?;
    float.is_finite().then(|| number(float))
}

/// A number without a fraction becomes an integer, however it is written: `3.0` and `3e0` are stored as 3.
pub(super) fn number(float: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "it is within the bounds")]
    if float.fract() == 0.0 && float.abs() < 9.2e18 {
        Value::from(float as i64)
    } else {
        Value::from(float)
    }
}
