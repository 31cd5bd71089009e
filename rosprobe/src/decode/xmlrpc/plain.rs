//! Values as nearly everybody writes them, with nothing but white space between elements. A parser of XML makes six events of a string,
//! and the state of a master is thousands of them.

use super::scalar::{boolean, double, int};
use super::text::{line_ends, resolved};
use crate::observation::Value;

/// How much is read here at most.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Values.
    pub values: usize,
    /// Arrays in arrays.
    pub depth: usize,
}

/// A value, and what follows it; or from where on a parser has to look.
type Read<'a> = Result<(Value, &'a str), &'a str>;

impl Room {
    /// The value at the beginning of `rest`, behind white space. An error where it is written in any other way, is none, or has no
    /// room.
    pub fn value<'a>(&mut self, rest: &'a str) -> Read<'a> {
        let start = rest.trim_ascii_start();
        let inside = start.strip_prefix("<value>").ok_or(start)?;
        self.values = self.values.checked_sub(1).ok_or(start)?;
        let Some(tag) = inside.strip_prefix('<') else {
            // Without a type: a string, as roscpp writes it.
            return scalar(inside, "</value>", string);
        };
        if let Some(content) = tag.strip_prefix("string>") {
            scalar(content, "</string></value>", string)
        } else if let Some(content) = tag.strip_prefix("array><data>") {
            self.array(content)
        } else if let Some(content) = tag.strip_prefix("int>") {
            scalar(content, "</int></value>", |text| int(text).ok())
        } else if let Some(content) = tag.strip_prefix("i4>") {
            scalar(content, "</i4></value>", |text| int(text).ok())
        } else if let Some(content) = tag.strip_prefix("boolean>") {
            scalar(content, "</boolean></value>", |text| boolean(text).ok())
        } else if let Some(content) = tag.strip_prefix("double>") {
            scalar(content, "</double></value>", |text| double(text).ok())
        } else {
            Err(inside)
        }
    }

    fn array<'a>(&mut self, mut rest: &'a str) -> Read<'a> {
        self.depth = self.depth.checked_sub(1).ok_or(rest)?;
        let mut values = Vec::new();
        loop {
            let next = rest.trim_ascii_start();
            if let Some(rest) = next.strip_prefix("</data></array></value>") {
                self.depth += 1;
                return Ok((Value::Array(values), rest));
            }
            let (value, behind) = self.value(next)?;
            values.push(value);
            rest = behind;
        }
    }
}

/// The value of the text before the next tag, which has to be this end.
fn scalar<'a>(content: &'a str, end: &str, value: fn(&str) -> Option<Value>) -> Read<'a> {
    let (text, tag) = content.find('<').and_then(|at| content.split_at_checked(at)).ok_or(content)?;
    let rest = tag.strip_prefix(end).ok_or(content)?;
    Ok((value(text).ok_or(content)?, rest))
}

fn string(text: &str) -> Option<Value> {
    Some(Value::String(line_ends(resolved(text)?).into_owned()))
}
