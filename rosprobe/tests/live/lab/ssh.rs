//! ssh from outer to router, with keys of the lab's own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::host::run;
use super::{Host, Lab, Program, SOON};

impl Lab {
    /// An ssh server on router that lets root of outer in without a question.
    pub fn ssh_server(&self) -> Program {
        self.ssh_server_on(&self.router, "192.168.50.1")
    }

    /// The same on inner, which outer reaches only through router.
    pub fn ssh_server_behind(&self) -> Program {
        self.ssh_server_on(&self.inner, "10.0.1.2")
    }

    fn ssh_server_on(&self, host: &Host, address: &str) -> Program {
        let (server, client) = (host.ssh_files(), self.outer.ssh_files());
        let identity = client.join("id_ed25519");
        if !identity.exists() {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&identity));
            write(
                &client.join("config"),
                "Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  User root\n",
            );
        }
        copy(&client.join("id_ed25519.pub"), &server.join("authorized_keys"));
        let key = server.join("host_key");
        run(Command::new("dropbearkey").args(["-t", "ed25519", "-f"]).arg(&key));
        let server = host.start_at_home(&format!("exec dropbear -F -E -s -p {address}:22 -r {}", key.display()));
        server.wait_for("Not backgrounding", SOON);
        server
    }

    /// Runs `sshuttle` on outer, as it was typed.
    pub fn sshuttle(&self, typed: &str) -> Program {
        let sshuttle = self.outer.start_at_home(&format!("exec {typed}"));
        sshuttle.wait_for("Connected to server", SOON);
        self.wait_until_redirected();
        sshuttle
    }

    /// Waits until sshuttle on outer redirects: it says that it is connected a moment before, and roscpp tries only once.
    pub fn wait_until_redirected(&self) {
        let deadline = Instant::now() + SOON;
        while !self.outer.run("iptables -t nat -S").contains("REDIRECT") {
            assert!(Instant::now() < deadline, "sshuttle redirects nothing after {SOON:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Host {
    /// Runs a shell script for which root's home directory, as /etc/passwd has it, is this host's.
    pub fn start_at_home(&self, script: &str) -> Program {
        let mut command = self.command("sh");
        command.args(["-c", &format!("mount --bind \"$HOME\" /root\n{script}")]);
        Program::start(&format!("{script} on {}", self.name), command)
    }

    /// Its `~/.ssh`, made where it is missing.
    fn ssh_files(&self) -> std::path::PathBuf {
        let folder = self.home().join(".ssh");
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
        for path in [self.home(), &folder] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("the lab owns its files");
        }
        folder
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("cannot copy {}: {error}", from.display()));
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
