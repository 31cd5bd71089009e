//! The addresses are right, and something goes wrong after that.

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::connect::{TCPROS, router};
use super::cure::Cure;
use super::{About, Address, Case, Expected, TOPIC};
use crate::lab::{Host, Lab, Library, Program, SOON, source};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for library in [Library::Rospy, Library::Roscpp] {
        cases.extend([
            on_inner("types differ", library, refused(), "mismatch")
                .seen_from(inner, refused())
                .seen_from(router, refused()),
            on_inner("publisher is idle", library, idle(), "listener")
                .publisher(|lab| talker(lab, Library::Rospy, "0"))
                .seen_from(inner, idle())
                .seen_from(router, idle()),
            on_inner("header unanswered", library, header(Code::NoHeader), "listener")
                .publisher(|lab| fake_publisher(lab, "silent"))
                .seen_from(router, header(Code::NoHeader)),
            on_inner("closed without a header", library, header(Code::NoHeader), "listener")
                .publisher(|lab| fake_publisher(lab, "close"))
                .seen_from(router, header(Code::NoHeader)),
            on_inner("publisher hangs up", library, header(Code::NoHeader), "listener")
                .publisher(|lab| fake_publisher(lab, "hang-up"))
                .seen_from(inner, header(Code::NoHeader))
                .seen_from(router, header(Code::NoHeader)),
            on_inner("publisher resets", library, header(Code::NoHeader), "listener")
                .publisher(|lab| fake_publisher(lab, "reset"))
                .seen_from(inner, header(Code::NoHeader))
                .seen_from(router, header(Code::NoHeader)),
            on_inner("publisher is stopped", library, no_response(), "listener")
                .publisher(stopped_talker)
                // /rosout may be connected and waits for the header.
                .also_true(&[Code::NoHeader])
                .cure(Cure::Run("kill -CONT", router)),
            // Whoever connects across the cut, as /rosout may just do, gets no answer either.
            on_inner("cut after connecting", library, stalled(), "listener")
                .afterwards(cut)
                .seen_from(router, stalled())
                .also_true(&[Code::ConnectPending, Code::NoResponse, Code::NeverAttempted]),
            Case::new("only the TCPROS port is dropped", library, tcpros_pending())
                .network(Lab::forward)
                .publisher(blocked_data_port)
                .seen_from(
                    router,
                    Expected::new(Code::NeverAttempted, Stage::Tcpros).address(TCPROS).remedy(&["iptables"]),
                )
                .cure(Cure::Run("iptables", |lab| &lab.router)),
            Case::new("only the TCPROS port is rejected", library, tcpros_rejected())
                .network(Lab::forward)
                .publisher(rejected_data_port)
                .seen_from(
                    router,
                    Expected::new(Code::NeverAttempted, Stage::Tcpros).address(TCPROS).remedy(&["iptables"]),
                )
                .cure(Cure::Run("iptables -I INPUT", |lab| &lab.router)),
        ]);
    }
    cases.push(
        on_inner("large packets are lost", Library::Rospy, stalled(), "listener")
            .network(lose_large_packets)
            .publisher(|lab| vec![lab.router.node(Library::Rospy, "big", "talker", TOPIC).argument("20000").start()])
            .seen_from(router, stalled()),
    );
    cases.push(
        on_inner("publisher's host is unplugged", Library::Rospy, stalled(), "listener")
            .afterwards(unplug)
            .seen_from(router, stalled())
            // Whatever else the two hosts were about to say to each other.
            .also_true(&[
                Code::CallbackFailed,
                Code::ConnectFailed,
                Code::ConnectPending,
                Code::MasterUnreachable,
                Code::NeverAttempted,
                Code::NoHeader,
                Code::NoResponse,
            ]),
    );
    cases.push(
        on_inner("two nodes of one name", Library::Rospy, duplicate(), "listener")
            .afterwards(|lab, _| vec![lab.inner.node(Library::Rospy, "talker", "talker", TOPIC).start()])
            .seen_from(router, duplicate())
            .cure(Cure::RenamePublisher(router)),
    );
    cases
}

