//! Real peers: a talker or listener on each of three implementations, with one command line for all:
//!
//! ```text
//!   PEER talker|listener [--topic /chatter] [--type std_msgs/msg/String] [--reliability reliable|best_effort]
//!        [--durability volatile|transient_local] [--participants N] [--interface ADDRESS] [--locator ADDRESS]
//!        [--ip 4|6] [--size BYTES]
//! ```
//!
//! The domain is `ROS_DOMAIN_ID`. A peer says `ready`, a talker `said 10` after ten samples, a listener `heard ...` for each one.
//! `--interface` is the address of the only interface that is used, `--locator` the only address that is advertised (not ros2-client);
//! `--ip` and `--size`, the least size of a sample, are for Cyclone DDS and Fast DDS; `--participant-id N` for Fast DDS alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::segment::{Place, Segment};
use crate::lab::{Program, SOON};

/// An implementation of DDS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dds {
    Cyclone,
    Fast,
    Ros2Client,
}

impl Dds {
    pub const ALL: [Self; 3] = [Self::Cyclone, Self::Fast, Self::Ros2Client];
    /// Each with its own kind, and each beside another.
    pub const PAIRS: [(Self, Self); 5] = [
        (Self::Cyclone, Self::Cyclone),
        (Self::Fast, Self::Fast),
        (Self::Ros2Client, Self::Ros2Client),
        (Self::Cyclone, Self::Fast),
        (Self::Fast, Self::Ros2Client),
    ];
}

/// A peer to be started.
#[derive(Clone, Debug)]
pub struct Peer {
    pub dds: Dds,
    pub place: Place,
    role: &'static str,
    options: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

pub fn talker(dds: Dds, place: Place) -> Peer {
    Peer { dds, place, role: "talker", options: Vec::new(), environment: Vec::new() }
}

pub fn listener(dds: Dds, place: Place) -> Peer {
    Peer { role: "listener", ..talker(dds, place) }
}

impl Peer {
    pub fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    pub fn domain(self, domain: u32) -> Self {
        self.env("ROS_DOMAIN_ID", &domain.to_string())
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets an option, or sets it anew.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.retain(|(known, _)| known != name);
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without an option that it had.
    pub fn without(mut self, name: &str) -> Self {
        self.options.retain(|(known, _)| known != name);
        self
    }

    pub fn topic(self, topic: &str) -> Self {
        self.option("--topic", topic)
    }

    /// Starts it without waiting for anything.
    pub fn launch(&self, segment: &Segment) -> Program {
        self.start_as(segment.command(self.place, &program(self.dds)))
    }

    /// Starts it and waits until it takes part.
    pub fn start(&self, segment: &Segment) -> Program {
        let program = self.launch(segment);
        program.wait_for("ready", SOON);
        program
    }

    /// Starts it in a container of its own, as far as /dev/shm is concerned.
    pub fn start_apart(&self, segment: &Segment) -> [Program; 2] {
        let (command, memory) = segment.command_apart(self.place, &program(self.dds));
        let program = self.start_as(command);
        program.wait_for("ready", SOON);
        [program, memory]
    }

    fn start_as(&self, mut command: Command) -> Program {
        if self.dds == Dds::Cyclone {
            command.arg(source("cyclone.py"));
        }
        command.arg(self.role).args(self.options.iter().flat_map(|(name, value)| [name, value]));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Program::start(&format!("{:?} {} on {:?}", self.dds, self.role, self.place), command)
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/dds/peers").join(name)
}

/// What `cargo xtask peers` makes.
fn program(dds: Dds) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers");
    let program = folder.join(match dds {
        Dds::Cyclone => "venv/bin/python",
        Dds::Fast => "fastdds",
        Dds::Ros2Client => "debug/ros2-client-peer",
    });
    assert!(program.exists(), "{} is missing: cargo xtask peers makes it", program.display());
    program.display().to_string()
}
