//! XML-RPC documents as calls and answers of ROS 1's APIs.
//!
//! Sources: <https://wiki.ros.org/ROS/Master_API>, <https://wiki.ros.org/ROS/Slave_API>,
//! <https://wiki.ros.org/ROS/Parameter%20Server%20API>.

mod answer;
mod call;

pub use self::answer::answer;
pub use self::call::call;
use crate::observation::{Call, Value};

/// What of a call is needed to read its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The method.
    pub method: String,
    /// Methods of the calls in a `system.multicall`.
    pub calls: Vec<Called>,
}

impl Called {
    /// Of a method of which no more is known.
    pub fn method(method: &str) -> Self {
        Self { method: method.to_owned(), calls: Vec::new() }
    }
}

impl From<&Call> for Called {
    fn from(call: &Call) -> Self {
        let calls = match call {
            Call::Multicall { calls } => calls.iter().map(Self::from).collect(),
            _ => Vec::new(),
        };
        Self { method: call.method().to_owned(), calls }
    }
}

/// A value's type, as XML-RPC calls it.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Int(_) => "an int",
        Value::Bool(_) => "a boolean",
        Value::Double(_) | Value::NonFinite(_) => "a double",
        Value::String(_) => "a string",
        Value::DateTime(_) => "a dateTime",
        Value::Base64(_) => "base64",
        Value::Array(_) => "an array",
        Value::Struct(_) => "a struct",
        Value::Nil => "nil",
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    let Value::Array(values) = value else { return None };
    values.iter().map(|value| if let Value::String(text) = value { Some(text.clone()) } else { None }).collect()
}
