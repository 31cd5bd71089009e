//! ROS 1's calls, answers and headers as one line for a person.

use std::fmt;

use super::{Answer, Call, TcprosHeader, Value};
use crate::observation::host_and_port;
use crate::observation::summary::SHOWN;

struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0[..self.0.len().min(SHOWN)].join(" "))?;
        if self.0.len() > SHOWN { write!(f, " and {} more", self.0.len() - SHOWN) } else { Ok(()) }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())?;
        match self {
            Self::RegisterService { service, service_api, .. }
            | Self::UnregisterService { service, service_api, .. } => {
                write!(f, " {service} at {service_api}")
            }
            Self::RegisterSubscriber { topic, topic_type, caller_api, .. }
            | Self::RegisterPublisher { topic, topic_type, caller_api, .. } => {
                write!(f, " {topic} [{topic_type}] from {caller_api}")
            }
            Self::UnregisterSubscriber { topic, .. } | Self::UnregisterPublisher { topic, .. } => write!(f, " {topic}"),
            Self::LookupNode { node, .. } => write!(f, " {node}"),
            Self::LookupService { service, .. } => write!(f, " {service}"),
            Self::GetPublishedTopics { subgraph, .. } => write!(f, " {subgraph}"),
            Self::Shutdown { reason, .. } => write!(f, ": {reason}"),
            Self::PublisherUpdate { topic, publishers, .. } => write!(f, " {topic}: {}", List(publishers)),
            Self::RequestTopic { topic, protocols, .. } => {
                let names: Vec<String> = protocols.iter().map(|offer| offer.name.clone()).collect();
                write!(f, " {topic} by {}", List(&names))
            }
            Self::ParamUpdate { key, value, .. } | Self::SetParam { key, value, .. } => write!(f, " {key} = {value}"),
            Self::DeleteParam { key, .. }
            | Self::GetParam { key, .. }
            | Self::SearchParam { key, .. }
            | Self::SubscribeParam { key, .. }
            | Self::UnsubscribeParam { key, .. }
            | Self::HasParam { key, .. } => write!(f, " {key}"),
            Self::Multicall { calls } => {
                for (position, call) in calls.iter().take(SHOWN).enumerate() {
                    write!(f, "{} {call}", if position == 0 { ":" } else { ";" })?;
                }
                if calls.len() > SHOWN { write!(f, "; and {} more", calls.len() - SHOWN) } else { Ok(()) }
            }
            Self::Other { params, mismatch, .. } => {
                params.iter().take(SHOWN).try_for_each(|param| write!(f, " {param}"))?;
                mismatch.as_ref().map_or(Ok(()), |mismatch| write!(f, " ({mismatch})"))
            }
            Self::GetTopicTypes { .. }
            | Self::GetSystemState { .. }
            | Self::GetUri { .. }
            | Self::GetBusStats { .. }
            | Self::GetBusInfo { .. }
            | Self::GetMasterUri { .. }
            | Self::GetPid { .. }
            | Self::GetSubscriptions { .. }
            | Self::GetPublications { .. }
            | Self::GetParamNames { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publishers { publishers, .. } => write!(f, "ok, publishers {}", List(publishers)),
            Self::Subscribers { subscribers, .. } => write!(f, "ok, subscribers {}", List(subscribers)),
            Self::Uri { uri, .. } => write!(f, "ok, {uri}"),
            Self::Protocol { protocol, .. } => {
                write!(f, "ok, {} at {}", protocol.name, host_and_port(&protocol.host, protocol.port))
            }
            Self::SystemState { state, .. } => write!(
                f,
                "ok, {} published topics, {} subscribed topics, {} services",
                state.publishers.len(),
                state.subscribers.len(),
                state.services.len()
            ),
            Self::TopicTypes { topics, .. } => write!(f, "ok, {} topics", topics.len()),
            Self::Success { message, value } if message.is_empty() => write!(f, "ok, {value}"),
            Self::Success { message, value } => write!(f, "ok, {value} ({message})"),
            Self::Failure { code, message, .. } => write!(f, "failed with code {code}: {message}"),
            Self::Fault { code, message } => write!(f, "fault {code}: {message}"),
            Self::Multicall { answers } => {
                for (position, answer) in answers.iter().take(SHOWN).enumerate() {
                    write!(f, "{}{answer}", if position == 0 { "" } else { "; " })?;
                }
                if answers.len() > SHOWN { write!(f, "; and {} more", answers.len() - SHOWN) } else { Ok(()) }
            }
            Self::Bare { value } => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for TcprosHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The definition is a page of text; the rest says who wants what.
        let fields = self.fields.iter().filter(|(key, _)| key != "message_definition");
        let shown: Vec<String> = fields.map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&shown.join(" "))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::String(text) => write!(f, "\"{text}\""),
            Self::DateTime(text) | Self::NonFinite(text) => f.write_str(text),
            Self::Base64(text) => write!(f, "{} base64 characters", text.len()),
            Self::Array(values) if values.len() > SHOWN => write!(f, "[{} values]", values.len()),
            Self::Array(values) => {
                f.write_str("[")?;
                for (position, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Struct(members) => write!(f, "{{{} members}}", members.len()),
            Self::Nil => f.write_str("nil"),
        }
    }
}
