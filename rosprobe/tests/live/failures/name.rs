//! The publisher advertises a name that this host does not know, or knows as something else.

use rosprobe::diagnosis::Code;
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::connect::router;
use super::cure::Cure;
use super::{Address, Case, Expected, TOPIC};
use crate::lab::{Lab, Library, Program, SOON};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for library in [Library::Rospy, Library::Roscpp] {
        cases.extend([
            Case::new("name in no hosts file", library, unresolved())
                .publisher(named_talker)
                .seen_from(router, likely_unknown())
                .cure(hosts_line()),
            Case::new("name unknown to DNS", library, unresolved().says(&["NXDOMAIN"]))
                .network(ask_router)
                .publisher(|lab| with_name_server(lab, "nxdomain"))
                .seen_from(router, likely_unknown())
                .cure(hosts_line()),
            Case::new("name server silent", library, unresolved())
                .network(ask_router)
                .publisher(|lab| with_name_server(lab, "silent"))
                .seen_from(router, likely_unknown())
                .cure(hosts_line()),
            Case::new("name is loopback here", library, loopback())
                .network(|lab| lab.outer.know("127.0.1.1", "robot"))
                .publisher(named_talker)
                .seen_from(router, likely_unknown())
                .cure(Cure::RestartPublisher(|lab| &lab.router)),
            Case::new("name is loopback here until it is told", library, loopback())
                .network(|lab| lab.outer.know("127.0.1.1", "robot"))
                .publisher(named_talker)
                .seen_from(router, likely_unknown())
                .cure(hosts_line()),
            Case::new("name is another host here", library, wrong_host())
                .network(|lab| lab.outer.know("192.168.50.9", "robot"))
                .publisher(named_talker)
                .seen_from(router, likely_unknown())
                .cure(Cure::RestartPublisher(|lab| &lab.router)),
        ]);
    }
    cases.push(
        Case::new(
            "IPv6 publisher, IPv4 subscriber",
            Library::Rospy,
            Expected::new(Code::WrongAddressFamily, Stage::Tcpros).address(Address::Any),
        )
        .network(add_ipv6)
        .publisher(|lab| {
            let talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC);
            vec![talker.env("ROS_IPV6", "on").env("ROS_IP", "fd50::1").start()]
        })
        .seen_from(router, Expected::new(Code::WrongAddressFamily, Stage::Tcpros).address(Address::Any))
        .cure(Cure::RestartPublisher(|lab| &lab.router)),
    );
    cases
}

fn hosts_line() -> Cure {
    Cure::Run("/etc/hosts", |lab| &lab.outer)
}

fn unresolved() -> Expected {
    Expected::new(Code::NameUnresolved, Stage::Xmlrpc).remedy(&["robot"])
}

/// The publisher's host sees that nothing came, and a name is the likely reason.
fn likely_unknown() -> Expected {
    Expected::new(Code::NameUnresolved, Stage::Xmlrpc).says(&["most likely"]).remedy(&["robot"])
}

fn loopback() -> Expected {
    Expected::new(Code::LoopbackAdvertised, Stage::Xmlrpc)
        .errno(Errno::ECONNREFUSED)
        .address(Address::Host("127.0.1.1"))
}

fn wrong_host() -> Expected {
    Expected::new(Code::ConnectFailed, Stage::Xmlrpc).errno(Errno::EHOSTUNREACH).address(Address::Host("192.168.50.9"))
}

/// A talker that calls itself robot, a name that router itself knows.
fn named_talker(lab: &Lab) -> Vec<Program> {
    lab.router.know("10.0.1.1", "robot");
    vec![lab.router.node(Library::Rospy, "talker", "talker", TOPIC).env("ROS_HOSTNAME", "robot").start()]
}

/// Outer asks a name server on router.
fn ask_router(lab: &Lab) {
    lab.outer.write_file("nsswitch.conf", "hosts: files dns\n");
    lab.outer.write_file("resolv.conf", "nameserver 192.168.50.1\n");
}

fn with_name_server(lab: &Lab, behaviour: &str) -> Vec<Program> {
    let script = crate::lab::source("name_server.py");
    let server = lab.router.start(&format!("python3 {} 192.168.50.1 {behaviour}", script.display()));
    server.wait_for("name server is up", SOON);
    let mut programs = named_talker(lab);
    programs.push(server);
    programs
}

/// Router and outer reach each other over IPv6.
fn add_ipv6(lab: &Lab) {
    lab.router.run("ip address add fd50::1/64 dev wan0 nodad");
    lab.outer.run("ip address add fd50::2/64 dev eth0 nodad");
}
