//! A network namespace with nothing in it but loopback, and a program in it.

use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

/// The program with both ends of conversations.
pub const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live_capture/client.py");

/// A network namespace, removed at the end.
pub struct Network {
    name: String,
    /// Its inode.
    pub inode: u64,
}

impl Network {
    pub fn new(case: &str) -> Self {
        let name = format!("rp-kernel-{}-{case}", std::process::id());
        ip(&["netns", "add", &name]);
        let inode = std::fs::metadata(format!("/run/netns/{name}")).unwrap().ino();
        let this = Self { name, inode };
        this.ip(&["link", "set", "lo", "up"]);
        this
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.name], arguments].concat());
    }

    /// Has its firewall drop what leaves for `address`.
    pub fn drop_towards(&self, address: &str) {
        ip(&["netns", "exec", &self.name, "iptables", "-A", "OUTPUT", "-d", address, "-j", "DROP"]);
    }

    /// Starts a case of `client.py` inside.
    pub fn start(&self, case: &str, arguments: &serde_json::Value) -> Child {
        let request = serde_json::json!([case, arguments]).to_string();
        Command::new("ip")
            .args(["netns", "exec", &self.name, "python3", CLIENT, &request])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A failure here must not hide the one that the test ends with.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().unwrap().success(), "ip {arguments:?}");
}
