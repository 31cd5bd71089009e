//! Addresses that are advertised and of no use.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;

use super::case::{Case, Data, Expected, Who};
use super::cure::Cure;
use super::peer::Dds;
use super::segment::{Place, Segment, until_up};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (from, to) in [
        (Dds::Cyclone, Dds::Cyclone),
        (Dds::Fast, Dds::Fast),
        (Dds::Ros2Client, Dds::Ros2Client),
        (Dds::Cyclone, Dds::Fast),
        (Dds::Ros2Client, Dds::Cyclone),
    ] {
        cases.push(no_route(from, to));
    }
    for from in [Dds::Cyclone, Dds::Fast] {
        for to in Dds::ALL {
            cases.extend(useless(from, to));
        }
    }
    for (from, to) in [(Dds::Cyclone, Dds::Fast), (Dds::Fast, Dds::Cyclone), (Dds::Fast, Dds::Ros2Client)] {
        cases.extend(seen_by_the_listener_alone(from, to));
    }
    cases.extend([(Dds::Fast, Dds::Fast), (Dds::Ros2Client, Dds::Ros2Client), (Dds::Fast, Dds::Ros2Client)].map(some));
    cases.extend([(Dds::Fast, Dds::Fast), (Dds::Ros2Client, Dds::Cyclone)].map(bridge_of_both));
    cases
}

/// Two subnets on one switch: multicast arrives, nothing else can.
fn no_route(from: Dds, to: Dds) -> Case {
    let unreachable = |who, word, address| {
        Expected::new(Code::LocatorUnreachable)
            .errno(Errno::ENETUNREACH)
            .about(who)
            .says(&[word, address, "no other address is left"])
            .remedy(&["ip route"])
    };
    let expected =
        vec![unreachable(Who::Talker, "TALKER", "10.88.0.2"), unreachable(Who::Listener, "LISTENER", "10.77.0.1")];
    Case::new("no route", from, to, expected).network(|segment| {
        segment.beta.run("ip address flush dev eth0");
        segment.beta.run("ip address add 10.88.0.2/24 dev eth0");
    })
}

/// The talker advertises one address that is of no use to the listener.
fn useless(from: Dds, to: Dds) -> Vec<Case> {
    let case = |name: &str, locator: &'static str, expected: Expected| {
        Case::new(name, from, to, vec![expected])
            .talker(|peer| peer.option("--locator", locator))
            .data(Data::Perhaps)
            .cure(Cure::Interface(Who::Talker))
    };
    let unreachable = |errno| {
        Expected::new(Code::LocatorUnreachable)
            .errno(errno)
            .about(Who::Listener)
            .says(&["LISTENER", "10.99.0.1", "TALKER"])
            .remedy(&["10.77.0.1"])
    };
    let silent =
        Expected::new(Code::LocatorUnreachable).says(&["TALKER", "10.99.0.1", "10.77.0.1"]).remedy(&["10.77.0.1"]);
    let local = Expected::new(Code::LocatorIsLocal)
        .about(Who::Listener)
        .says(&["TALKER", "172.17.0.1", "LISTENER", "docker0"])
        .remedy(&["10.77.0.1"]);
    let loopback = Expected::new(Code::LoopbackLocator)
        .about(Who::Talker)
        .says(&["TALKER", "127.0.0.1", "10.77.0.1"])
        .remedy(&["10.77.0.1"]);
    vec![
        case("an address without a route", "10.99.0.1", unreachable(Errno::ENETUNREACH)),
        case("an unreachable route", "10.99.0.1", unreachable(Errno::EHOSTUNREACH))
            .network(|segment| drop(segment.beta.run("ip route add unreachable 10.99.0.1"))),
        case("a blackhole", "10.99.0.1", unreachable(Errno::EINVAL))
            .network(|segment| drop(segment.beta.run("ip route add blackhole 10.99.0.1"))),
        case("a dead gateway", "10.99.0.1", silent)
            .network(|segment| drop(segment.beta.run("ip route add default via 10.77.0.254"))),
        // What else the listener advertises is true as well.
        case("the address of docker0", "172.17.0.1", local).network(docker).also_true(Code::LocatorIsLocal),
        case("loopback", "127.0.0.1", loopback),
    ]
}

/// Nothing is known of the talker but what it announces: not even where its packets come from.
fn seen_by_the_listener_alone(from: Dds, to: Dds) -> Vec<Case> {
    let case = |name: &str, locator: &'static str, expected: Expected| {
        Case::new(name, from, to, vec![expected])
            .talker(|peer| peer.option("--locator", locator))
            .data(Data::Perhaps)
            .seen_from(Place::Beta)
    };
    let unreachable = Expected::new(Code::LocatorUnreachable).errno(Errno::ENETUNREACH).about(Who::Listener).says(&[
        "LISTENER",
        "10.99.0.1",
        "no other address is left",
    ]);
    let local = Expected::new(Code::LocatorIsLocal).about(Who::Listener).says(&["172.17.0.1", "LISTENER", "docker0"]);
    let loopback = Expected::new(Code::LoopbackLocator).says(&["127.0.0.1", "they send to themselves"]);
    let silent = Expected::new(Code::LocatorUnreachable)
        .about(Who::Listener)
        .says(&["10.99.0.1", "LISTENER", "gateway 10.77.0.254"])
        .remedy(&["ping 10.77.0.254"]);
    vec![
        case("an address without a route", "10.99.0.1", unreachable),
        case("the address of docker0", "172.17.0.1", local).network(docker),
        case("loopback", "127.0.0.1", loopback),
        case("a dead gateway", "10.99.0.1", silent)
            .network(|segment| drop(segment.beta.run("ip route add default via 10.77.0.254"))),
    ]
}

/// A bridge of a container tool, with the same address on every host and a container that is connected to it.
fn docker(segment: &Segment) {
    for host in [&segment.alpha, &segment.beta] {
        host.run("ip link add docker0 type bridge");
        host.run("ip address add 172.17.0.1/16 dev docker0");
        host.run("ip link add veth0 type veth peer name container");
        host.run("ip link set dev veth0 up master docker0");
        host.run("ip link set dev container up");
        host.run("ip link set dev docker0 up");
        until_up(host, "docker0");
    }
}

/// One address of two cannot be reached, and the other can: nothing is lost.
fn some((from, to): (Dds, Dds)) -> Case {
    let expected = Expected::new(Code::LocatorUnreachable)
        .severity(Severity::Info)
        .errno(Errno::ENETUNREACH)
        .about(Who::Listener)
        .says(&["10.99.0.1", "10.77.0.1 still works"]);
    Case::new("one address of two without a route", from, to, vec![expected]).data(Data::Flows).network(|segment| {
        segment.alpha.run("ip link add wlan0 type veth peer name elsewhere");
        segment.alpha.run("ip address add 10.99.0.1/24 dev wlan0");
        segment.alpha.run("ip link set dev elsewhere up");
        segment.alpha.run("ip link set dev wlan0 up");
        until_up(&segment.alpha, "wlan0");
    })
}

/// Both have docker0 and advertise it beside a good address.
fn bridge_of_both((from, to): (Dds, Dds)) -> Case {
    let expected =
        Expected::new(Code::LocatorIsLocal).severity(Severity::Info).says(&["172.17.0.1", "docker0", "does no harm"]);
    Case::new("docker0 beside a good address", from, to, vec![expected]).data(Data::Flows).network(docker)
}
