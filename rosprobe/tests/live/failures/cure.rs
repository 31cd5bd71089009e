//! Remedies, applied exactly as they are printed.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use rosprobe::diagnosis::Finding;

use super::TOPIC;
use crate::lab::{Host, LEAVE_LIMIT, Lab, Library, Node, Program, SOON};

/// A remedy of a finding, and where it is applied.
#[derive(Clone, Copy)]
pub enum Cure {
    /// The command that contains this word, on this host.
    Run(&'static str, Place),
    /// The command with sshuttle, on outer; router lets outer in by ssh.
    Tunnel,
    /// The publisher is started again with the variables that the remedy says.
    RestartPublisher(Place),
    /// The subscriber is started again in its role with the variables that the remedy says.
    RestartSubscriber(Place, &'static str),
    /// The publisher is simply started again.
    StartPublisher(Place),
    /// The publisher, which runs, is ended and started again.
    StartPublisherAgain(Place),
    /// The server of a service is simply started again.
    StartServer(Place),
    /// The command with sshuttle through a jump host, on outer; router and inner let outer in by ssh.
    Jump,
    /// The command that starts a master, on this host, and a publisher that uses it.
    StartMaster(Place),
    /// The subscriber is started again with the `ROS_MASTER_URI` that the remedy says.
    SetMasterUri(Place, &'static str),
    /// The subscriber is started again with the name that the remedy says.
    RenameSubscriber(Place, &'static str),
    /// A publisher is started with the name that the remedy says.
    RenamePublisher(Place),
}

/// A host of the lab.
pub type Place = fn(&Lab) -> &Host;

/// What is left for the caller to hold on to.
#[derive(Default)]
pub struct Applied {
    /// What goes on running.
    pub programs: Vec<Program>,
    /// The subscriber, when the remedy was to start it again.
    pub subscriber: Option<Program>,
}

impl Cure {
    pub fn apply(self, lab: &Lab, library: Library, finding: &Finding, publisher: &mut Vec<Program>) -> Applied {
        let mut applied = Applied::default();
        match self {
            Self::Run(word, place) => applied.programs.push(run_command(place(lab), &command_with(finding, word))),
            Self::Tunnel => {
                applied.programs.push(lab.ssh_server());
                applied.programs.push(run_command(&lab.outer, &command_with(finding, "sshuttle -r 192.168.50.1")));
                lab.wait_until_redirected();
            }
            Self::RestartSubscriber(place, role) => {
                let node = place(lab).node(library, role, "listener", TOPIC);
                applied.subscriber = Some(with(node, &variables(finding, "/listener")).start());
            }
            Self::RestartPublisher(place) => {
                publisher.drain(..).for_each(leave);
                let node = place(lab).node(Library::Rospy, "talker", "talker", TOPIC);
                publisher.push(with(node, &variables(finding, "/talker")).start());
            }
            Self::StartPublisher(place) => {
                publisher.push(place(lab).node(Library::Rospy, "talker", "talker", TOPIC).start());
            }
            Self::StartPublisherAgain(place) => {
                publisher.drain(..).for_each(leave);
                publisher.push(place(lab).node(Library::Rospy, "talker", "talker", TOPIC).start());
            }
            Self::StartServer(place) => {
                publisher.push(place(lab).node(Library::Rospy, "server", "talker", super::service::SERVICE).start());
            }
            Self::Jump => {
                applied.programs.push(lab.ssh_server());
                applied.programs.push(lab.ssh_server_behind());
                applied.programs.push(run_command(&lab.outer, &command_with(finding, "ProxyJump")));
                lab.wait_until_redirected();
            }
            Self::StartMaster(place) => {
                let host = place(lab);
                let roscore = host.start(&command_with(finding, "roscore"));
                roscore.wait_for("started core service", SOON);
                applied.programs.push(roscore);
                let master = finding.peer.as_ref().and_then(|peer| peer.uri.clone()).expect("a master has a URI");
                let talker = host.node(Library::Rospy, "talker", "talker", TOPIC).env("ROS_MASTER_URI", &master);
                publisher.push(talker.env("ROS_IP", "192.168.50.1").start());
            }
            Self::SetMasterUri(place, role) => {
                let command = command_with(finding, "export ROS_MASTER_URI=");
                let (_, value) = command.split_once('=').expect("export sets a variable");
                let node = place(lab).node(library, role, "listener", TOPIC);
                applied.subscriber = Some(node.env("ROS_MASTER_URI", value).start());
            }
            Self::RenameSubscriber(place, role) => {
                let node = place(lab).node(library, role, "subscriber", TOPIC);
                applied.subscriber = Some(node.argument(&new_name(finding)).start());
            }
            Self::RenamePublisher(place) => {
                let node = place(lab).node(Library::Rospy, "talker", "talker", TOPIC);
                publisher.push(node.argument(&new_name(finding)).start());
            }
        }
        applied
    }
}

fn with<'lab>(node: Node<'lab>, variables: &[(String, String)]) -> Node<'lab> {
    variables.iter().fold(node, |node, (name, value)| node.env(name, value))
}

/// Ends a node as Ctrl-C does, so that it unregisters; one that does not react is killed.
pub fn leave(mut program: Program) {
    program.signal(Signal::SIGINT);
    program.ends_within(LEAVE_LIMIT);
}

/// A command is what follows `run: ` to the end of its line.
pub fn command_with(finding: &Finding, word: &str) -> String {
    let commands = finding.remedies.iter().filter_map(|remedy| remedy.split_once("run: "));
    let mut commands = commands.map(|(_, command)| command.trim_end().to_owned());
    commands
        .find(|command| command.contains(word))
        .unwrap_or_else(|| panic!("no command with {word:?} in {finding:#?}"))
}

/// The `__name:=` of a remedy.
fn new_name(finding: &Finding) -> String {
    let mut words = finding.remedies.iter().flat_map(|remedy| remedy.split([' ', ',', ';']));
    let word = words.find(|word| word.starts_with("__name:="));
    word.unwrap_or_else(|| panic!("no new name in {finding:#?}")).trim_end_matches('.').to_owned()
}

/// `NAME=value` for the variables of ROS that a remedy sets.
fn variables(finding: &Finding, node: &str) -> Vec<(String, String)> {
    let restart = finding.remedies.iter().find(|remedy| remedy.starts_with(&format!("Restart {node}")));
    let restart = restart.unwrap_or_else(|| panic!("{node} is not to be restarted in {finding:#?}"));
    let words = restart.split([' ', ';', ',']);
    let set = words.filter_map(|word| word.trim_end_matches('.').split_once('='));
    let set: Vec<_> = set
        .filter(|(name, _)| name.starts_with("ROS_"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(!set.is_empty(), "no variable is to be set in {restart:?}");
    set
}

/// Runs a command as a person would, with a `sudo` that has nothing to do, until it ends or says that it is ready.
pub fn run_command(host: &Host, typed: &str) -> Program {
    let sudo = host.home().join("sudo");
    std::fs::write(&sudo, "#!/bin/sh\nexec \"$@\"\n").expect("the lab owns its files");
    std::fs::set_permissions(&sudo, std::fs::Permissions::from_mode(0o755)).expect("the lab owns its files");
    // `rosnode cleanup` asks once whether it should; sshuttle goes on running.
    let program = host.start_at_home(&format!("PATH=$HOME:$PATH\necho y | {{ {typed}; }}\necho exit status $?"));
    let said = program.wait_for_any(&["exit status", "Connected to server"], SOON);
    assert!(said.contains("exit status 0") || said.contains("Connected"), "{typed}: {said}");
    program
}
