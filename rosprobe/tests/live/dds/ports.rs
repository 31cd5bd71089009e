//! Ports that somebody else has.

use std::ops::RangeInclusive;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;

use super::case::{Case, Data, Expected, Who};
use super::peer::{Dds, listener, talker};
use super::segment::{Place, Segment};
use crate::lab::{Program, SOON};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dds in Dds::ALL {
        cases.push(
            Case::new("domain 2's discovery port is a program's", dds, dds, vec![taken(dds)])
                .others(|segment| vec![hold(segment, Place::Beta, 7900..=7900)])
                .both(|peer| peer.domain(2))
                .listener_fails()
                .data(Data::Perhaps),
        );
        cases.push(participant_120(dds));
        cases.push(overflow(dds));
    }
    cases
}

fn taken(dds: Dds) -> Expected {
    let expected = Expected::new(Code::PortTaken)
        .errno(Errno::EADDRINUSE)
        .about(Who::Listener)
        .says(&["LISTENER", "port 7900", "domain 2"])
        .remedy(&["ss -ulpn", "7900"]);
    match dds {
        Dds::Fast => expected.says(&["bound 7902 instead and hears no announcement"]),
        Dds::Ros2Client => expected.says(&["goes on without and hears no announcement"]),
        Dds::Cyclone => expected,
    }
}

/// Participant 120 of domain 1 has the ports of domain 2.
fn participant_120(dds: Dds) -> Case {
    let overflow = Expected::new(Code::ParticipantOverflow)
        .severity(Severity::Warning)
        .says(&["participant 120 of domain 1", "7900", "domain 2"])
        .remedy(&["rosprobe domain 1"]);
    let taken = taken(dds).says(&["participant 120 of domain 1"]);
    Case::new("domain 2's discovery port is domain 1's participant 120", dds, dds, vec![overflow, taken])
        .others(|segment| {
            vec![
                talker(Dds::Fast, Place::Beta).domain(1).topic("/map").option("--participant-id", "120").start(segment),
                listener(Dds::Fast, Place::Alpha).domain(1).topic("/map").start(segment),
            ]
        })
        .both(|peer| peer.domain(2))
        .listener_fails()
        .data(Data::Perhaps)
}

/// All of domain 1's ports are taken on the listener's host. Cyclone DDS takes any other.
fn overflow(dds: Dds) -> Case {
    let none = Expected::new(Code::ParticipantOverflow)
        .errno(Errno::EADDRINUSE)
        .about(Who::Listener)
        .says(&["LISTENER", "domain 1", "taken"])
        .remedy(&["rosprobe domain 1"]);
    let case = |expected| {
        Case::new("all ports of domain 1 are taken", dds, dds, expected)
            .others(|segment| vec![hold(segment, Place::Beta, 7660..=7899)])
            .both(|peer| peer.domain(1))
    };
    if dds == Dds::Cyclone { case(Vec::new()) } else { case(vec![none]).listener_fails().data(Data::Perhaps) }
}

/// A program that has these ports for itself.
pub fn hold(segment: &Segment, place: Place, ports: RangeInclusive<u16>) -> Program {
    const HOLD: &str = "import socket, sys, signal\n\
        held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[1]), int(sys.argv[2]) + 1)]\n\
        for port, each in enumerate(held, int(sys.argv[1])): each.bind(('0.0.0.0', port))\n\
        print('held', flush=True)\n\
        signal.pause()";
    let mut command = segment.command(place, "python3");
    command.args(["-c", HOLD, &ports.start().to_string(), &ports.end().to_string()]);
    let holder = Program::start("holder of ports", command);
    holder.wait_for("held", SOON);
    holder
}
