//! Values of one word, each out of the text of its element.

use super::problem::{Problem, cut};
use crate::observation::Value;

/// An integer of any of the widths.
pub fn int(text: &str) -> Result<Value, Problem> {
    text.trim().parse().map(Value::Int).map_err(|_| Problem::Content { found: cut(text.trim(), 40), expected: "<int>" })
}

/// A truth.
pub fn boolean(text: &str) -> Result<Value, Problem> {
    match text.trim() {
        "1" | "true" => Ok(Value::Bool(true)),
        "0" | "false" => Ok(Value::Bool(false)),
        found => Err(Problem::Content { found: cut(found, 40), expected: "<boolean>" }),
    }
}

/// A number; what is none that JSON has stays text.
pub fn double(text: &str) -> Result<Value, Problem> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Double(number)),
        Ok(_) => Ok(Value::NonFinite(text.trim().to_owned())),
        Err(_) => Err(Problem::Content { found: cut(text.trim(), 40), expected: "<double>" }),
    }
}
