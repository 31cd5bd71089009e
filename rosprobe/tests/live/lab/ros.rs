//! ROS 1 on the hosts of a lab: roscore, nodes of both client libraries, rostopic.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::host::run;
use super::{Host, Program, SOON};

/// A client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    Rospy,
    Roscpp,
    /// `@foxglove/ros1`, which runs on node.
    Foxglove,
}

/// A node to be started: a role that `nodes/` describes, its name, and the topic, service or parameter it is about.
pub struct Node<'lab> {
    host: &'lab Host,
    library: Library,
    words: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Host {
    /// Starts roscore and waits until it serves.
    pub fn roscore(&self) -> Program {
        let mut command = self.command("roscore");
        command.env("ROS_MASTER_URI", "http://localhost:11311");
        let roscore = Program::start(&format!("roscore on {}", self.name), command);
        roscore.wait_for("started core service", SOON);
        roscore
    }

    pub fn node(&self, library: Library, role: &str, node: &str, name: &str) -> Node<'_> {
        let words = vec![role.to_owned(), node.to_owned(), name.to_owned()];
        Node { host: self, library, words, environment: Vec::new() }
    }

    /// What the master on this host answers to `lookupNode`: the URI under which a node advertises itself.
    pub fn lookup_node(&self, node: &str) -> Option<String> {
        let call = "import sys, xmlrpc.client as client\n\
                    print(client.ServerProxy('http://localhost:11311').lookupNode('/lab', sys.argv[1])[2])";
        let answer = run(self.command("python3").args(["-c", call, node])).trim().to_owned();
        answer.starts_with("http://").then_some(answer)
    }
}

impl Node<'_> {
    /// The role's argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.words.push(argument.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command line of this node, for whoever runs it in its own way.
    pub fn command(&self) -> Command {
        let mut command = match self.library {
            Library::Rospy => {
                let mut command = self.host.command("python3");
                command.arg(source("rospy_node.py"));
                command
            }
            Library::Roscpp => self.host.command(&roscpp_node().display().to_string()),
            Library::Foxglove => {
                let mut command = self.host.command("node");
                command.arg(foxglove_node());
                command
            }
        };
        command.args(&self.words).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it without waiting for anything.
    pub fn launch(self) -> Program {
        let name = format!("{:?} {} {} on {}", self.library, self.words[0], self.words[1], self.host.name);
        Program::start(&name, self.command())
    }

    /// Starts it and waits until it runs; for a talker or a server, until the master knows about it.
    pub fn start(self) -> Program {
        let ready = match self.words[0].as_str() {
            "talker" | "talkers" | "big" => "advertised",
            "server" | "mortal" => "serving",
            _ => "node is up",
        };
        let program = self.launch();
        program.wait_for(ready, SOON);
        program
    }
}

/// A committed source of a node.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/nodes").join(name)
}

/// The roscpp node, compiled once for each run of the tests.
fn roscpp_node() -> &'static Path {
    const COMPILE: &str = "g++ -O1 -o \"$2.$$\" \"$1\" $(pkg-config --cflags --libs roscpp rostime roscpp_serialization) && mv \"$2.$$\" \"$2\"";
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let node = Path::new(env!("CARGO_TARGET_TMPDIR")).join("roscpp_node");
        run(Command::new("sh").args(["-c", COMPILE, "sh"]).arg(source("roscpp_node.cpp")).arg(&node));
        node
    })
}

/// The node of `@foxglove/ros1`, its packages installed once for each run of the tests.
fn foxglove_node() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foxglove");
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
        for name in ["node.js", "package.json", "package-lock.json"] {
            let copied = std::fs::copy(source("foxglove").join(name), folder.join(name));
            copied.unwrap_or_else(|error| panic!("cannot copy {name} to {}: {error}", folder.display()));
        }
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder));
        folder.join("node.js")
    })
}
