//! The other direction: the master cannot call the subscriber back, or cannot be reached at all.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::cure::Cure;
use super::{About, Address, Case, Expected, TOPIC};
use crate::lab::{Lab, Library, Program};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for library in [Library::Rospy, Library::Roscpp] {
        cases.extend([
            Case::new(
                "callback without a route",
                library,
                callback().errno(Errno::ENETUNREACH).address(Address::Host("10.9.9.9")),
            )
            .network(Lab::forward)
            .publisher(nobody)
            .subscriber(|lab, library| {
                lab.outer.node(library, "listener", "listener", TOPIC).env("ROS_IP", "10.9.9.9").start()
            })
            .afterwards(late_talker)
            .seen_from(|lab| &lab.outer, unusable(Code::CallbackFailed, "10.9.9.9"))
            .also_true(&[Code::ConnectFailed])
            .cure(Cure::RestartSubscriber(|lab| &lab.outer, "listener")),
            Case::new(
                "callback refused",
                library,
                callback().errno(Errno::ECONNREFUSED).address(Address::Host("10.0.1.1")),
            )
            .publisher(nobody)
            .subscriber(|lab, library| {
                lab.inner.node(library, "listener", "listener", TOPIC).env("ROS_IP", "10.0.1.1").start()
            })
            .afterwards(late_talker)
            .seen_from(|lab| &lab.inner, unusable(Code::CallbackFailed, "10.0.1.1"))
            .also_true(&[Code::ConnectFailed])
            .cure(Cure::RestartSubscriber(|lab| &lab.inner, "listener")),
            Case::new("callback to an unknown name", library, callback().address(Address::Host("laptop")))
                .network(|lab| {
                    lab.forward();
                    lab.outer.know("192.168.50.2", "laptop");
                })
                .publisher(nobody)
                .subscriber(|lab, library| {
                    lab.outer.node(library, "listener", "listener", TOPIC).env("ROS_HOSTNAME", "laptop").start()
                })
                .afterwards(late_talker)
                .seen_from(|lab| &lab.outer, unusable(Code::NameUnresolved, "laptop"))
                .also_true(&[Code::NameUnresolved, Code::ConnectFailed])
                .cure(Cure::RestartSubscriber(|lab| &lab.outer, "listener")),
            Case::new(
                "master refuses",
                library,
                master(Errno::ECONNREFUSED).address(Address::Exactly("192.168.50.1:11399")),
            )
            .subscriber(|lab, library| stranded(lab, library, "http://192.168.50.1:11399"))
            .cure(Cure::StartMaster(|lab| &lab.router)),
            Case::new("master's name is unknown", library, unknown_master())
                .subscriber(|lab, library| stranded(lab, library, "http://robot:11311"))
                .seen_from(|lab| &lab.outer, unknown_master()),
            Case::new("master's URI is none", library, no_uri())
                .network(Lab::forward)
                .subscriber(|lab, library| stranded(lab, library, no_uri_for(library)))
                .seen_from(|lab| &lab.outer, no_uri())
                .cure(Cure::SetMasterUri(|lab| &lab.outer, "listener")),
            Case::new("master's URI is a node's", library, another_node())
                .network(Lab::forward)
                .subscriber(|lab, library| {
                    let talker = lab.router.lookup_node("/talker").expect("the talker is registered");
                    stranded(lab, library, &talker)
                })
                .also_true(&[Code::CallFailed])
                .cure(Cure::SetMasterUri(|lab| &lab.outer, "listener")),
            Case::new(
                "master without a route",
                library,
                master(Errno::ENETUNREACH).address(Address::Exactly("10.0.1.1:11311")),
            )
            .subscriber(|lab, library| stranded(lab, library, "http://10.0.1.1:11311"))
            .seen_from(
                |lab| &lab.outer,
                master(Errno::ENETUNREACH)
                    .address(Address::Exactly("10.0.1.1:11311"))
                    .remedy(&["192.168.50.0/24 on eth0", "sshuttle"]),
            )
            .cure(Cure::Run("ip route replace", |lab| &lab.outer)),
        ]);
    }
    cases.extend([localhost(Library::Rospy, refuses_to_leave()), localhost(Library::Roscpp, advertises_localhost())]);
    cases
}

/// A subscriber that calls itself localhost, where nothing else is wrong.
fn localhost(library: Library, expected: Expected) -> Case {
    Case::new("subscriber advertises localhost", library, expected)
        .subscriber(|lab, library| {
            lab.inner.node(library, "listener", "listener", TOPIC).env("ROS_HOSTNAME", "localhost").start()
        })
        .seen_from(|lab| &lab.inner, refuses_to_leave())
        .seen_from(
            |lab| &lab.router,
            Expected::new(Code::NeverAttempted, Stage::Tcpros).address(Address::Host("10.0.1.1")),
        )
        .also_true(&[Code::LoopbackAdvertised, Code::ConnectFailed, Code::CallbackFailed, Code::NeverAttempted])
        .cure(Cure::RestartSubscriber(|lab| &lab.inner, "listener"))
}

/// A node connects to no other host when its own name is localhost.
fn refuses_to_leave() -> Expected {
    Expected::new(Code::NeverAttempted, Stage::Tcpros).address(Address::Host("10.0.1.1")).remedy(&["ROS_IP"])
}

/// The subscriber's host warns before anything failed.
fn unusable(code: Code, host: &'static str) -> Expected {
    let expected = Expected::new(code, Stage::Callback).severity(Severity::Warning);
    expected.address(Address::Host(host)).remedy(&["ROS_IP"])
}

fn callback() -> Expected {
    Expected::new(Code::CallbackFailed, Stage::Callback).about(About::Master)
}

fn master(errno: Errno) -> Expected {
    Expected::new(Code::MasterUnreachable, Stage::Master).errno(errno).remedy(&["ROS_MASTER_URI"])
}

/// A value that the client library goes on with, to no master.
fn no_uri_for(library: Library) -> &'static str {
    match library {
        Library::Roscpp => "http://192.168.50.1:",
        _ => "192.168.50.1:11311",
    }
}

fn unknown_master() -> Expected {
    let expected = Expected::new(Code::MasterUnreachable, Stage::Master).address(Address::Exactly("robot:11311"));
    expected.says(&["hosts file lacks robot"]).remedy(&["ROS_MASTER_URI"])
}

fn no_uri() -> Expected {
    let expected = Expected::new(Code::MasterUnreachable, Stage::Master).address(Address::Any);
    expected.remedy(&["export ROS_MASTER_URI=http://192.168.50.1:11311"])
}

/// The port of a node that is no master.
fn another_node() -> Expected {
    let expected = Expected::new(Code::MasterUnreachable, Stage::Master).address(Address::Advertised);
    expected.says(&["is none"]).remedy(&["export ROS_MASTER_URI=http://10.0.1.1:11311"])
}

fn advertises_localhost() -> Expected {
    let expected = Expected { stage: None, ..Expected::new(Code::LoopbackAdvertised, Stage::Advertised) };
    expected.severity(Severity::Warning).address(Address::Host("localhost")).about(About::Anybody).remedy(&["ROS_IP"])
}

fn nobody(_: &Lab) -> Vec<Program> {
    Vec::new()
}

/// A talker that comes after the listener, so that the master has to tell the listener about it.
fn late_talker(lab: &Lab, _: &Program) -> Vec<Program> {
    vec![lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start()]
}

/// A listener that never gets as far as being a node.
fn stranded(lab: &Lab, library: Library, master: &str) -> Program {
    lab.outer.node(library, "listener", "listener", TOPIC).env("ROS_MASTER_URI", master).launch()
}
