//! Nothing is wrong.

use nix::sys::signal::Signal;

use super::case::Case;
use super::peer::{Dds, listener, talker};
use super::segment::Place;

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
    cases.push(
        Case::new("sensor data", Dds::Fast, Dds::Cyclone, Vec::new())
            .both(|peer| peer.option("--reliability", "best_effort")),
    );
    cases
}
