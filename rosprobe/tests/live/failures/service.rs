//! Services that cannot be reached.

use rosprobe::diagnosis::Code;
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::connect::router;
use super::cure::Cure;
use super::{Address, Case, Expected};
use crate::lab::{Lab, Library, Program};

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
    }
    cases
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
