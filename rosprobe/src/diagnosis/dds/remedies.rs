//! Settings with real values, for each implementation.

use std::net::IpAddr;

use crate::graph::dds::Participant;
use crate::observation::dds::VendorId;

/// How a participant is made to use, and to advertise, the interface with this address and no other.
pub(super) fn use_interface(participant: &Participant, address: Option<IpAddr>) -> String {
    let who = participant.words();
    let Some(address) = address else {
        return format!(
            "let {who} use only the interface that other hosts reach: <NetworkInterface address=.../> in CYCLONEDDS_URI (Cyclone DDS), \
             interfaceWhiteList in a profile (Fast DDS)"
        );
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
