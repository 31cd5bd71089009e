//! Three hosts, as in the story that rosprobe was made for:
//!
//! ```text
//!   inner 10.0.1.2 ──── 10.0.1.1 router 192.168.50.1 ──── 192.168.50.2 outer
//! ```
//!
//! No link leads out of the lab, and router forwards nothing unless a test asks for it.

mod host;
pub mod lateness;
mod permit;
mod program;
mod record;
mod ros;
mod screen;
mod ssh;
mod view;
mod watch;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use self::permit::Permit;

pub use self::host::{Host, run};
pub use self::program::Program;
pub use self::ros::{Library, Node, source};
pub use self::screen::Screen;
pub use self::watch::{Found, Watch};

/// How long a test waits for anything before it fails: far longer than it takes, because others may be at work on the machine.
pub const SOON: Duration = Duration::from_mins(2);

/// How long a program may take to leave before it is killed: one that is stuck in `connect()` does not react at all.
pub const LEAVE_LIMIT: Duration = Duration::from_secs(20);

/// Namespaces of labs begin with this, then the pid of the test and a number.
const PREFIX: &str = "rp-lab";

/// A lab, gone when dropped.
pub struct Lab {
    // Hosts go first: what runs there writes into the site's directory.
    pub router: Host,
    pub inner: Host,
    pub outer: Host,
    _site: Site,
}

/// What a lab is built on: a name of its own, a directory, and the right to run.
pub struct Site {
    pub name: String,
    directory: TempDir,
    _permit: Permit,
}

impl Site {
    fn new(permit: fn() -> Permit) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let permit = permit();
        remove_leftovers();
        let name = format!("{PREFIX}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = tempfile::Builder::new().prefix(&name).tempdir().expect("a temporary directory can be made");
        Self { name, directory, _permit: permit }
    }

    /// One of several that run at the same moment.
    pub fn shared() -> Self {
        Self::new(Permit::one)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Lab {
    pub fn new() -> Self {
        Self::with(Permit::one)
    }

    /// A lab for what is measured over the whole machine: no other runs beside it.
    pub fn alone() -> Self {
        Self::with(Permit::all)
    }

    fn with(permit: fn() -> Permit) -> Self {
        demand_prerequisites();
        let site = Site::new(permit);
        let host = |name, ros_ip, master: &str| {
            let master = format!("http://{master}:11311");
            Host::new(&site, name, &[("ROS_IP", ros_ip), ("ROS_MASTER_URI", &master)])
        };
        let router = host("router", "10.0.1.1", "10.0.1.1");
        let inner = host("inner", "10.0.1.2", "10.0.1.1");
        let outer = host("outer", "192.168.50.2", "192.168.50.1");
        link((&router, "lan0", "10.0.1.1"), (&inner, "eth0", "10.0.1.2"));
        link((&router, "wan0", "192.168.50.1"), (&outer, "eth0", "192.168.50.2"));
        Self { router, inner, outer, _site: site }
    }

    pub fn hosts(&self) -> [&Host; 3] {
        [&self.router, &self.inner, &self.outer]
    }

    /// Router forwards, and the other two send everything unknown to it.
    pub fn forward(&self) {
        self.router.sysctl("net/ipv4/ip_forward", "1");
        self.inner.run("ip route add default via 10.0.1.1");
        self.outer.run("ip route add default via 192.168.50.1");
    }
}

/// Connects two hosts by a cable of their own.
fn link(one: (&Host, &str, &str), other: (&Host, &str, &str)) {
    let mut add = Command::new("ip");
    add.args(["link", "add", one.1, "netns", one.0.namespace(), "type", "veth"]);
    run(add.args(["peer", "name", other.1, "netns", other.0.namespace()]));
    for (host, interface, address) in [one, other] {
        host.run(&format!("ip address add {address}/24 dev {interface}"));
        host.run(&format!("ip link set {interface} up"));
    }
}

fn demand_prerequisites() {
    demand(&[
        ("/usr/bin/roscore", "python3-roslaunch"),
        ("/usr/bin/rostopic", "python3-rostopic"),
        ("/usr/include/ros/ros.h", "libroscpp-dev"),
        ("/usr/include/std_srvs/Trigger.h", "libstd-srvs-dev"),
        ("/usr/bin/g++", "g++"),
        ("/usr/sbin/iptables", "iptables"),
        ("/usr/bin/node", "nodejs"),
        ("/usr/bin/npm", "npm"),
        ("/usr/bin/tmux", "tmux"),
        ("/usr/bin/ssh-keygen", "openssh-client"),
        ("/usr/bin/tcpdump", "tcpdump"),
        ("/usr/sbin/dropbear", "dropbear-bin"),
        ("/usr/bin/sshuttle", "sshuttle"),
    ]);
}

/// A test without what it needs fails: a skipped test looks like a passed one. Files, and Debian's packages that they come from.
pub fn demand(files: &[(&str, &str)]) {
    const ADVICE: &str = "cargo xtask test installs what is missing and runs this test as root";
    assert!(nix::unistd::geteuid().is_root(), "live tests need root: {ADVICE}");
    for (path, package) in files {
        assert!(Path::new(path).exists(), "{path} (Debian's package {package}) is missing: {ADVICE}");
    }
}

/// Removes labs whose test was killed before it could clean up.
fn remove_leftovers() {
    let Ok(namespaces) = fs::read_dir("/run/netns") else { return };
    for namespace in namespaces.flatten() {
        let namespace = namespace.file_name().to_string_lossy().into_owned();
        let owner = namespace.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            host::remove(&namespace);
        }
    }
}
