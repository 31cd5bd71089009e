//! How ROS 2 writes its names in DDS.
//!
//! Source: <https://design.ros2.org/articles/topic_and_service_names.html> and `rmw_fastrtps`'s `namespace_prefix`.

use std::fmt;

/// A ROS 2 name behind the name of a DDS topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RosName {
    /// Name of the topic, service or action, with its leading slash; for a DDS topic that is none of ROS, that topic's name.
    pub name: String,
    /// Which of its channels the DDS topic is.
    pub part: RosPart,
}

/// What a DDS topic carries for ROS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RosPart {
    /// Messages of a topic (`rt/`).
    Topic,
    /// Requests of a service (`rq/...Request`).
    ServiceRequest,
    /// Replies of a service (`rr/...Reply`).
    ServiceReply,
    /// A channel of an action: `feedback`, `status`, `send_goal request`, ...
    Action(String),
    /// Nothing of ROS: a plain DDS topic, `ros_discovery_info` included.
    Plain,
}

impl RosName {
    /// Takes a DDS topic's name apart.
    ///
    /// ```
    /// # use rosprobe::observation::dds::{RosName, RosPart};
    /// let name = RosName::of_dds_topic("rq/add_two_intsRequest");
    /// assert_eq!((name.name.as_str(), name.part), ("/add_two_ints", RosPart::ServiceRequest));
    /// ```
    pub fn of_dds_topic(topic: &str) -> Self {
        let plain = || Self { name: topic.to_owned(), part: RosPart::Plain };
        let Some((prefix, rest)) = topic.split_once('/') else { return plain() };
        let (rest, call) = match prefix {
            "rt" => (rest, None),
            "rq" => (rest.strip_suffix("Request").unwrap_or(rest), Some("request")),
            "rr" => (rest.strip_suffix("Reply").unwrap_or(rest), Some("reply")),
            _ => return plain(),
        };
        if let Some((action, channel)) = rest.split_once("/_action/") {
            let channel = call.map_or_else(|| channel.to_owned(), |call| format!("{channel} {call}"));
            return Self { name: format!("/{action}"), part: RosPart::Action(channel) };
        }
        let part = match call {
            None => RosPart::Topic,
            Some("request") => RosPart::ServiceRequest,
            Some(_) => RosPart::ServiceReply,
        };
        Self { name: format!("/{rest}"), part }
    }

    /// True when it belongs to a service.
    pub fn is_service(&self) -> bool {
        matches!(self.part, RosPart::ServiceRequest | RosPart::ServiceReply)
    }
}

impl fmt::Display for RosName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            RosPart::Topic | RosPart::Plain => f.write_str(&self.name),
            RosPart::ServiceRequest => write!(f, "{} (requests)", self.name),
            RosPart::ServiceReply => write!(f, "{} (replies)", self.name),
            RosPart::Action(channel) => write!(f, "{} (action, {channel})", self.name),
        }
    }
}

/// The ROS type behind a DDS type: `std_msgs::msg::dds_::String_` is `std_msgs/msg/String`. Others are returned as they are.
pub fn ros_type(dds_type: &str) -> String {
    let mut parts: Vec<&str> = dds_type.split("::").collect();
    let [.., "dds_", name] = parts.as_slice() else { return dds_type.to_owned() };
    let name = name.strip_suffix('_').unwrap_or(name);
    parts.truncate(parts.len() - 2);
    parts.push(name);
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_services_and_actions() {
        for (topic, shown) in [
            ("rt/chatter", "/chatter"),
            ("rt/robot1/scan", "/robot1/scan"),
            ("rq/add_two_intsRequest", "/add_two_ints (requests)"),
            ("rr/add_two_intsReply", "/add_two_ints (replies)"),
            ("rt/fibonacci/_action/feedback", "/fibonacci (action, feedback)"),
            ("rt/fibonacci/_action/status", "/fibonacci (action, status)"),
            ("rq/ns/fibonacci/_action/send_goalRequest", "/ns/fibonacci (action, send_goal request)"),
            ("rr/fibonacci/_action/get_resultReply", "/fibonacci (action, get_result reply)"),
            ("ros_discovery_info", "ros_discovery_info"),
            ("Square", "Square"),
            ("plain/topic", "plain/topic"),
            ("rt/", "/"),
            ("", ""),
        ] {
            assert_eq!(RosName::of_dds_topic(topic).to_string(), shown, "{topic}");
        }
    }

    #[test]
    fn types() {
        for (dds, ros) in [
            ("std_msgs::msg::dds_::String_", "std_msgs/msg/String"),
            ("example_interfaces::srv::dds_::AddTwoInts_Request_", "example_interfaces/srv/AddTwoInts_Request"),
            ("a::action::dds_::F_FeedbackMessage_", "a/action/F_FeedbackMessage"),
            ("dds_::X_", "X"),
            ("ShapeType", "ShapeType"),
            ("a::b", "a::b"),
            ("", ""),
        ] {
            assert_eq!(ros_type(dds), ros, "{dds}");
        }
    }
}
