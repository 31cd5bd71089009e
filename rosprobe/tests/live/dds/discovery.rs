//! Announcements that do not leave, or do not arrive.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;

use super::case::{Case, Data, Expected, Who};
use super::cure::Cure;
use super::peer::Dds;
use super::segment::{Place, Segment};
use crate::lab::{Program, SOON};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (from, to) in Dds::PAIRS {
        let lost = lost().remedy(without_multicast(&[from, to]));
        cases.push(Case::new("the switch loses multicast", from, to, vec![lost]).network(lose_multicast));
        let blocked =
            Case::new("a firewall keeps announcements in", from, to, blocked(Errno::EPERM, &["iptables -I OUTPUT"]))
                .network(|segment| {
                    for host in [&segment.alpha, &segment.beta] {
                        host.run("iptables -A OUTPUT -d 239.255.0.1 -j DROP");
                    }
                });
        // Nothing is started again: announcements are repeated. (Fast DDS 2.9.1 aborts now and then when RustDDS joins it a second time:
        // OutputTrafficManager.hpp, "it != collection_.end()".)
        let of = |place| Cure::Command("iptables", place);
        cases.push(blocked.cure(of(Place::Alpha)).cure(of(Place::Beta)));
    }
    for dds in [Dds::Fast, Dds::Ros2Client] {
        let down = Expected::new(Code::MulticastBlocked)
            .errno(Errno::ENETUNREACH)
            .about(Who::Talker)
            .says(&["TALKER", "239.255.0.1:7400", "ENETUNREACH"])
            .remedy(&["ip link set dev"]);
        cases.push(
            Case::new("the link goes down", dds, dds, vec![down])
                .afterwards(|segment, cast| {
                    cast.listener.wait_for("heard", SOON);
                    segment.alpha.run("ip link set dev eth0 down");
                })
                // Until the next announcement, seconds later, only what is sent to the listener fails.
                .also_true(Code::LocatorUnreachable)
                .data(Data::Perhaps),
        );
    }
    for dds in Dds::ALL {
        let joined = Expected::new(Code::MulticastBlocked)
            .errno(Errno::ENOBUFS)
            .about(Who::Listener)
            .says(&["LISTENER", "239.255.0.1", "ENOBUFS"])
            .remedy(&["sysctl -w net.ipv4.igmp_max_memberships=20"]);
        cases.push(
            Case::new("no group can be joined", dds, dds, vec![joined])
                .network(|segment| segment.beta.sysctl("net/ipv4/igmp_max_memberships", "0"))
                .listener_fails()
                .data(Data::Perhaps)
                .cure(Cure::Command("sysctl", Place::Beta))
                .cure(Cure::Again(Who::Listener)),
        );
    }
    cases.extend(Dds::ALL.map(kept_on_host));
    for dds in Dds::ALL {
        let nobody = Expected::new(Code::NoRemoteDiscovery)
            .severity(Severity::Info)
            .about(Who::Talker)
            .says(&["TALKER", "announced itself in domain 0", "heard of nobody"])
            .remedy(&["IGMP"])
            .remedy(without_multicast(&[dds]));
        cases.push(
            Case::new("the switch loses multicast", dds, dds, vec![nobody])
                .network(lose_multicast)
                .seen_from(Place::Alpha),
        );
    }
    cases.extend(servers());
    cases
}

/// As with `ROS_LOCALHOST_ONLY`, which nobody remembers to have set.
fn kept_on_host(dds: Dds) -> Case {
    let kept = Expected::new(Code::NoRemoteDiscovery)
        .about(Who::Talker)
        .says(&["TALKER", "talks to its own host only", "LISTENER", "loopback interface"])
        .remedy(&["without ROS_LOCALHOST_ONLY"]);
    Case::new("a talker on the loopback interface only", dds, dds, vec![kept])
        .talker(|peer| peer.option("--interface", "127.0.0.1"))
}

fn lost() -> Expected {
    Expected::new(Code::NoRemoteDiscovery)
        .says(&["TALKER", "LISTENER", "domain 0", "239.255.0.1, port 7400"])
        .remedy(&["IGMP"])
}

/// What helps without multicast, for these implementations.
fn without_multicast(of: &[Dds]) -> &'static [&'static str] {
    let only = |dds: Dds| of.iter().all(|each| *each == dds);
    match () {
        () if only(Dds::Fast) => &["ROS_DISCOVERY_SERVER=", "ROS_STATIC_PEERS="],
        () if only(Dds::Cyclone) => &["ROS_STATIC_PEERS=", "CYCLONEDDS_URI"],
        () if of.contains(&Dds::Ros2Client) => &["RustDDS finds others by multicast alone"],
        () => &["ROS_STATIC_PEERS=", "a discovery server is for Fast DDS alone"],
    }
}

/// One for each of the two processes.
fn blocked(errno: Errno, remedy: &[&'static str]) -> Vec<Expected> {
    let one = |who, word| {
        Expected::new(Code::MulticastBlocked).errno(errno).about(who).says(&[word, "239.255.0.1:7400"]).remedy(remedy)
    };
    vec![one(Who::Talker, "TALKER"), one(Who::Listener, "LISTENER")]
}

/// As a switch does that snoops IGMP and hears no querier.
fn lose_multicast(segment: &Segment) {
    for port in ["port1", "port2"] {
        segment.switch.run(&format!("bridge link set dev {port} mcast_flood off"));
    }
}

fn servers() -> Vec<Case> {
    let wrong_port = Expected::new(Code::LocatorUnreachable)
        .about(Who::Listener)
        .says(&["LISTENER", "10.77.0.1:11812", "nothing answers", "10.77.0.1:11811"])
        .remedy(&["ROS_DISCOVERY_SERVER=10.77.0.1:11811"]);
    let no_client = Expected::new(Code::NoRemoteDiscovery)
        .about(Who::Listener)
        .says(&["LISTENER", "discovery server"])
        .remedy(&["ROS_DISCOVERY_SERVER", "10.77.0.1:11811"]);
    let of_server = || Case::new("", Dds::Fast, Dds::Fast, Vec::new()).others(|segment| vec![server(segment)]);
    let client = |case: Case| case.talker(|peer| peer.env("ROS_DISCOVERY_SERVER", "10.77.0.1:11811"));
    vec![
        client(of_server())
            .named("a discovery server at another port, Fast")
            .listener(|peer| peer.env("ROS_DISCOVERY_SERVER", "10.77.0.1:11812"))
            .expects(vec![wrong_port])
            .cure(Cure::Variable("ROS_DISCOVERY_SERVER", Who::Listener)),
        client(of_server()).named("no client beside clients of a discovery server, Fast").expects(vec![no_client]),
        client(of_server())
            .named("clients of a discovery server, Fast")
            .listener(|peer| peer.env("ROS_DISCOVERY_SERVER", "10.77.0.1:11811")),
    ]
}

fn server(segment: &Segment) -> Program {
    let mut command = segment.command(Place::Alpha, "fastdds");
    command.args(["discovery", "-i", "0", "-l", "10.77.0.1", "-p", "11811"]);
    let server = Program::start("discovery server", command);
    server.wait_for("Server is running", SOON);
    server
}