/// A subscriber on inner, where nothing is wrong with the network.
fn on_inner(name: &'static str, library: Library, expected: Expected, role: &'static str) -> Case {
    let case = Case::new(name, library, expected);
    match role {
        "mismatch" => case.subscriber(|lab, library| lab.inner.node(library, "mismatch", "listener", TOPIC).start()),
        _ => case.subscriber(|lab, library| lab.inner.node(library, "listener", "listener", TOPIC).start()),
    }
}

pub fn inner(lab: &Lab) -> &Host {
    &lab.inner
}

fn refused() -> Expected {
    let expected = Expected::new(Code::HeaderRefused, Stage::Header).address(TCPROS).about(About::Anybody);
    expected.says(&["std_msgs/Int32", "std_msgs/String"])
}

pub fn idle() -> Expected {
    Expected::new(Code::IdlePublisher, Stage::Data).severity(Severity::Info).address(Address::Any)
}

fn header(code: Code) -> Expected {
    Expected::new(code, Stage::Header).address(TCPROS)
}

pub fn no_response() -> Expected {
    Expected::new(Code::NoResponse, Stage::RequestTopic)
}

fn stalled() -> Expected {
    Expected::new(Code::Stalled, Stage::Data).address(Address::Any).about(About::Anybody)
}

fn tcpros_pending() -> Expected {
    Expected::new(Code::ConnectPending, Stage::Tcpros).address(TCPROS)
}

fn tcpros_rejected() -> Expected {
    let expected = Expected::new(Code::ConnectFailed, Stage::Tcpros).errno(Errno::ECONNREFUSED).address(TCPROS);
    expected.says(&["has just answered", "firewall rejects"]).remedy(&["iptables"])
}

fn duplicate() -> Expected {
    let expected = Expected { stage: None, ..Expected::new(Code::DuplicateNode, Stage::Callback) };
    expected.address(Address::Any).about(About::Anybody).says(&["/talker"])
}

pub fn talker(lab: &Lab, library: Library, per_second: &str) -> Vec<Program> {
    vec![lab.router.node(library, "talker", "talker", TOPIC).argument(per_second).start()]
}

fn fake_publisher(lab: &Lab, behaviour: &str) -> Vec<Program> {
    let script = source("fake_publisher.py");
    let publisher = lab.router.start(&format!("python3 {} {behaviour} /talker {TOPIC}", script.display()));
    publisher.wait_for("node is up", SOON);
    vec![publisher]
}

/// A talker whose ports accept connections and that does nothing any more.
fn stopped_talker(lab: &Lab) -> Vec<Program> {
    let talkers = talker(lab, Library::Rospy, "10");
    for talker in &talkers {
        talker.signal(Signal::SIGSTOP);
    }
    talkers
}

/// Inner drops whatever router sends, once messages have come through.
fn cut(lab: &Lab, subscriber: &Program) -> Vec<Program> {
    subscriber.wait_for("heard", SOON);
    lab.inner.run("iptables -A INPUT -i eth0 -s 10.0.1.1 -p tcp ! --sport 11311 -j DROP");
    Vec::new()
}

/// Router loses the way to inner, once messages have come through.
fn unplug(lab: &Lab, subscriber: &Program) -> Vec<Program> {
    subscriber.wait_for("heard", SOON);
    lab.router.run("ip link set lan0 down");
    Vec::new()
}

/// A path with a smaller MTU that tells nobody.
fn lose_large_packets(lab: &Lab) {
    lab.inner.run("iptables -A INPUT -i eth0 -p tcp -m length --length 1000:65535 -j DROP");
}

fn blocked_data_port(lab: &Lab) -> Vec<Program> {
    data_port_to(lab, "DROP")
}

fn rejected_data_port(lab: &Lab) -> Vec<Program> {
    data_port_to(lab, "REJECT --reject-with tcp-reset")
}

/// Router lets outer through to the master and to the talker's XML-RPC port alone.
fn data_port_to(lab: &Lab, target: &str) -> Vec<Program> {
    let talkers = talker(lab, Library::Rospy, "10");
    let uri = lab.router.lookup_node("/talker").expect("the talker has registered");
    let port = uri.trim_end_matches('/').rsplit(':').next().expect("a URI of a node ends with its port").to_owned();
    lab.router
        .run(&format!("iptables -A INPUT -i wan0 -d 10.0.1.1 -p tcp -m multiport ! --dports 11311,{port} -j {target}"));
    talkers
}
