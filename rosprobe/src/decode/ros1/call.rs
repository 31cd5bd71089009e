//! Methods and their arguments.

use super::{strings, type_of};
use crate::observation::{Call, ProtocolOffer, Value};

/// The kind of an argument.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Texts,
    Offers,
    Any,
}

use Kind::{Any, Offers, Text, Texts};

/// Arguments of every method of a ROS API, in its order.
const SIGNATURES: &[(&str, &[(&str, Kind)])] = &[
    ("registerService", &[("caller_id", Text), ("service", Text), ("service_api", Text), ("caller_api", Text)]),
    ("unregisterService", &[("caller_id", Text), ("service", Text), ("service_api", Text)]),
    ("registerSubscriber", &[("caller_id", Text), ("topic", Text), ("topic_type", Text), ("caller_api", Text)]),
    ("unregisterSubscriber", &[("caller_id", Text), ("topic", Text), ("caller_api", Text)]),
    ("registerPublisher", &[("caller_id", Text), ("topic", Text), ("topic_type", Text), ("caller_api", Text)]),
    ("unregisterPublisher", &[("caller_id", Text), ("topic", Text), ("caller_api", Text)]),
    ("lookupNode", &[("caller_id", Text), ("node", Text)]),
    ("lookupService", &[("caller_id", Text), ("service", Text)]),
    ("getPublishedTopics", &[("caller_id", Text), ("subgraph", Text)]),
    ("getTopicTypes", &[("caller_id", Text)]),
    ("getSystemState", &[("caller_id", Text)]),
    ("getUri", &[("caller_id", Text)]),
    ("getBusStats", &[("caller_id", Text)]),
    ("getBusInfo", &[("caller_id", Text)]),
    ("getMasterUri", &[("caller_id", Text)]),
    ("shutdown", &[("caller_id", Text), ("reason", Text)]),
    ("getPid", &[("caller_id", Text)]),
    ("getSubscriptions", &[("caller_id", Text)]),
    ("getPublications", &[("caller_id", Text)]),
    ("paramUpdate", &[("caller_id", Text), ("key", Text), ("value", Any)]),
    ("publisherUpdate", &[("caller_id", Text), ("topic", Text), ("publishers", Texts)]),
    ("requestTopic", &[("caller_id", Text), ("topic", Text), ("protocols", Offers)]),
    ("deleteParam", &[("caller_id", Text), ("key", Text)]),
    ("setParam", &[("caller_id", Text), ("key", Text), ("value", Any)]),
    ("getParam", &[("caller_id", Text), ("key", Text)]),
    ("searchParam", &[("caller_id", Text), ("key", Text)]),
    ("subscribeParam", &[("caller_id", Text), ("caller_api", Text), ("key", Text)]),
    ("unsubscribeParam", &[("caller_id", Text), ("caller_api", Text), ("key", Text)]),
    ("hasParam", &[("caller_id", Text), ("key", Text)]),
    ("getParamNames", &[("caller_id", Text)]),
];

/// A call as one of a ROS API, or as another with the reason why it is none.
pub fn call(method: String, mut params: Vec<Value>) -> Call {
    if method == "system.multicall" {
        return multicall(method, params);
    }
    let Some((_, signature)) = SIGNATURES.iter().find(|(name, _)| *name == method) else {
        return Call::Other { name: method, params, mismatch: None };
    };
    if method == "shutdown" && params.len() == 1 {
        // rospy's default for the reason.
        params.push(Value::String(String::new()));
    }
    if let Some(mismatch) = mismatch(&method, signature, &params) {
        return Call::Other { name: method, params, mismatch: Some(mismatch) };
    }
    typed(method, params)
}

fn mismatch(method: &str, signature: &[(&str, Kind)], params: &[Value]) -> Option<String> {
    if params.len() != signature.len() {
        let names: Vec<_> = signature.iter().map(|(name, _)| *name).collect();
        let (wanted, given) = (signature.len(), params.len());
        return Some(format!("{method} takes {wanted} arguments ({}), and {given} were given", names.join(", ")));
    }
    let wrong = signature.iter().zip(params).enumerate().find_map(|(index, ((name, kind), value))| {
        let expected = match kind {
            Any => return None,
            Text if matches!(value, Value::String(_)) => return None,
            Texts if strings(value).is_some() => return None,
            Offers if offers(value).is_some() => return None,
            Text => "a string",
            Texts => "an array of strings",
            Offers => "an array of arrays that begin with a protocol's name",
        };
        let found = type_of(value);
        Some(format!("argument {} of {method}, {name}, should be {expected} and is {found}", index + 1))
    });
    wrong.map(
        |text| if text.contains("array of") { text.replace(" and is an array", " and is another array") } else { text },
    )
}

