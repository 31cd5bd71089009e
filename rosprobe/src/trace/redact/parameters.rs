//! Values of parameters: in calls and answers, in the bodies that carried them, and on command lines.

use serde_json::Value as Json;

use super::names::REDACTED;
use crate::observation::{Answer, Call, Http, Observation, Value, What};

/// Methods of the ROS APIs whose answers carry no parameter.
const HARMLESS: [&str; 24] = [
    "registerService",
    "unregisterService",
    "registerSubscriber",
    "unregisterSubscriber",
    "registerPublisher",
    "unregisterPublisher",
    "lookupNode",
    "lookupService",
    "getPublishedTopics",
    "getTopicTypes",
    "getSystemState",
    "getUri",
    "getBusStats",
    "getBusInfo",
    "getMasterUri",
    "shutdown",
    "getPid",
    "getSubscriptions",
    "getPublications",
    "publisherUpdate",
    "requestTopic",
    "unsubscribeParam",
    "hasParam",
    "deleteParam",
];

/// The same observation without the values of parameters.
pub(super) fn without_values(observation: &Observation) -> Observation {
    let mut observation = observation.clone();
    match &mut observation.what {
        What::Call { call, http, .. } if carries_value(call) => {
            clear_call(call);
            clear_body(http);
        }
        What::Answer { method, answer, http, .. } if !HARMLESS.contains(&method.as_str()) => {
            clear_answer(answer);
            clear_body(http);
        }
        What::HttpOnly { http, .. } => clear_body(http),
        _ => {}
    }
    observation
}

fn redacted() -> Value {
    Value::String(REDACTED.to_owned())
}

fn clear_body(http: &mut Http) {
    if !http.body.is_empty() {
        REDACTED.clone_into(&mut http.body);
    }
}

fn carries_value(call: &Call) -> bool {
    match call {
        Call::SetParam { .. } | Call::ParamUpdate { .. } | Call::Other { .. } => true,
        Call::Multicall { calls } => calls.iter().any(carries_value),
        _ => false,
    }
}

fn clear_call(call: &mut Call) {
    match call {
        Call::SetParam { value, .. } | Call::ParamUpdate { value, .. } => *value = redacted(),
        Call::Other { params, .. } => params.iter_mut().for_each(|param| *param = redacted()),
        Call::Multicall { calls } => calls.iter_mut().for_each(clear_call),
        _ => {}
    }
}

fn clear_answer(answer: &mut Answer) {
    match answer {
        Answer::Success { value, .. } | Answer::Failure { value, .. } | Answer::Bare { value } => *value = redacted(),
        Answer::Multicall { answers } => answers.iter_mut().for_each(clear_answer),
        _ => {}
    }
}

/// Texts that were values of parameters, so that they can be found elsewhere too.
pub(super) fn values(observation: &Observation) -> Vec<String> {
    let mut texts = Vec::new();
    match &observation.what {
        What::Call { call, .. } => call_values(call, &mut texts),
        What::Answer { method, answer: Answer::Success { value, .. }, .. }
            if matches!(method.as_str(), "getParam" | "subscribeParam") =>
        {
            value_texts(value, &mut texts);
        }
        _ => {}
    }
    texts
}

fn call_values(call: &Call, texts: &mut Vec<String>) {
    match call {
        Call::SetParam { value, .. } | Call::ParamUpdate { value, .. } => value_texts(value, texts),
        Call::Multicall { calls } => calls.iter().for_each(|call| call_values(call, texts)),
        _ => {}
    }
}

fn value_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        // Names of frames, topics and files are in other places for other reasons.
        Value::String(text) if !text.starts_with('/') && !is_plain_word(text) => texts.push(text.trim().to_owned()),
        Value::Array(list) => list.iter().for_each(|value| value_texts(value, texts)),
        Value::Struct(members) => members.values().for_each(|value| value_texts(value, texts)),
        _ => {}
    }
}

/// A word as it stands in every message: hiding it everywhere would make nonsense of the rest, and hide nothing.
fn is_plain_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Values on a command line: `_speed:=3`, `--token=x`, and everything behind `rosparam set KEY`.
pub(super) fn redact_arguments(arguments: &mut [Json]) {
    let mut after_set = None;
    let mut previous = String::new();
    for argument in arguments {
        let Json::String(text) = argument else { continue };
        if let Some(key_seen) = &mut after_set {
            if *key_seen {
                REDACTED.clone_into(text);
            }
            *key_seen = true;
        } else if text == "set" && (previous == "rosparam" || previous.ends_with("/rosparam")) {
            after_set = Some(false);
        } else if let Some((name, _)) = text.split_once(":=")
            && name.starts_with('_')
            && !name.starts_with("__")
        {
            *text = format!("{name}:={REDACTED}");
        } else if let Some((name, _)) = text.split_once('=')
            && super::is_secret_field(name)
        {
            *text = format!("{name}={REDACTED}");
        }
        previous.clone_from(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_on_command_lines_are_replaced() {
        for (arguments, expected) in [
            (
                vec!["node", "_speed:=3", "__name:=x", "in:=/out"],
                vec!["node", "_speed:=<redacted>", "__name:=x", "in:=/out"],
            ),
            (
                vec!["python3", "/opt/rosparam", "set", "/a", "b"],
                vec!["python3", "/opt/rosparam", "set", "/a", "<redacted>"],
            ),
            (vec!["rosparam", "get", "/a"], vec!["rosparam", "get", "/a"]),
            (
                vec!["roslaunch", "--api-token=abc", "camera_password:=def", "rate:=3"],
                vec!["roslaunch", "--api-token=<redacted>", "camera_password:=<redacted>", "rate:=3"],
            ),
        ] {
            let mut arguments: Vec<Json> = arguments.into_iter().map(Json::from).collect();
            redact_arguments(&mut arguments);
            assert_eq!(arguments, expected.into_iter().map(Json::from).collect::<Vec<_>>());
        }
    }
}
