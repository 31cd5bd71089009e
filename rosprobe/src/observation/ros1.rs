//! ROS 1's own vocabulary: calls of the master, slave and parameter APIs, answers, TCPROS headers.
//!
//! Sources: <https://wiki.ros.org/ROS/Master_API>, <https://wiki.ros.org/ROS/Slave_API>,
//! <https://wiki.ros.org/ROS/Parameter%20Server%20API>, <https://wiki.ros.org/ROS/TCPROS>.

mod summary;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An XML-RPC value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// `<int>`, `<i4>` and `<i8>`.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<double>` with a finite value.
    Double(f64),
    /// `<double>` that is infinite or not a number, as it came (`nan`, `-inf`): JSON cannot carry it as a number.
    NonFinite(String),
    /// `<string>`, or a bare `<value>`.
    String(String),
    /// `<dateTime.iso8601>`, as it came.
    DateTime(String),
    /// `<base64>`, as it came, without white space.
    Base64(String),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`.
    Struct(BTreeMap<String, Value>),
    /// `<nil/>`.
    Nil,
}

/// A method name.
pub type Method = String;

/// A call, typed where its method and arguments are those of a ROS API. Arguments in the order of the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "camelCase", rename_all_fields = "snake_case")]
#[expect(missing_docs, reason = "names of methods and arguments are those of the ROS API")]
pub enum Call {
    // Master API
    RegisterService {
        caller_id: String,
        service: String,
        service_api: String,
        caller_api: String,
    },
    UnregisterService {
        caller_id: String,
        service: String,
        service_api: String,
    },
    RegisterSubscriber {
        caller_id: String,
        topic: String,
        topic_type: String,
        caller_api: String,
    },
    UnregisterSubscriber {
        caller_id: String,
        topic: String,
        caller_api: String,
    },
    RegisterPublisher {
        caller_id: String,
        topic: String,
        topic_type: String,
        caller_api: String,
    },
    UnregisterPublisher {
        caller_id: String,
        topic: String,
        caller_api: String,
    },
    LookupNode {
        caller_id: String,
        node: String,
    },
    LookupService {
        caller_id: String,
        service: String,
    },
    GetPublishedTopics {
        caller_id: String,
        subgraph: String,
    },
    GetTopicTypes {
        caller_id: String,
    },
    GetSystemState {
        caller_id: String,
    },
    GetUri {
        caller_id: String,
    },
    // Slave API
    GetBusStats {
        caller_id: String,
    },
    GetBusInfo {
        caller_id: String,
    },
    GetMasterUri {
        caller_id: String,
    },
    Shutdown {
        caller_id: String,
        reason: String,
    },
    GetPid {
        caller_id: String,
    },
    GetSubscriptions {
        caller_id: String,
    },
    GetPublications {
        caller_id: String,
    },
    ParamUpdate {
        caller_id: String,
        key: String,
        value: Value,
    },
    PublisherUpdate {
        caller_id: String,
        topic: String,
        publishers: Vec<String>,
    },
    RequestTopic {
        caller_id: String,
        topic: String,
        protocols: Vec<ProtocolOffer>,
    },
    // Parameter Server API
    DeleteParam {
        caller_id: String,
        key: String,
    },
    SetParam {
        caller_id: String,
        key: String,
        value: Value,
    },
    GetParam {
        caller_id: String,
        key: String,
    },
    SearchParam {
        caller_id: String,
        key: String,
    },
    SubscribeParam {
        caller_id: String,
        caller_api: String,
        key: String,
    },
    UnsubscribeParam {
        caller_id: String,
        caller_api: String,
        key: String,
    },
    HasParam {
        caller_id: String,
        key: String,
    },
    GetParamNames {
        caller_id: String,
    },
    /// `system.multicall`: several calls in one.
    #[serde(rename = "system.multicall")]
    Multicall {
        calls: Vec<Call>,
    },
    /// A method of no ROS API, or one of them with arguments that are not its own.
    #[serde(rename = "other")]
    Other {
        name: Method,
        params: Vec<Value>,
        /// For a ROS method: what is wrong with its arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mismatch: Option<String>,
    },
}

/// A transport that a subscriber offers in `requestTopic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProtocolOffer {
    /// `TCPROS` or `UDPROS`.
    pub name: String,
    /// What follows the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Value>,
}

/// An answer. ROS methods answer `[code, status message, value]`: 1 success, 0 failure, -1 error of the caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are those of the ROS API and of XML-RPC")]
pub enum Answer {
    /// Code 1 of registerSubscriber: the publishers known at that moment.
    Publishers { message: String, publishers: Vec<String> },
    /// Code 1 of registerPublisher: the subscribers known at that moment.
    Subscribers { message: String, subscribers: Vec<String> },
    /// Code 1 of lookupNode, lookupService, getUri and getMasterUri.
    Uri { message: String, uri: String },
    /// Code 1 of requestTopic.
    Protocol { message: String, protocol: RequestedProtocol },
    /// Code 1 of getSystemState.
    SystemState { message: String, state: SystemState },
    /// Code 1 of getTopicTypes and getPublishedTopics, and of getPublications and getSubscriptions.
    TopicTypes { message: String, topics: Vec<TopicType> },
    /// Code 1 of any other method, or with a value that is not the method's own.
    Success { message: String, value: Value },
    /// Code 0 or -1.
    Failure { code: i64, message: String, value: Value },
    /// An XML-RPC fault.
    Fault { code: i64, message: String },
    /// Answers of a `system.multicall`, in its order.
    Multicall { answers: Vec<Answer> },
    /// An answer without code and message, as of `getBusStats` of roscpp.
    Bare { value: Value },
}

