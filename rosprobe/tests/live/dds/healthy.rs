//! Nothing is wrong.

use nix::sys::signal::Signal;

use super::case::Case;
use super::peer::{Dds, listener, talker};
use super::segment::{Place, Segment};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for of_talker in Dds::ALL {
        for of_listener in Dds::ALL {
            cases.push(Case::new("two hosts", of_talker, of_listener, Vec::new()));
            cases.push(Case::new("one host", of_talker, of_listener, Vec::new()).on_one_host());
        }
        cases.push(Case::new("domain 42", of_talker, of_talker, Vec::new()).both(|peer| peer.domain(42)));
        // Its address is announced for seconds after it has gone, and sends to it are refused.
        cases.push(Case::new("talker killed and started again", of_talker, Dds::Fast, Vec::new()).afterwards(
            |segment, cast| {
                cast.talker.signal(Signal::SIGKILL);
                cast.talker = talker(Dds::Cyclone, Place::Alpha).start(segment);
            },
        ));
    }
    cases.push(Case::new("three on a host, two topics", Dds::Cyclone, Dds::Ros2Client, Vec::new()).others(|segment| {
        vec![
            talker(Dds::Fast, Place::Beta).topic("/other").start(segment),
            listener(Dds::Ros2Client, Place::Alpha).topic("/other").start(segment),
        ]
    }));
    cases.extend(Dds::ALL.map(on_loopback));
    for (of_talker, of_listener) in
        [(Dds::Cyclone, Dds::Fast), (Dds::Fast, Dds::Cyclone), (Dds::Ros2Client, Dds::Cyclone)]
    {
        let case = |name| Case::new(name, of_talker, of_listener, Vec::new());
        cases.push(case("watched late, two domains").watched_late().others(|segment| {
            vec![
                talker(Dds::Cyclone, Place::Alpha).domain(5).start(segment),
                listener(Dds::Fast, Place::Beta).domain(5).start(segment),
            ]
        }));
        cases.push(case("a third of the packets get lost").network(lose_a_third));
    }
    cases.extend([(Dds::Cyclone, Dds::Fast), (Dds::Fast, Dds::Cyclone)].map(of_a_megabyte));
    cases.extend([Dds::Cyclone, Dds::Fast].map(over_ipv6));
    cases.push(static_peers());
    cases.push(
        Case::new("two domains, a third of the packets get lost", Dds::Cyclone, Dds::Cyclone, Vec::new())
            .network(lose_a_third)
            .others(|segment| {
                vec![
                    talker(Dds::Fast, Place::Alpha).domain(5).topic("/map").start(segment),
                    listener(Dds::Ros2Client, Place::Beta).domain(5).topic("/map").start(segment),
                ]
            }),
    );
    cases.push(
        Case::new("sensor data", Dds::Fast, Dds::Cyclone, Vec::new())
            .both(|peer| peer.option("--reliability", "best_effort")),
    );
    cases
}

/// Samples of many fragments, as of a camera.
fn of_a_megabyte((of_talker, of_listener): (Dds, Dds)) -> Case {
    Case::new("samples of a megabyte", of_talker, of_listener, Vec::new()).both(|peer| peer.option("--size", "1000000"))
}

/// The groups of the implementations differ, so that they do not mix.
fn over_ipv6(dds: Dds) -> Case {
    Case::new("IPv6", dds, dds, Vec::new()).both(|peer| peer.option("--ip", "6")).network(|segment| {
        for (host, address) in [(&segment.alpha, "fd77::1/64"), (&segment.beta, "fd77::2/64")] {
            host.run(&format!("ip address add {address} dev eth0 nodad"));
        }
    })
}

/// A pair that keeps to its host, as with `ROS_LOCALHOST_ONLY`, beside a pair that keeps to its own.
fn on_loopback(dds: Dds) -> Case {
    Case::new("on the loopback interface only", dds, dds, Vec::new())
        .on_one_host()
        .both(|peer| peer.option("--interface", "127.0.0.1"))
        .others(|segment| {
            vec![talker(Dds::Cyclone, Place::Beta).start(segment), listener(Dds::Fast, Place::Beta).start(segment)]
        })
}

/// Cyclone DDS without multicast, with the addresses of its peers.
fn static_peers() -> Case {
    let settings = |address: &str| {
        format!(
            "<CycloneDDS><Domain><General><AllowMulticast>false</AllowMulticast></General><Discovery>\
             <ParticipantIndex>auto</ParticipantIndex><Peers><Peer address=\"{address}\"/></Peers></Discovery></Domain></CycloneDDS>"
        )
    };
    Case::new("static peers", Dds::Cyclone, Dds::Cyclone, Vec::new())
        .talker(|peer| peer.env("CYCLONEDDS_URI", &settings("10.77.0.2")))
        .listener(|peer| peer.env("CYCLONEDDS_URI", &settings("10.77.0.1")))
}

/// A poor radio.
fn lose_a_third(segment: &Segment) {
    for host in [&segment.alpha, &segment.beta] {
        host.run("iptables -A INPUT -i eth0 -m statistic --mode random --probability 0.33 -j DROP");
    }
}
