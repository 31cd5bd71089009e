//! Remedies, applied exactly as they are printed.

use nix::sys::signal::Signal;
use rosprobe::diagnosis::Finding;

use super::case::{Case, Cast, Who};
use super::peer::{Dds, Peer};
use super::segment::{Place, Segment};
use crate::lab::LEAVE_LIMIT;

/// A remedy of a finding, and to whom it is applied. What it concerns is started again.
#[derive(Clone, Copy)]
pub enum Cure {
    /// The first `ROS_...=value` of a remedy that contains this word.
    Variable(&'static str, Who),
    /// The interface that a remedy names, set in the way of the implementation.
    Interface(Who),
    /// The quality of service that a remedy has for `ros2 topic echo`.
    Qos(Who),
    /// The type that a remedy has for the subscriber.
    Type,
    /// The command that begins with this word, on this host.
    Command(&'static str, Place),
    /// None but to start it again, after another cure.
    Again(Who),
}

impl Cure {
    pub fn apply(self, segment: &Segment, case: &Case, finding: &Finding, cast: &mut Cast) {
        let remedies = finding.remedies.join("\n");
        let after = |mark: &str| -> &str {
            let found = remedies.split_once(mark).map(|(_, rest)| rest);
            found.unwrap_or_else(|| panic!("no {mark:?} in a remedy of {finding:#?}"))
        };
        match self {
            Self::Variable(name, who) => {
                let value = until(after(&format!("{name}=")), &[' ', ',', ')', ';', '\n']);
                start_again(who, segment, case, cast, |peer| peer.env(name, value));
            }
            Self::Interface(who) => {
                let dds = peer_of(case, who).dds;
                match dds {
                    Dds::Cyclone => {
                        let settings = until(after("CYCLONEDDS_URI='"), &['\'']);
                        start_again(who, segment, case, cast, |peer| {
                            peer.without("--locator").env("CYCLONEDDS_URI", settings)
                        });
                    }
                    Dds::Fast => {
                        let address = until(after("<interfaceWhiteList><address>"), &['<']);
                        start_again(who, segment, case, cast, |peer| {
                            peer.without("--locator").option("--interface", address)
                        });
                    }
                    Dds::Ros2Client => {
                        let address = until(after("only the interface that has "), &[',']);
                        start_again(who, segment, case, cast, |peer| peer.option("--interface", address));
                    }
                }
            }
            Self::Qos(who) => {
                for option in ["--reliability", "--durability"] {
                    let Some((_, rest)) = remedies.split_once(&format!("--qos-{}", &option[2..])) else { continue };
                    let value = until(rest.trim_start(), &[' ', ')']);
                    start_again(who, segment, case, cast, |peer| peer.option(option, value));
                }
            }
            Self::Type => {
                let name = until(after(" use "), &[' ', ',']);
                start_again(Who::Listener, segment, case, cast, |peer| peer.option("--type", name));
            }
            Self::Command(word, place) => {
                let rest = after(word);
                let command = format!("{word}{}", until(rest, &['(', '\n']));
                segment.host(place).run(command.trim());
            }
            Self::Again(who) => start_again(who, segment, case, cast, |peer| peer),
        }
    }
}

fn until<'a>(text: &'a str, ends: &[char]) -> &'a str {
    text.split(ends).next().unwrap_or(text)
}

fn peer_of(case: &Case, who: Who) -> &Peer {
    match who {
        Who::Talker => &case.talker,
        Who::Listener => &case.listener,
    }
}

fn start_again(who: Who, segment: &Segment, case: &Case, cast: &mut Cast, change: impl FnOnce(Peer) -> Peer) {
    let peer = change(peer_of(case, who).clone());
    let program = match who {
        Who::Talker => &mut cast.talker,
        Who::Listener => &mut cast.listener,
    };
    if program.is_running() {
        program.signal(Signal::SIGINT);
    }
    program.ends_within(LEAVE_LIMIT);
    *program = peer.start(segment);
}
