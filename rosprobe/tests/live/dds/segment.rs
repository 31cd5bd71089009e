//! Two hosts on one switch, as robots and laptops are in a laboratory:
//!
//! ```text
//!   alpha 10.77.0.1 ──── switch ──── 10.77.0.2 beta
//! ```
//!
//! Each has a /dev/shm of its own. No link leads out of the segment.

use std::process::Command;

use crate::lab::{Host, Program, SOON, Site, demand, run};

/// Two hosts and the switch between them, gone when dropped.
pub struct Segment {
    // Programs go first, then the hosts, then their files.
    memories: [Program; 2],
    pub alpha: Host,
    pub beta: Host,
    pub switch: Host,
    _site: Site,
}

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Alpha,
    Beta,
}

impl Segment {
    pub fn new() -> Self {
        demand(&[
            ("/usr/include/fastdds/dds/domain/DomainParticipant.hpp", "libfastrtps-dev"),
            ("/usr/bin/fastdds", "fastdds-tools"),
            ("/usr/sbin/iptables", "iptables"),
            ("/usr/sbin/bridge", "iproute2"),
            ("/usr/sbin/sysctl", "procps"),
        ]);
        let site = Site::shared();
        let [alpha, beta, switch] = ["alpha", "beta", "switch"].map(|name| Host::new(&site, name, &[]));
        switch.run("ip link add br0 type bridge mcast_snooping 0");
        switch.run("ip link set dev br0 up");
        for (host, port, address) in [(&alpha, "port1", "10.77.0.1"), (&beta, "port2", "10.77.0.2")] {
            let mut add = Command::new("ip");
            add.args(["link", "add", port, "netns", switch.namespace(), "type", "veth"]);
            run(add.args(["peer", "name", "eth0", "netns", host.namespace()]));
            switch.run(&format!("ip link set dev {port} up master br0"));
            host.run(&format!("ip address add {address}/24 dev eth0"));
            host.run("ip link set dev eth0 up");
        }
        let memories = [&alpha, &beta].map(memory);
        for host in [&alpha, &beta] {
            until_up(host, "eth0");
        }
        Self { memories, alpha, beta, switch, _site: site }
    }

    pub fn hosts(&self) -> [&Host; 3] {
        [&self.alpha, &self.beta, &self.switch]
    }

    pub fn host(&self, place: Place) -> &Host {
        match place {
            Place::Alpha => &self.alpha,
            Place::Beta => &self.beta,
        }
    }

    /// A program to be run on a host, with the /dev/shm that all programs there share. Its pid is that of the program itself.
    pub fn command(&self, place: Place, program: &str) -> Command {
        let memory = &self.memories[place as usize];
        in_memory(self.host(place), memory, program)
    }

    /// A program to be run on a host with a /dev/shm of its own, as in a container, and what keeps that alive.
    pub fn command_apart(&self, place: Place, program: &str) -> (Command, Program) {
        let memory = memory(self.host(place));
        (in_memory(self.host(place), &memory, program), memory)
    }
}

/// Waits until an interface runs: implementations pass over those that do not.
pub fn until_up(host: &Host, interface: &str) {
    let state = format!("until [ \"$(cat /sys/class/net/{interface}/operstate)\" = up ]; do sleep 0.01; done");
    let limit = SOON.as_secs().to_string();
    run(host.command("timeout").args([&limit, "sh", "-c", &state]));
}

/// Holds a mount namespace with an empty /dev/shm.
fn memory(host: &Host) -> Program {
    let mut command = host.command("sh");
    command.args(["-c", "mount -t tmpfs tmpfs /dev/shm && echo mounted && exec sleep infinity"]);
    let memory = Program::start(&format!("/dev/shm of {}", host.name), command);
    memory.wait_for("mounted", SOON);
    memory
}

fn in_memory(host: &Host, memory: &Program, program: &str) -> Command {
    let mut command = host.command("nsenter");
    command.arg(format!("--mount=/proc/{}/ns/mnt", memory.pid())).args(["--", program]);
    command
}
