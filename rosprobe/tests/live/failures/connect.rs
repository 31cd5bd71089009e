//! The publisher's address was handed over, and connecting to it fails.

use std::time::{Duration, Instant};

use rosprobe::diagnosis::Code;
use rosprobe::errno::Errno;
use rosprobe::graph::Stage;

use super::cure::Cure;
use super::handshake::inner;
use super::{Address, Case, Expected, TOPIC};
use crate::lab::{Host, Lab, Library, Program, SOON};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("seed: rostopic echo without a route", Library::Rospy, no_route())
            .subscriber(echo)
            .seen_from(router, nothing_came())
            .cure(Cure::Tunnel),
    ];
    for library in [Library::Rospy, Library::Roscpp] {
        cases.extend([
            Case::new("no route", library, no_route()).seen_from(router, nothing_came()).cure(Cure::Tunnel),
            Case::new("host absent", library, failed(Errno::EHOSTUNREACH))
                .network(Lab::forward)
                .publisher(|lab| talker_as(lab, "ROS_IP", "10.0.1.9"))
                .seen_from(router, nothing_came())
                .cure(Cure::RestartPublisher(|lab| &lab.router)),
            Case::new("refused by RST", library, failed(Errno::ECONNREFUSED))
                .network(|lab| reject(lab, "tcp-reset"))
                .seen_from(router, nothing_came())
                .cure(Cure::Tunnel),
            Case::new("refused by ICMP", library, failed(Errno::ECONNREFUSED))
                .network(|lab| reject(lab, "icmp-port-unreachable"))
                .seen_from(router, nothing_came())
                .cure(Cure::Tunnel),
            Case::new("prohibited by a firewall", library, failed(Errno::EHOSTUNREACH))
                .network(|lab| reject(lab, "icmp-admin-prohibited"))
                .seen_from(router, nothing_came())
                .cure(Cure::Tunnel),
            Case::new("prohibited on the link", library, rejected_on_link())
                .network(|lab| {
                    let rule = "-i lan0 -p tcp --syn ! --dport 11311 -j REJECT --reject-with icmp-host-prohibited";
                    lab.router.run(&format!("iptables -A INPUT {rule}"));
                })
                .subscriber(|lab, library| lab.inner.node(library, "listener", "listener", TOPIC).start())
                .seen_from(inner, rejected_on_link())
                .cure(Cure::Run("iptables -I INPUT", router)),
            Case::new(
                "a route rejects it",
                library,
                failed(Errno::EACCES).says(&["10.0.1.1/32 that rejects it (prohibit)"]),
            )
            .network(|lab| {
                lab.forward();
                lab.outer.run("ip route add prohibit 10.0.1.1/32");
            })
            .seen_from(router, nothing_came())
            .cure(Cure::Run("ip route del 10.0.1.1/32", |lab| &lab.outer)),
            Case::new("only port 11311 forwarded", library, no_route())
                .master(|lab| &lab.inner)
                .network(forward_one_port)
                .publisher(talker_beside_its_master)
                .seen_from(|lab| &lab.inner, nothing_came())
                // /rosout cannot get through to outer either.
                .also_true(&[Code::ConnectPending])
                .cure(Cure::Tunnel),
            Case::new("stale registration", library, failed(Errno::ECONNREFUSED).remedy(&["rosnode cleanup"]))
                .publisher(dead_talker)
                // The talker may be killed while /rosout asks it for /rosout.
                .also_true(&[Code::NoResponse, Code::NoHeader])
                .subscriber(|lab, library| lab.inner.node(library, "listener", "listener", TOPIC).start())
                .cure(Cure::Run("rosnode cleanup", |lab| &lab.inner))
                .cure(Cure::StartPublisher(|lab| &lab.router)),
            Case::new("loopback advertised", library, loopback())
                .publisher(|lab| talker_as(lab, "ROS_IP", "127.0.0.1"))
                .seen_from(router, Expected::new(Code::LoopbackAdvertised, Stage::Xmlrpc).remedy(&["ROS_IP"]))
                .cure(Cure::RestartPublisher(|lab| &lab.router)),
        ]);
    }
    cases.extend([Library::Rospy, Library::Roscpp].map(wrong_node));
    cases.push(
        Case::new("master behind a jump host", Library::Rospy, no_route().remedy(&["ProxyJump 192.168.50.1"]))
            .master(|lab| &lab.inner)
            .network(forward_one_port)
            .publisher(talker_beside_its_master)
            .subscriber(|lab, library| {
                ask_where_the_master_is(lab);
                lab.outer.node(library, "listener", "listener", TOPIC).start()
            })
            .also_true(&[Code::ConnectPending])
            .cure(Cure::Jump),
    );
    cases.extend([Library::Rospy, Library::Roscpp].map(|library| {
        Case::new("ssh forwards the master's port alone", library, no_route().says(&["through ssh"]))
            .publisher(forwarded_by_ssh)
            .subscriber(|lab, library| {
                let listener = lab.outer.node(library, "listener", "listener", TOPIC);
                listener.env("ROS_MASTER_URI", "http://localhost:11311").start()
            })
            .seen_from(router, nothing_came().says(&["behind dropbear"]))
            .cure(Cure::Run("sshuttle -r 192.168.50.1", |lab| &lab.outer))
    }));
    cases.extend(dropped());
    cases
}