/// What a publisher answered to `requestTopic`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestedProtocol {
    /// `TCPROS` or `UDPROS`.
    pub name: String,
    /// Host to connect to, as advertised.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// UDPROS: the connection id; its datagrams carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<i64>,
}

/// The master's view of who publishes, subscribes and provides what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemState {
    /// Topics with the names of their publishers.
    pub publishers: Vec<NodeTopics>,
    /// Topics with the names of their subscribers.
    pub subscribers: Vec<NodeTopics>,
    /// Services with the names of their providers.
    pub services: Vec<NodeTopics>,
}

/// A topic or service with names of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeTopics {
    /// The topic or service.
    pub name: String,
    /// The nodes.
    pub nodes: Vec<String>,
}

/// A topic with its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TopicType {
    /// The topic.
    pub topic: String,
    /// Its message type, `*` when the master does not know it.
    pub topic_type: String,
}

/// A TCPROS connection header: fields in the order they came. Bytes that are no UTF-8 became U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TcprosHeader {
    /// `key=value` fields.
    pub fields: Vec<(String, String)>,
}

impl TcprosHeader {
    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Call {
    /// The method's name on the wire.
    pub fn method(&self) -> &str {
        match self {
            Self::RegisterService { .. } => "registerService",
            Self::UnregisterService { .. } => "unregisterService",
            Self::RegisterSubscriber { .. } => "registerSubscriber",
            Self::UnregisterSubscriber { .. } => "unregisterSubscriber",
            Self::RegisterPublisher { .. } => "registerPublisher",
            Self::UnregisterPublisher { .. } => "unregisterPublisher",
            Self::LookupNode { .. } => "lookupNode",
            Self::LookupService { .. } => "lookupService",
            Self::GetPublishedTopics { .. } => "getPublishedTopics",
            Self::GetTopicTypes { .. } => "getTopicTypes",
            Self::GetSystemState { .. } => "getSystemState",
            Self::GetUri { .. } => "getUri",
            Self::GetBusStats { .. } => "getBusStats",
            Self::GetBusInfo { .. } => "getBusInfo",
            Self::GetMasterUri { .. } => "getMasterUri",
            Self::Shutdown { .. } => "shutdown",
            Self::GetPid { .. } => "getPid",
            Self::GetSubscriptions { .. } => "getSubscriptions",
            Self::GetPublications { .. } => "getPublications",
            Self::ParamUpdate { .. } => "paramUpdate",
            Self::PublisherUpdate { .. } => "publisherUpdate",
            Self::RequestTopic { .. } => "requestTopic",
            Self::DeleteParam { .. } => "deleteParam",
            Self::SetParam { .. } => "setParam",
            Self::GetParam { .. } => "getParam",
            Self::SearchParam { .. } => "searchParam",
            Self::SubscribeParam { .. } => "subscribeParam",
            Self::UnsubscribeParam { .. } => "unsubscribeParam",
            Self::HasParam { .. } => "hasParam",
            Self::GetParamNames { .. } => "getParamNames",
            Self::Multicall { .. } => "system.multicall",
            Self::Other { name, .. } => name,
        }
    }

    /// The caller's name, where the call carries one.
    pub fn caller_id(&self) -> Option<&str> {
        match self {
            Self::RegisterService { caller_id, .. }
            | Self::UnregisterService { caller_id, .. }
            | Self::RegisterSubscriber { caller_id, .. }
            | Self::UnregisterSubscriber { caller_id, .. }
            | Self::RegisterPublisher { caller_id, .. }
            | Self::UnregisterPublisher { caller_id, .. }
            | Self::LookupNode { caller_id, .. }
            | Self::LookupService { caller_id, .. }
            | Self::GetPublishedTopics { caller_id, .. }
            | Self::GetTopicTypes { caller_id, .. }
            | Self::GetSystemState { caller_id, .. }
            | Self::GetUri { caller_id, .. }
            | Self::GetBusStats { caller_id, .. }
            | Self::GetBusInfo { caller_id, .. }
            | Self::GetMasterUri { caller_id, .. }
            | Self::Shutdown { caller_id, .. }
            | Self::GetPid { caller_id, .. }
            | Self::GetSubscriptions { caller_id, .. }
            | Self::GetPublications { caller_id, .. }
            | Self::ParamUpdate { caller_id, .. }
            | Self::PublisherUpdate { caller_id, .. }
            | Self::RequestTopic { caller_id, .. }
            | Self::DeleteParam { caller_id, .. }
            | Self::SetParam { caller_id, .. }
            | Self::GetParam { caller_id, .. }
            | Self::SearchParam { caller_id, .. }
            | Self::SubscribeParam { caller_id, .. }
            | Self::UnsubscribeParam { caller_id, .. }
            | Self::HasParam { caller_id, .. }
            | Self::GetParamNames { caller_id, .. } => Some(caller_id),
            Self::Multicall { .. } | Self::Other { .. } => None,
        }
    }

    /// The topic or service that the call is about.
    pub fn topic_or_service(&self) -> Option<&str> {
        match self {
            Self::RegisterSubscriber { topic: name, .. }
            | Self::UnregisterSubscriber { topic: name, .. }
            | Self::RegisterPublisher { topic: name, .. }
            | Self::UnregisterPublisher { topic: name, .. }
            | Self::PublisherUpdate { topic: name, .. }
            | Self::RequestTopic { topic: name, .. }
            | Self::RegisterService { service: name, .. }
            | Self::UnregisterService { service: name, .. }
            | Self::LookupService { service: name, .. } => Some(name),
            _ => None,
        }
    }
}
