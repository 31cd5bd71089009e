//! Settings with real values, for each implementation.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::graph::dds::Participant;
use crate::observation::dds::VendorId;

/// How a participant is made to use, and to advertise, the interface with this address and no other.
pub(super) fn use_interface(participant: &Participant, address: Option<IpAddr>) -> String {
    let who = participant.words();
    let Some(address) = address else {
        let how = match participant.data.vendor {
            VendorId::CYCLONE_DDS => {
                ": <Interfaces><NetworkInterface address=\"ADDRESS\"/></Interfaces> under General in CYCLONEDDS_URI"
            }
            VendorId::FAST_DDS => {
                ": <interfaceWhiteList><address>ADDRESS</address></interfaceWhiteList> in the UDPv4 transport of a profile \
                 (FASTRTPS_DEFAULT_PROFILES_FILE), and useBuiltinTransports false"
            }
            _ => ", in its own configuration",
        };
        return format!("let {who} use only the interface that other hosts reach{how}");
    };
    match participant.data.vendor {
        VendorId::CYCLONE_DDS => format!(
            "start {who} with CYCLONEDDS_URI='<CycloneDDS><Domain><General><Interfaces><NetworkInterface \
             address=\"{address}\"/></Interfaces></General></Domain></CycloneDDS>'"
        ),
        VendorId::FAST_DDS => format!(
            "start {who} with a profile (FASTRTPS_DEFAULT_PROFILES_FILE) whose UDPv4 transport has \
             <interfaceWhiteList><address>{address}</address></interfaceWhiteList> and useBuiltinTransports false"
        ),
        _ => format!("let {who} use only the interface that has {address}, in its own configuration"),
    }
}

/// How a process gets another domain.
pub(super) fn set_domain(who: &str, domain: u32) -> String {
    format!(
        "start {who} with ROS_DOMAIN_ID={domain} (export ROS_DOMAIN_ID={domain} in its shell or service file, or docker run -e \
         ROS_DOMAIN_ID={domain})"
    )
}

/// Put behind a firewall's rule for a domain's ports: what makes Cyclone DDS keep to them.
pub(super) fn formula_ports() -> String {
    "; Cyclone DDS has other unicast ports at every start, unless CYCLONEDDS_URI says \
     <Discovery><ParticipantIndex>auto</ParticipantIndex></Discovery> under Domain"
        .to_owned()
}

/// How participants of these implementations find each other without multicast. What only one of them understands helps only where all are of it.
pub(super) fn without_multicast(vendors: impl IntoIterator<Item = VendorId>) -> String {
    let vendors: BTreeSet<_> = vendors.into_iter().collect();
    let only = |vendor| vendors.iter().all(|known| *known == vendor);
    let peers = "ROS_STATIC_PEERS=ADDRESS of the other host, on each (since Iron)";
    if vendors.is_empty() || only(VendorId::FAST_DDS) {
        format!(
            "do without multicast: ROS_DISCOVERY_SERVER=ADDRESS:11811 for every node (Fast DDS; the server is fastdds discovery -i 0 -l ADDRESS \
             -p 11811), or {peers}"
        )
    } else if only(VendorId::CYCLONE_DDS) {
        format!(
            "do without multicast: {peers}; or <Discovery><Peers><Peer address=\"ADDRESS\"/></Peers></Discovery> under Domain in \
             CYCLONEDDS_URI, on both"
        )
    } else if vendors.contains(&VendorId::RUST_DDS) {
        "RustDDS finds others by multicast alone: the network has to pass it".to_owned()
    } else {
        format!("do without multicast: {peers}; a discovery server is for Fast DDS alone")
    }
}
