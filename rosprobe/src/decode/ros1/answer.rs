//! Answers, read according to the method that was called.

use super::{Called, strings};
use crate::observation::{Answer, NodeTopics, RequestedProtocol, SystemState, TopicType, Value};

/// An answer's value as the answer of `called`; by its shape alone when the call is not known.
pub fn answer(called: Option<&Called>, value: Value) -> Answer {
    if let Some(called) = called.filter(|called| called.method == "system.multicall") {
        return multicall(called, value);
    }
    let method = called.map_or("", |called| called.method.as_str());
    let Value::Array(parts) = value else { return Answer::Bare { value } };
    match <[Value; 3]>::try_from(parts) {
        Ok([Value::Int(1), Value::String(message), value]) => success(method, message, value),
        Ok([Value::Int(code), Value::String(message), value]) => Answer::Failure { code, message, value },
        Ok(parts) => Answer::Bare { value: Value::Array(parts.into()) },
        // roscpp takes answers without a value as well.
        Err(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::Int(1), Value::String(message)]) => success(method, message, Value::Nil),
            Ok([Value::Int(code), Value::String(message)]) => Answer::Failure { code, message, value: Value::Nil },
            Ok(parts) => Answer::Bare { value: Value::Array(parts.into()) },
            Err(parts) => Answer::Bare { value: Value::Array(parts) },
        },
    }
}

fn success(method: &str, message: String, value: Value) -> Answer {
    let plain = |message, value| Answer::Success { message, value };
    match method {
        "registerSubscriber" => match strings(&value) {
            Some(publishers) => Answer::Publishers { message, publishers },
            None => plain(message, value),
        },
        "registerPublisher" => match strings(&value) {
            Some(subscribers) => Answer::Subscribers { message, subscribers },
            None => plain(message, value),
        },
        "lookupNode" | "lookupService" | "getUri" | "getMasterUri" => match value {
            Value::String(uri) => Answer::Uri { message, uri },
            value => plain(message, value),
        },
        "requestTopic" => match protocol(&value) {
            Some(protocol) => Answer::Protocol { message, protocol },
            None => plain(message, value),
        },
        "getSystemState" => match system_state(&value) {
            Some(state) => Answer::SystemState { message, state },
            None => plain(message, value),
        },
        "getTopicTypes" | "getPublishedTopics" | "getPublications" | "getSubscriptions" => match topic_types(&value) {
            Some(topics) => Answer::TopicTypes { message, topics },
            None => plain(message, value),
        },
        _ => plain(message, value),
    }
}

/// Each answer is in an array of its own, or a struct that is a fault.
fn multicall(called: &Called, value: Value) -> Answer {
    let Value::Array(values) = value else { return Answer::Bare { value } };
    let inner = |(index, value): (usize, Value)| match value {
        Value::Array(mut wrapped) if wrapped.len() == 1 => {
            answer(called.calls.get(index), wrapped.pop().unwrap_or(Value::Nil))
        }
        Value::Struct(members) => fault(members),
        value => Answer::Bare { value },
    };
    Answer::Multicall { answers: values.into_iter().enumerate().map(inner).collect() }
}

fn fault(members: std::collections::BTreeMap<String, Value>) -> Answer {
    match (members.get("faultCode"), members.get("faultString")) {
        (Some(Value::Int(code)), Some(Value::String(message))) => {
            Answer::Fault { code: *code, message: message.clone() }
        }
        _ => Answer::Bare { value: Value::Struct(members) },
    }
}

/// `["TCPROS", host, port]`, or `["UDPROS", host, port, connection id, ...]`.
fn protocol(value: &Value) -> Option<RequestedProtocol> {
    let Value::Array(parts) = value else { return None };
    let [Value::String(name), Value::String(host), Value::Int(port), rest @ ..] = parts.as_slice() else { return None };
    let connection_id = match rest {
        [Value::Int(id), ..] if name == "UDPROS" => Some(*id),
        _ => None,
    };
    Some(RequestedProtocol { name: name.clone(), host: host.clone(), port: u16::try_from(*port).ok()?, connection_id })
}

fn system_state(value: &Value) -> Option<SystemState> {
    let Value::Array(parts) = value else { return None };
    let [publishers, subscribers, services] = parts.as_slice() else { return None };
    Some(SystemState {
        publishers: pairs(publishers, node_topics)?,
        subscribers: pairs(subscribers, node_topics)?,
        services: pairs(services, node_topics)?,
    })
}

fn node_topics(name: &Value, nodes: &Value) -> Option<NodeTopics> {
    let Value::String(name) = name else { return None };
    Some(NodeTopics { name: name.clone(), nodes: strings(nodes)? })
}

fn topic_types(value: &Value) -> Option<Vec<TopicType>> {
    pairs(value, |topic, topic_type| match (topic, topic_type) {
        (Value::String(topic), Value::String(topic_type)) => {
            Some(TopicType { topic: topic.clone(), topic_type: topic_type.clone() })
        }
        _ => None,
    })
}

fn pairs<T>(value: &Value, read: impl Fn(&Value, &Value) -> Option<T>) -> Option<Vec<T>> {
    let Value::Array(values) = value else { return None };
    let pair = |value: &Value| match value {
        Value::Array(parts) => match parts.as_slice() {
            [first, second] => read(first, second),
            _ => None,
        },
        _ => None,
    };
    values.iter().map(pair).collect()
}
