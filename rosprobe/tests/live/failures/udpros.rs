//! UDPROS: the publisher sends datagrams, and nobody acknowledges them.

use rosprobe::diagnosis::Code;
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::connect::router;
use super::cure::Cure;
use super::handshake::{idle, inner, no_response, talker};
use super::{About, Address, Case, Expected, TOPIC};
use crate::lab::{Lab, Library, Program};

/// An address of inner that nobody else has a route to.
const UNKNOWN: &str = "172.16.5.5";

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("UDPROS request unanswered", Library::Roscpp, no_response())
            .publisher(|lab| talker(lab, Library::Roscpp, "10"))
            // roscpp puts a NUL behind base64 text that ends with a full line of 72 characters, and gets no answer then.
            // With this name the header has 108 bytes, which are two such lines.
            .subscriber(|lab, library| lab.inner.node(library, "udp", "udpros", TOPIC).start())
            .seen_from(router, no_response().says(&["UDPROS", "NUL"]))
            .seen_from(inner, no_response().says(&["UDPROS", "NUL"]))
            .cure(Cure::RenameSubscriber(inner, "udp")),
        over_udp("UDPROS datagrams are dropped", lost().says(&["nothing arrives", "a firewall drops the datagrams"]))
            .network(|lab| drop(lab.inner.run("iptables -A INPUT -i eth0 -p udp -j DROP")))
            .cure(Cure::Run("iptables", inner)),
        over_udp("UDPROS datagrams are refused", lost().errno(Errno::ECONNREFUSED).says(&["a firewall rejects it"]))
            .network(|lab| drop(lab.inner.run("iptables -A INPUT -i eth0 -p udp -j REJECT")))
            .seen_from(router, lost().errno(Errno::ECONNREFUSED))
            .cure(Cure::Run("iptables", inner)),
        over_udp("UDPROS datagrams are prohibited", lost().errno(Errno::EHOSTUNREACH))
            .network(|lab| {
                lab.inner.run("iptables -A INPUT -i eth0 -p udp -j REJECT --reject-with icmp-host-prohibited");
            })
            .seen_from(router, lost().errno(Errno::EHOSTUNREACH))
            .cure(Cure::Run("iptables", inner)),
        over_udp("UDPROS datagrams are not let out", lost().errno(Errno::EPERM).says(&["does not let it out"]))
            .network(|lab| drop(lab.router.run("iptables -A OUTPUT -o lan0 -p udp -j DROP")))
            .seen_from(router, lost().errno(Errno::EPERM))
            .cure(Cure::Run("iptables", router)),
        over_udp("UDPROS datagrams have no route", unsent())
            .network(|lab| drop(lab.inner.run(&format!("ip address add {UNKNOWN}/32 dev lo"))))
            .subscriber(|lab, library| udp(lab, library, Some(UNKNOWN)))
            .seen_from(router, unsent())
            // The master cannot call it back either.
            .also_true(&[Code::CallbackFailed, Code::CallFailed])
            .cure(Cure::RestartSubscriber(inner, "udp")),
        over_udp("publisher does not speak UDPROS", declined())
            .publisher(|lab| talker(lab, Library::Rospy, "10"))
            .seen_from(router, declined())
            .seen_from(inner, declined()),
        over_udp("publisher over UDPROS is idle", idle())
            .publisher(|lab| talker(lab, Library::Roscpp, "0"))
            .seen_from(router, idle()),
    ]
}

/// The talker on router, and a subscriber on inner that wants datagrams.
fn over_udp(name: &'static str, expected: Expected) -> Case {
    Case::new(name, Library::Roscpp, expected)
        .publisher(|lab| talker(lab, Library::Roscpp, "10"))
        .subscriber(|lab, library| udp(lab, library, None))
}

fn udp(lab: &Lab, library: Library, ip: Option<&str>) -> Program {
    let node = lab.inner.node(library, "udp", "listener", TOPIC);
    ip.into_iter().fold(node, |node, ip| node.env("ROS_IP", ip)).start()
}

fn lost() -> Expected {
    Expected::new(Code::DatagramsLost, Stage::Data).address(Address::Host("10.0.1.2")).remedy(&["TCPROS"])
}

fn unsent() -> Expected {
    let expected = Expected::new(Code::ConnectFailed, Stage::Tcpros).errno(Errno::ENETUNREACH);
    expected.address(Address::Host(UNKNOWN)).about(About::Anybody).remedy(&["ROS_IP=10.0.1.2"])
}

fn declined() -> Expected {
    Expected::new(Code::CallFailed, Stage::RequestTopic).says(&["does not speak UDPROS"])
}