/// What the talker advertises is another node on outer, by chance at the same port.
fn wrong_node(library: Library) -> Case {
    let answered = Expected { errno: None, ..loopback() }.says(&["another node answered"]);
    Case::new("the wrong node answers at loopback", library, answered)
        .publisher(|lab| {
            let mut nodes = talker_as(lab, "ROS_IP", "127.0.0.1");
            let uri = lab.router.lookup_node("/talker").expect("the talker has registered");
            let port = uri.trim_end_matches('/').rsplit(':').next().expect("a URI of a node ends with its port");
            let stranger = lab.outer.node(Library::Rospy, "listener", "stranger", "/elsewhere");
            nodes.push(stranger.env("LAB_XMLRPC_PORT", port).start());
            nodes
        })
        .cure(Cure::RestartPublisher(|lab| &lab.router))
}

/// A firewall that drops: nothing at all comes back.
fn dropped() -> Vec<Case> {
    let pending = || Expected::new(Code::ConnectPending, Stage::Xmlrpc).says(&["SYN"]);
    let abandoned = Expected::new(Code::ConnectAbandoned, Stage::Xmlrpc);
    let timed_out = failed(Errno::ETIMEDOUT);
    let open_ports = Cure::Run("iptables", |lab| &lab.router);
    vec![
        Case::new("dropped", Library::Rospy, pending())
            .network(drop_everything)
            .seen_from(router, nothing_came().remedy(&["iptables"]))
            .then(abandoned)
            .cure(open_ports),
        Case::new("dropped", Library::Roscpp, pending())
            .network(drop_everything_and_give_up)
            .seen_from(router, nothing_came().remedy(&["iptables"]))
            .then(timed_out)
            .cure(open_ports),
    ]
}

fn failed(errno: Errno) -> Expected {
    Expected::new(Code::ConnectFailed, Stage::Xmlrpc).errno(errno)
}

/// By the firewall of a host in the same network.
fn rejected_on_link() -> Expected {
    failed(Errno::EHOSTUNREACH).says(&["a rejection (ICMP) came back", "a firewall rejects it"])
}

fn no_route() -> Expected {
    failed(Errno::ENETUNREACH).remedy(&["10.0.1.0/24"])
}

fn loopback() -> Expected {
    Expected::new(Code::LoopbackAdvertised, Stage::Xmlrpc).errno(Errno::ECONNREFUSED).remedy(&["ROS_IP"])
}

/// What the publisher's host sees of a subscriber whose connect goes wrong on its way.
pub fn nothing_came() -> Expected {
    Expected::new(Code::NeverAttempted, Stage::Xmlrpc).says(&["no connection of it has arrived here"])
}

/// Where the master and the publisher of most cases run.
pub fn router(lab: &Lab) -> &Host {
    &lab.router
}

/// What the story's engineer typed.
fn echo(lab: &Lab, _: Library) -> Program {
    lab.outer.start("rostopic echo /some/topic")
}

fn talker_as(lab: &Lab, variable: &str, value: &str) -> Vec<Program> {
    vec![lab.router.node(Library::Rospy, "talker", "talker", TOPIC).env(variable, value).start()]
}

/// A talker, and on outer the master's port by `ssh -L`.
fn forwarded_by_ssh(lab: &Lab) -> Vec<Program> {
    let mut programs = vec![lab.ssh_server()];
    programs.push(lab.outer.start_at_home("exec ssh -N -L 11311:10.0.1.1:11311 192.168.50.1"));
    let deadline = Instant::now() + SOON;
    while !lab.outer.run("ss -Hltn").contains("127.0.0.1:11311") {
        assert!(Instant::now() < deadline, "ssh does not listen after {SOON:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    programs.push(lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start());
    programs
}

/// A talker that died without a word: the master still hands out its address.
fn dead_talker(lab: &Lab) -> Vec<Program> {
    let talkers = talker_as(lab, "ROS_IP", "10.0.1.1");
    drop(talkers);
    Vec::new()
}

/// Router answers what outer sends to 10.0.1.1 with a refusal.
fn reject(lab: &Lab, answer: &str) {
    lab.forward();
    lab.router.run(&format!("iptables -A INPUT -i wan0 -d 10.0.1.1 -p tcp -j REJECT --reject-with {answer}"));
}

/// Router drops what outer sends to 10.0.1.1.
fn drop_everything(lab: &Lab) {
    lab.forward();
    lab.router.run("iptables -A INPUT -i wan0 -d 10.0.1.1 -p tcp -j DROP");
}

/// The same, and outer's kernel gives up after seconds instead of two minutes.
fn drop_everything_and_give_up(lab: &Lab) {
    drop_everything(lab);
    lab.outer.sysctl("net/ipv4/tcp_syn_retries", "2");
}

/// The talker of a master on inner.
fn talker_beside_its_master(lab: &Lab) -> Vec<Program> {
    let talker = lab.inner.node(Library::Rospy, "talker", "talker", TOPIC);
    vec![talker.env("ROS_MASTER_URI", "http://10.0.1.2:11311").start()]
}

/// As `rosprobe check` and other tools ask: the master's answer names the host that it really is on.
fn ask_where_the_master_is(lab: &Lab) {
    let call = "__import__('xmlrpc.client').client.ServerProxy('http://192.168.50.1:11311').getUri('/lab')";
    lab.outer.run(&format!("python3 -c {call}"));
}

/// The master is on inner, and router forwards nothing but its port.
fn forward_one_port(lab: &Lab) {
    lab.router.sysctl("net/ipv4/ip_forward", "1");
    lab.inner.run("ip route add default via 10.0.1.1");
    lab.router
        .run("iptables -t nat -A PREROUTING -i wan0 -p tcp --dport 11311 -j DNAT --to-destination 10.0.1.2:11311");
}

/// Where a TCPROS port alone is blocked, the address is right and only its port is not the advertised one.
pub const TCPROS: Address = Address::Host("10.0.1.1");
