//! DDS observations as one line for a person.

use std::fmt;

use super::{Dds, EndpointData, Locator, ParticipantData, RosName, ros_type};

impl fmt::Display for Dds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParticipantAnnounced { direction, participant, relayed_by } => {
                write!(f, "{} {participant}", direction.arrow())?;
                relayed_by.map_or(Ok(()), |by| write!(f, ", passed on by {by}"))
            }
            Self::ParticipantRenewed { direction, guid_prefix } => {
                write!(f, "{} participant {guid_prefix} announced again", direction.arrow())
            }
            Self::ParticipantDisposed { direction, guid_prefix } => {
                write!(f, "{} participant {guid_prefix} said goodbye", direction.arrow())
            }
            Self::ParticipantAddressed { direction, from, to } => {
                write!(f, "{} participant {from} addressed {to}", direction.arrow())
            }
            Self::EndpointAnnounced { direction, endpoint } => write!(f, "{} {endpoint}", direction.arrow()),
            Self::EndpointDisposed { direction, guid } => write!(f, "{} endpoint {guid} is gone", direction.arrow()),
            Self::RosDiscoveryInfo { direction, guid_prefix, nodes } => {
                write!(f, "{} nodes of participant {guid_prefix}:", direction.arrow())?;
                nodes.iter().try_for_each(|node| write!(f, " {}", node.full_name()))
            }
            Self::UserData { direction, writer, messages, bytes } => {
                write!(f, "{} {messages} samples, {bytes} bytes of writer {writer}", direction.arrow())
            }
            Self::Acknowledged { direction, reader, writer } => {
                write!(f, "{} reader {reader} acknowledged writer {writer}", direction.arrow())
            }
            Self::Bound { address, already: true, .. } => write!(f, "had bound {address} when watching began"),
            Self::Bound { address, errno: None, .. } => write!(f, "bound {address}"),
            Self::Bound { address, errno: Some(errno), .. } => write!(f, "bind to {address} failed: {errno}"),
            Self::MulticastJoined { group, errno: None, .. } => write!(f, "joined multicast group {group}"),
            Self::MulticastJoined { group, errno: Some(errno), .. } => {
                write!(f, "joining multicast group {group} failed: {errno}")
            }
            Self::LimitReached { limit } => f.write_str(limit),
        }
    }
}

impl fmt::Display for ParticipantData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "participant {} ({}", self.guid_prefix, self.vendor.name())?;
        if let Some(domain) = self.domain_id {
            write!(f, ", domain {domain}")?;
        }
        if let Some(pid) = self.pid {
            write!(f, ", its pid {pid}")?;
        }
        f.write_str(") at")?;
        write_locators(f, &self.metatraffic_unicast)
    }
}

impl fmt::Display for EndpointData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, guid, qos, .. } = self;
        let topic = RosName::of_dds_topic(&self.topic);
        write!(f, "{role} {guid} of {topic}, {}, ", ros_type(&self.type_name))?;
        write!(f, "{} {}", qos.reliability, qos.durability)
    }
}

fn write_locators(f: &mut fmt::Formatter<'_>, locators: &[Locator]) -> fmt::Result {
    if locators.is_empty() {
        return f.write_str(" no address");
    }
    locators
        .iter()
        .enumerate()
        .try_for_each(|(index, locator)| write!(f, "{} {locator}", if index == 0 { "" } else { "," }))
}