fn offers(value: &Value) -> Option<Vec<ProtocolOffer>> {
    let Value::Array(offers) = value else { return None };
    offers
        .iter()
        .map(|offer| match offer {
            Value::Array(parts) => match parts.split_first() {
                Some((Value::String(name), params)) => {
                    Some(ProtocolOffer { name: name.clone(), params: params.to_vec() })
                }
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn multicall(method: String, params: Vec<Value>) -> Call {
    let calls = match params.as_slice() {
        [Value::Array(calls)] => calls.iter().map(inner_call).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    if let Some(calls) = calls {
        return Call::Multicall { calls };
    }
    let mismatch = "system.multicall takes one array of structs with methodName and params".to_owned();
    Call::Other { name: method, params, mismatch: Some(mismatch) }
}

fn inner_call(value: &Value) -> Option<Call> {
    let Value::Struct(members) = value else { return None };
    match (members.get("methodName"), members.get("params")) {
        // A multicall within a multicall is an error for every server.
        (Some(Value::String(method)), Some(Value::Array(params))) if method != "system.multicall" => {
            Some(call(method.clone(), params.clone()))
        }
        _ => None,
    }
}

/// Arguments that were found to be those of the method.
struct Arguments(std::vec::IntoIter<Value>);

impl Arguments {
    fn text(&mut self) -> String {
        match self.0.next() {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }

    fn any(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    fn texts(&mut self) -> Vec<String> {
        strings(&self.any()).unwrap_or_default()
    }

    fn offers(&mut self) -> Vec<ProtocolOffer> {
        offers(&self.any()).unwrap_or_default()
    }
}

/// Builds a variant of `Call` from arguments in the order in which its fields are named.
macro_rules! build {
    ($arguments:ident, $variant:ident { $($field:ident: $kind:ident),* }) => {{
        $(let $field = $arguments.$kind();)*
        Call::$variant { $($field),* }
    }};
}

fn typed(method: String, params: Vec<Value>) -> Call {
    let mut a = Arguments(params.into_iter());
    match method.as_str() {
        "registerService" => {
            build!(a, RegisterService { caller_id: text, service: text, service_api: text, caller_api: text })
        }
        "unregisterService" => build!(a, UnregisterService { caller_id: text, service: text, service_api: text }),
        "registerSubscriber" => {
            build!(a, RegisterSubscriber { caller_id: text, topic: text, topic_type: text, caller_api: text })
        }
        "unregisterSubscriber" => build!(a, UnregisterSubscriber { caller_id: text, topic: text, caller_api: text }),
        "registerPublisher" => {
            build!(a, RegisterPublisher { caller_id: text, topic: text, topic_type: text, caller_api: text })
        }
        "unregisterPublisher" => build!(a, UnregisterPublisher { caller_id: text, topic: text, caller_api: text }),
        "lookupNode" => build!(a, LookupNode { caller_id: text, node: text }),
        "lookupService" => build!(a, LookupService { caller_id: text, service: text }),
        "getPublishedTopics" => build!(a, GetPublishedTopics { caller_id: text, subgraph: text }),
        "getTopicTypes" => build!(a, GetTopicTypes { caller_id: text }),
        "getSystemState" => build!(a, GetSystemState { caller_id: text }),
        "getUri" => build!(a, GetUri { caller_id: text }),
        "getBusStats" => build!(a, GetBusStats { caller_id: text }),
        "getBusInfo" => build!(a, GetBusInfo { caller_id: text }),
        "getMasterUri" => build!(a, GetMasterUri { caller_id: text }),
        "shutdown" => build!(a, Shutdown { caller_id: text, reason: text }),
        "getPid" => build!(a, GetPid { caller_id: text }),
        "getSubscriptions" => build!(a, GetSubscriptions { caller_id: text }),
        "getPublications" => build!(a, GetPublications { caller_id: text }),
        "paramUpdate" => build!(a, ParamUpdate { caller_id: text, key: text, value: any }),
        "publisherUpdate" => build!(a, PublisherUpdate { caller_id: text, topic: text, publishers: texts }),
        "requestTopic" => build!(a, RequestTopic { caller_id: text, topic: text, protocols: offers }),
        "deleteParam" => build!(a, DeleteParam { caller_id: text, key: text }),
        "setParam" => build!(a, SetParam { caller_id: text, key: text, value: any }),
        "getParam" => build!(a, GetParam { caller_id: text, key: text }),
        "searchParam" => build!(a, SearchParam { caller_id: text, key: text }),
        "subscribeParam" => build!(a, SubscribeParam { caller_id: text, caller_api: text, key: text }),
        "unsubscribeParam" => build!(a, UnsubscribeParam { caller_id: text, caller_api: text, key: text }),
        "hasParam" => build!(a, HasParam { caller_id: text, key: text }),
        "getParamNames" => build!(a, GetParamNames { caller_id: text }),
        _ => Call::Other { name: method, params: a.0.collect(), mismatch: None },
    }
}
