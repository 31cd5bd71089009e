//! A host: a network namespace with a host name and name-service files of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program::Program;
use super::{SOON, Site};

/// One host of a lab. Dropping it ends whatever runs there and removes every trace of it.
pub struct Host {
    pub name: &'static str,
    namespace: String,
    /// Where `ip netns exec` finds the files that take the place of /etc's.
    files: PathBuf,
    home: PathBuf,
    /// What programs here have in their environment.
    environment: Vec<(String, String)>,
}

impl Host {
    /// A host; its programs have `ros`, variables of ROS, in their environment.
    pub fn new(site: &Site, name: &'static str, ros: &[(&str, &str)]) -> Self {
        let namespace = format!("{}-{name}", site.name);
        let files = Path::new("/etc/netns").join(&namespace);
        let home = site.directory().join(name);
        let home_folder = home.display().to_string();
        let common = [
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", &home_folder),
            ("LC_ALL", "C.UTF-8"),
            ("PYTHONUNBUFFERED", "1"),
        ];
        let environment = common.iter().chain(ros).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = environment.collect();
        // From here on dropping it undoes whatever was done so far.
        let host = Self { name, namespace, files, home, environment };
        fs::create_dir_all(host.home()).unwrap_or_else(|error| panic!("cannot make {}: {error}", host.home.display()));
        fs::create_dir_all(&host.files).unwrap_or_else(|error| panic!("cannot make {}: {error}", host.files.display()));
        host.write_file("hosts", &format!("127.0.0.1 localhost\n127.0.1.1 {name}\n"));
        host.write_file("nsswitch.conf", "hosts: files\n");
        host.write_file("resolv.conf", "");
        run(Command::new("ip").args(["netns", "add", &host.namespace]));
        host.run("ip link set lo up");
        host
    }

    /// Replaces a file of its /etc, also for programs that run already.
    pub fn write_file(&self, name: &str, text: &str) {
        let path = self.files.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Adds a line to its hosts file.
    pub fn know(&self, address: &str, name: &str) {
        let path = self.files.join("hosts");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        self.write_file("hosts", &format!("{text}{address} {name}\n"));
    }

    /// A program to be run here, with this host's environment. Its pid is that of the program itself.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, "unshare", "--uts", "sh", "-c"]);
        command.args(["echo \"$0\" > /proc/sys/kernel/hostname && exec \"$@\"", self.name, program]);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a program here, its words separated by spaces.
    pub fn start(&self, words: &str) -> Program {
        let mut split = words.split(' ');
        let program = split.next().unwrap_or_default();
        let mut command = self.command(program);
        command.args(split);
        Program::start(&format!("{program} on {}", self.name), command)
    }

    /// Runs a program here to its end, its words separated by spaces, and demands success. Returns what it printed.
    pub fn run(&self, words: &str) -> String {
        let mut split = words.split(' ');
        let mut command = self.command(split.next().unwrap_or_default());
        run(command.args(split))
    }

    /// Sets a kernel parameter of its network namespace, for instance `net/ipv4/ip_forward`.
    pub fn sysctl(&self, name: &str, value: &str) {
        let mut command = self.command("sh");
        run(command.args(["-c", &format!("echo {value} > /proc/sys/{name}")]));
    }

    /// Home directory of whoever runs programs here.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Name of its network namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Inode of its network namespace.
    pub fn net_namespace(&self) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let path = Path::new("/run/netns").join(&self.namespace);
        fs::metadata(&path).unwrap_or_else(|error| panic!("cannot look at {}: {error}", path.display())).ino()
    }

    /// Kills whatever runs here, also what programs of the test have started in turn.
    fn kill_everything(&self) {
        let deadline = Instant::now() + SOON;
        loop {
            let pids = Command::new("ip").args(["netns", "pids", &self.namespace]).stderr(Stdio::null()).output();
            let pids = pids.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            let running: Vec<&str> = pids.split_whitespace().filter(|pid| !is_zombie(pid)).collect();
            if running.is_empty() || Instant::now() > deadline {
                return;
            }
            for pid in running.iter().filter_map(|pid| pid.parse().ok()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill_everything();
        remove(&self.namespace);
    }
}

/// Removes a namespace and its files; what is not there is no fault.
pub fn remove(namespace: &str) {
    drop(Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status());
    drop(fs::remove_dir_all(Path::new("/etc/netns").join(namespace)));
}

/// Runs a command to its end and demands success.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed, {}\n{stdout}{stderr}", output.status);
    stdout
}

fn is_zombie(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
