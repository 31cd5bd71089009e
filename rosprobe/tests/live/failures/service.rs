//! Services that cannot be reached.

use std::time::Duration;

use rosprobe::diagnosis::Code;
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::connect::router;
use super::cure::Cure;
use super::handshake::inner;
use super::{Address, Case, Expected};
use crate::lab::{Lab, Library, Program, source};

pub const SERVICE: &str = "/some/service";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for library in [Library::Rospy, Library::Roscpp] {
        cases.push(
            Case::new("service without a route", library, unreachable(Errno::ENETUNREACH))
                .about(SERVICE)
                .publisher(server)
                .subscriber(client)
                .seen_from(
                    router,
                    Expected::new(Code::ServiceUnreachable, Stage::Service).address(Address::Host("10.0.1.1")),
                )
                .cure(Cure::Tunnel),
        );
        cases.push(
            Case::new("service refused", library, unreachable(Errno::ECONNREFUSED))
                .about(SERVICE)
                .publisher(dead_server)
                .subscriber(|lab, library| lab.inner.node(library, "client", "listener", SERVICE).start())
                // The dead server's log is not to be had either.
                .also_true(&[Code::ConnectFailed])
                .cure(Cure::Run("rosnode cleanup", |lab| &lab.inner))
                .cure(Cure::StartServer(|lab| &lab.router)),
        );
        let fake = |name, server: fn(&Lab) -> Vec<Program>| {
            let case = Case::new(name, library, no_header()).about(SERVICE).publisher(server);
            case.subscriber(|lab, library| lab.inner.node(library, "client", "listener", SERVICE).start())
        };
        cases.extend([
            fake("service header unanswered", |lab| fake_server(lab, "silent")).seen_from(router, no_header()),
            fake("service closed without a header", |lab| fake_server(lab, "close")).seen_from(router, no_header()),
            fake("service hangs up", |lab| fake_server(lab, "hang-up"))
                .seen_from(inner, no_header())
                .seen_from(router, no_header()),
            fake("service resets", |lab| fake_server(lab, "reset"))
                .seen_from(inner, no_header())
                .seen_from(router, no_header()),
        ]);
        cases.push(
            Case::new("the server dies between request and answer", library, no_answer())
                .about(SERVICE)
                .publisher(|lab| mortal_server(lab, "3"))
                .subscriber(|lab, library| lab.inner.node(library, "persistent", "listener", SERVICE).start())
                .seen_from(inner, no_answer())
                .seen_from(router, no_answer())
                // The dead server's log is not to be had either.
                .also_true(&[Code::ConnectFailed, Code::ServiceUnreachable])
                .cure(Cure::StartServer(router)),
        );
    }
    let tool = |name, server: fn(&Lab) -> Vec<Program>| {
        let case = Case::new(name, Library::Rospy, no_header()).about(SERVICE).publisher(server);
        case.subscriber(|lab, _| lab.inner.start(&format!("rosservice call {SERVICE}")))
    };
    cases.extend([
        tool("rosservice call, header unanswered", |lab| fake_server(lab, "silent")),
        tool("rosservice call, closed without a header", |lab| fake_server(lab, "close")),
        Case::new("rosservice call, the server dies before it answers", Library::Rospy, no_answer())
            .about(SERVICE)
            .publisher(|lab| mortal_server(lab, "1"))
            .subscriber(|lab, _| lab.inner.start(&format!("rosservice call {SERVICE}")))
            .seen_from(inner, no_answer())
            .seen_from(router, no_answer())
            .also_true(&[Code::ConnectFailed])
            .cure(Cure::StartServer(router)),
    ]);
    cases
}

fn no_header() -> Expected {
    let expected = Expected::new(Code::NoHeader, Stage::Header).address(Address::Host("10.0.1.1"));
    expected.says(&[SERVICE])
}

fn no_answer() -> Expected {
    let expected = Expected::new(Code::NoResponse, Stage::Data).address(Address::Host("10.0.1.1"));
    expected.says(&[SERVICE, "before it had answered the request"])
}

fn mortal_server(lab: &Lab, request: &str) -> Vec<Program> {
    vec![lab.router.node(Library::Rospy, "mortal", "talker", SERVICE).argument(request).start()]
}

fn fake_server(lab: &Lab, behaviour: &str) -> Vec<Program> {
    let script = source("fake_server.py");
    let server = lab.router.start(&format!("python3 {} {behaviour} /talker {SERVICE}", script.display()));
    server.wait_for("node is up", Duration::from_secs(20));
    vec![server]
}

fn unreachable(errno: Errno) -> Expected {
    Expected::new(Code::ServiceUnreachable, Stage::Service).errno(errno).address(Address::Host("10.0.1.1"))
}

fn server(lab: &Lab) -> Vec<Program> {
    vec![lab.router.node(Library::Rospy, "server", "talker", SERVICE).start()]
}

fn client(lab: &Lab, library: Library) -> Program {
    lab.outer.node(library, "client", "listener", SERVICE).start()
}

/// A server that died without a word: the master still hands out its address.
fn dead_server(lab: &Lab) -> Vec<Program> {
    drop(server(lab));
    Vec::new()
}
