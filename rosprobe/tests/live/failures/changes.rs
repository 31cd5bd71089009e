//! What was right when the nodes started, and is not any more.

use std::time::Duration;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::connect::router;
use super::cure::Cure;
use super::handshake::inner;
use super::{About, Address, Case, Expected, TOPIC};
use crate::lab::{Host, Lab, Library, Program, SOON};

/// rosprobe looks at the addresses of hosts every five seconds.
const NOTICED: Duration = Duration::from_secs(7);

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for library in [Library::Rospy, Library::Roscpp] {
        cases.extend([
            Case::new("publisher's host has another address now", library, unreachable())
                .network(Lab::forward)
                .publisher(talker_that_moves)
                .becomes_right()
                .seen_from(inner, advertises_a_former_address())
                .seen_from(outer, Expected::new(Code::ConnectFailed, Stage::Xmlrpc).errno(Errno::EHOSTUNREACH))
                // The log of the talker stays out of reach as well.
                .also_true(&[
                    Code::CallbackFailed,
                    Code::Stalled,
                    Code::NoResponse,
                    Code::NeverAttempted,
                    Code::ConnectPending,
                ])
                .cure(Cure::RestartPublisher(inner)),
            Case::new("packets for the former address vanish", library, vanishes())
                .publisher(talker_that_moves_unnoticed)
                .subscriber(|lab, library| lab.router.node(library, "listener", "listener", TOPIC).start())
                .seen_from(
                    router,
                    Expected { remedy: &["ip -brief address"], ..vanishes() }.says(&["so the host may have gone"]),
                )
                // The log of the talker may have been about to be connected.
                .also_true(&[Code::CallbackFailed, Code::Stalled, Code::NoResponse, Code::NeverAttempted])
                .cure(Cure::RestartPublisher(inner)),
            Case::new("the master is another one", library, not_told(Severity::Error))
                .subscriber(|lab, library| lab.inner.node(library, "listener", "listener", TOPIC).start())
                .master_again(inner)
                .afterwards(|lab, _| vec![lab.inner.node(Library::Rospy, "listener", "late", TOPIC).start()])
                .seen_from(router, not_told(Severity::Error).says(&["has ended"]))
                .seen_from(router, forgotten().says(&["/talker"]))
                .seen_from(inner, not_told(Severity::Warning).says(&["It refused connections"]))
                .cure(Cure::StartPublisherAgain(router)),
            Case::new("the node is on another host now", library, cannot_end_the_older())
                .publisher(|lab| vec![lab.inner.node(Library::Rospy, "talker", "talker", TOPIC).start()])
                .subscriber(|lab, library| lab.router.node(library, "listener", "listener", TOPIC).start())
                .afterwards(move_the_node)
                .seen_from(router, cannot_end_the_older())
                // Of the older one, whose host has gone.
                .also_true(&[Code::CallbackFailed, Code::Stalled, Code::NoResponse, Code::NeverAttempted]),
        ]);
    }
    cases
}

fn cannot_end_the_older() -> Expected {
    let expected = Expected::new(Code::DuplicateNode, Stage::Callback).severity(Severity::Warning);
    let expected = expected.errno(Errno::EHOSTUNREACH).address(Address::Host("10.0.1.2")).about(About::Anybody);
    expected.says(&["registered that name again"])
}

/// The talker's host goes, and the talker starts on outer under the same name. The listener is told, and goes on hearing.
fn move_the_node(lab: &Lab, subscriber: &Program) -> Vec<Program> {
    subscriber.wait_for("heard", SOON);
    lab.inner.run("ip link set eth0 down");
    let moved = lab.outer.node(Library::Rospy, "talker", "talker", TOPIC).start();
    vec![moved]
}

fn outer(lab: &Lab) -> &Host {
    &lab.outer
}

fn unreachable() -> Expected {
    let expected = Expected::new(Code::ConnectFailed, Stage::Xmlrpc).errno(Errno::EHOSTUNREACH);
    expected.remedy(&["ROS_IP=10.0.1.7"]).says(&["was an address of the host of /talker", "10.0.1.7"])
}

fn vanishes() -> Expected {
    Expected::new(Code::ConnectPending, Stage::Xmlrpc)
}

fn advertises_a_former_address() -> Expected {
    let expected = Expected::new(Code::CallbackFailed, Stage::Callback).severity(Severity::Warning);
    expected.remedy(&["ROS_IP=10.0.1.7"]).says(&["10.0.1.2 is no address of its host any more", "10.0.1.7"])
}

fn not_told(severity: Severity) -> Expected {
    let expected = Expected::new(Code::MasterUnreachable, Stage::Advertised).severity(severity);
    let expected = expected.address(Address::Exactly("10.0.1.1:11311")).about(About::Node("/late"));
    expected.says(&["did not tell", "/talker", TOPIC]).remedy(&["/talker"])
}

fn forgotten() -> Expected {
    let expected = Expected::new(Code::MasterUnreachable, Stage::Master).severity(Severity::Warning);
    expected.address(Address::Any).about(About::Node("/talker")).says(&["was started again"])
}

/// A talker on inner, which then has another address, as with a new lease.
fn talker_that_moves(lab: &Lab) -> Vec<Program> {
    let talker = lab.inner.node(Library::Rospy, "talker", "talker", TOPIC).start();
    readdress(lab);
    lab.router.run("ip neigh flush all");
    std::thread::sleep(NOTICED);
    vec![talker]
}

/// The same, while router goes on sending what is for the old address to inner, which is silent about it.
fn talker_that_moves_unnoticed(lab: &Lab) -> Vec<Program> {
    let talker = lab.inner.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let earlier = lab.router.node(Library::Rospy, "listener", "earlier", TOPIC).start();
    earlier.wait_for("heard", SOON);
    let mac = lab.inner.run("cat /sys/class/net/eth0/address");
    lab.router.run(&format!("ip neigh replace 10.0.1.2 lladdr {} dev lan0 nud permanent", mac.trim()));
    readdress(lab);
    std::thread::sleep(NOTICED);
    vec![talker, earlier]
}

fn readdress(lab: &Lab) {
    lab.inner.run("ip address del 10.0.1.2/24 dev eth0");
    lab.inner.run("ip address add 10.0.1.7/24 dev eth0");
    lab.inner.run("ip route replace default via 10.0.1.1");
}
