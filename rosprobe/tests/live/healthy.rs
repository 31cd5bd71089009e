//! A system on which nothing is wrong: nothing is reported, nothing is lost, and watching it costs next to nothing.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::graph::{LinkKind, Rate, Stage};
use rosprobe::observation::What;

use crate::lab::{Lab, Library, Program, SOON, Watch};

const TOPIC: &str = "/some/topic";
pub const LIBRARIES: [Library; 2] = [Library::Rospy, Library::Roscpp];

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_minute_of_health_is_silent() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &["--duration", "60s"]);
    let _roscore = lab.router.roscore();
    let _nodes = nodes(&lab);
    let echo = lab.inner.start("rostopic echo /some/topic");
    echo.wait_for("hello", SOON);
    let status = watch.wait(Duration::from_mins(1) + SOON);
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
    assert_eq!(watch.lost(), 0, "events were lost");
    assert_eq!(status.code(), Some(0), "nothing is wrong, and so the exit status is 0");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn links_of_both_libraries_reach_data() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let nodes = nodes(&lab);
    for listener in &nodes[2..4] {
        watch.until_data(listener, TOPIC, SOON);
    }
    watch.stop(Signal::SIGTERM);
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_third_client_library_reaches_data_in_both_directions() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let _foxglove = lab.router.node(Library::Foxglove, "talker", "/foxglove_talker", "/other/topic").start();
    let listener = lab.inner.node(Library::Foxglove, "listener", "/foxglove_listener", TOPIC).start();
    let roscpp = lab.inner.node(Library::Roscpp, "listener", "listener", "/other/topic").start();
    listener.wait_for("heard hello", SOON);
    roscpp.wait_for("heard hello", SOON);
    watch.until_data(&listener, TOPIC, SOON);
    watch.until_data(&roscpp, "/other/topic", SOON);
    watch.stop(Signal::SIGTERM);
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
}

/// Ten messages a second are what the talker sends, and `std_msgs/String` with `hello N` has 12 bytes and more.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn links_over_udpros_reach_data_and_have_a_rate_on_either_host() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Roscpp, "talker", "talker", TOPIC).start();
    let mut listener = lab.inner.node(Library::Roscpp, "udp", "udp_listener", TOPIC).start();
    listener.wait_for("heard", SOON);
    watch.until_data(&listener, TOPIC, SOON);
    for host in [&lab.inner, &lab.router] {
        let steady = |rate: Rate| (8.0..12.0).contains(&rate.messages) && rate.bytes > 100.0;
        watch.until_link_from(host, &format!("10 messages a second on {}", host.name), SOON, |link| {
            link.is_named(TOPIC) && link.kind == LinkKind::Topic && link.reached(Stage::Data) && steady(link.rate)
        });
    }
    listener.signal(Signal::SIGINT);
    listener.wait(SOON);
    watch.stop(Signal::SIGTERM);
    for host in lab.hosts() {
        assert!(watch.alarms_from(host).is_empty(), "{}: {:#?}", host.name, watch.alarms_from(host));
    }
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn two_labs_with_the_same_addresses_and_names_are_two() {
    let (well, ill) = (Lab::new(), Lab::new());
    well.forward();
    let mut watch = Watch::over(&[&well, &ill], &[]);
    let _masters = [well.router.roscore(), ill.router.roscore()];
    let talkers = [&ill, &well].map(|lab| lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start());
    let listeners = [&ill, &well].map(|lab| lab.outer.node(Library::Roscpp, "listener", "listener", TOPIC).start());
    watch.until_data(&listeners[1], TOPIC, SOON);
    let found = watch.finding("no route in one of them", SOON, |finding| finding.code == Code::ConnectFailed);
    let text = found.finding.remedies.join("\n");
    assert!(text.contains(&format!("Restart /talker (pid {})", talkers[0].pid())), "{text}");
    watch.stop(Signal::SIGTERM);
    for alarm in watch.alarms() {
        let pid = alarm.process.as_ref().map(|process| process.pid);
        assert!(alarm.code == Code::ConnectFailed && pid == Some(listeners[0].pid()), "{alarm:#?}");
    }
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_gigabyte_of_messages_is_counted_and_not_copied() {
    let lab = Lab::alone();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Roscpp, "bulk", "bulk", "/bulk").start();
    let listener = lab.inner.node(Library::Roscpp, "listener", "listener", "/bulk").start();
    listener.wait_for("received 1000 MB", 2 * SOON);
    watch.observation("a gigabyte, counted", SOON, |observation| match &observation.what {
        What::Traffic(traffic) => {
            let ours = observation.process.as_ref().is_some_and(|process| process.pid == listener.pid());
            ours && traffic.received_bytes >= 1_000_000_000 && traffic.received_messages >= 1000
        }
        _ => false,
    });
    watch.stop(Signal::SIGINT);
    let copied = watch.others("statistics").iter().filter_map(|line| line["ring_buffer_bytes"].as_u64()).max();
    let copied = copied.expect("statistics say how many bytes came through the ring buffer");
    assert!(copied < 1_000_000, "{copied} bytes came through the ring buffer");
    assert_eq!(watch.lost(), 0, "events were lost");
}

/// The send buffer is never empty, and some of it is always being sent again.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn large_messages_over_a_slow_way_that_loses_packets_are_silent() {
    let lab = Lab::new();
    lab.router.run("tc qdisc add dev lan0 root tbf rate 2mbit burst 32kbit latency 400ms");
    let large = "iptables -A INPUT -i eth0 -p tcp -m length --length 1000:65535";
    lab.inner.run(&format!("{large} -m statistic --mode random --probability 0.02 -j DROP"));
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "big", "talker", TOPIC).argument("2000000").start();
    let listener = lab.inner.node(Library::Rospy, "listener", "listener", TOPIC).start();
    watch.until_data(&listener, TOPIC, SOON);
    watch.observation("segments that were sent again", SOON, |observation| match &observation.what {
        What::Traffic(traffic) => traffic.retransmits > 20 && traffic.sent_messages > 3,
        _ => false,
    });
    watch.stop(Signal::SIGTERM);
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn twenty_nodes_that_come_and_go_are_silent() {
    // `ROSPROBE_FLEET_MINUTES=10` for a long look.
    let minutes = std::env::var("ROSPROBE_FLEET_MINUTES").map_or(2, |text| text.parse().expect("a number of minutes"));
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let until = Instant::now() + Duration::from_mins(minutes);
    let _roscore = lab.router.roscore();
    let _fleet = fleet(&lab);
    let mut visitors = 0;
    while Instant::now() < until {
        for library in LIBRARIES {
            come_and_go(&lab, library, "listener", "/topic_0", visitors);
            visitors += 1;
        }
        // The publishers of that topic are roscpp's, which alone speaks UDPROS.
        come_and_go(&lab, Library::Roscpp, "udp", "/topic_1", visitors);
        visitors += 1;
    }
    watch.stop(Signal::SIGTERM);
    assert!(watch.alarms().is_empty(), "after {visitors} visitors: {:#?}", watch.alarms());
    assert_eq!(watch.lost(), 0, "events were lost");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn nodes_that_are_killed_and_started_again_are_no_fault() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let mut nodes = Vec::new();
    for library in LIBRARIES {
        let topic = format!("/{library:?}");
        let start = || {
            let talker = lab.router.node(library, "talker", &format!("talker_{library:?}"), &topic).start();
            (talker, lab.inner.node(library, "listener", &format!("listener_{library:?}"), &topic).start())
        };
        let (talker, listener) = start();
        listener.wait_for("heard", SOON);
        // Both die of SIGKILL, so that the master still has them when they register again.
        drop((talker, listener));
        let (talker, listener) = start();
        listener.wait_for("heard", SOON);
        watch.until_data(&listener, &topic, SOON);
        nodes.push((talker, listener));
    }
    until_nothing_is_wrong(&watch);
    watch.stop(Signal::SIGTERM);
}

/// What was wrong for a moment is over once everybody has heard of the new addresses.
pub fn until_nothing_is_wrong(watch: &Watch) {
    let over = Instant::now() + SOON;
    let wrong =
        || watch.standing().into_iter().filter(|finding| finding.severity != Severity::Info).collect::<Vec<_>>();
    while !wrong().is_empty() {
        assert!(Instant::now() < over, "{:#?}", wrong());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What a person types all day, some of it about what is not there.
const TOOLS: [&str; 26] = [
    "rosparam set /tools/number 5",
    "rosparam list",
    "rosparam get /tools/number",
    "rosparam get /tools/absent",
    "rosparam dump",
    "rosparam delete /tools/number",
    "rosparam delete /tools/absent",
    "rosnode list",
    "rosnode info /talker",
    "rosnode info /absent",
    "rosnode ping -c 2 /talker",
    "rosnode ping -a",
    "rosnode machine",
    "rosnode cleanup",
    "rostopic list",
    "rostopic type /some/topic",
    "rostopic info /some/topic",
    "rostopic echo -n 3 /some/topic",
    "rostopic pub --once /tools/topic std_msgs/String hello",
    "rosservice list",
    "rosservice info /some/service",
    "rosservice type /some/service",
    "rosservice uri /some/service",
    "rosservice find std_srvs/Trigger",
    "rosservice call /some/service",
    "rosservice call /absent",
];

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn the_command_line_tools_are_silent() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let _nodes = nodes(&lab);
    let persistent = LIBRARIES.map(|library| {
        lab.inner.node(library, "persistent", &format!("persistent_{library:?}"), "/some/service").start()
    });
    let file = lab.inner.home().join("tools.launch");
    let launch = "<launch><param name=\"launched\" value=\"1\"/><node pkg=\"rosout\" type=\"rosout\" name=\"launched\"/></launch>";
    std::fs::write(&file, launch).expect("a host's home can be written");
    let roslaunch = lab.inner.start(&format!("roslaunch {}", file.display()));
    let hz = lab.inner.start("rostopic hz /some/topic");
    for few in TOOLS.chunks(4) {
        // Two of them on the master's host, two elsewhere.
        let hosts = [&lab.inner, &lab.router].into_iter().cycle();
        let mut running: Vec<Program> = few.iter().zip(hosts).map(|(words, host)| host.start(words)).collect();
        for tool in &mut running {
            tool.wait(Duration::from_mins(1));
        }
    }
    hz.wait_for("average rate", SOON);
    roslaunch.wait_for("started with pid", SOON);
    for client in &persistent {
        client.wait_for("answered", SOON);
    }
    for mut program in [hz, roslaunch] {
        program.signal(Signal::SIGINT);
        program.wait(SOON);
    }
    watch.stop(Signal::SIGTERM);
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
    assert_eq!(watch.lost(), 0, "events were lost");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn three_hundred_topics_of_one_node_are_silent() {
    three_hundred_topics(|_| ());
}

/// rosprobe gets no time for seconds, its ring buffer runs full, and it finds far more to read than it takes at once.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn three_hundred_topics_are_silent_while_rosprobe_stands_still() {
    three_hundred_topics(|watch| {
        for _ in 0..3 {
            watch.signal(Signal::SIGSTOP);
            std::thread::sleep(Duration::from_secs(3));
            watch.signal(Signal::SIGCONT);
            std::thread::sleep(Duration::from_secs(1));
        }
    });
}

fn three_hundred_topics(meanwhile: impl FnOnce(&Watch)) {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let mut running = Vec::new();
    for library in LIBRARIES {
        for (host, role) in [(&lab.router, "talkers"), (&lab.inner, "listeners")] {
            let node = host.node(library, role, &format!("{role}_{library:?}"), &format!("/{library:?}"));
            running.push(node.argument("300").start());
        }
    }
    meanwhile(&watch);
    for listeners in [&running[1], &running[3]] {
        listeners.wait_for("heard all", Duration::from_mins(3));
    }
    watch.stop(Signal::SIGTERM);
    // A ring buffer that nobody reads runs full, and that is all that may be said.
    let mut alarms = watch.alarms();
    alarms.retain(|finding| finding.code != Code::EventsLost);
    assert!(alarms.is_empty(), "{alarms:#?}");
}

/// As long as it is away it is wrong to keep it registered; once it is back there is nothing to do any more.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_node_that_was_killed_is_found_until_it_is_back() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let mut running = Vec::new();
    for library in LIBRARIES {
        let topic = format!("/{library:?}");
        let name = format!("talker_{library:?}");
        let start = || lab.router.node(library, "talker", &name, &topic).start();
        let talker = start();
        let listener = lab.inner.node(library, "listener", &format!("listener_{library:?}"), &topic).start();
        listener.wait_for("heard", SOON);
        // It dies of SIGKILL. rospy does not try again, but the log does, which is roscpp's.
        drop(talker);
        let refused = watch.finding("the stale registration", SOON, |finding| {
            let blamed = finding.peer.as_ref().and_then(|peer| peer.node.as_deref());
            finding.severity == Severity::Error
                && finding.errno == Some(Errno::ECONNREFUSED)
                && blamed == Some(format!("/{name}").as_str())
        });
        let remedies = refused.finding.remedies.join("\n");
        assert!(remedies.contains("rosnode cleanup"), "{:#?}", refused.finding);
        // What was over within four seconds is said to be over and nothing more.
        std::thread::sleep(Duration::from_secs(5));
        let again = start();
        let over = watch.finding("that it is back", SOON, |finding| {
            finding.id == refused.finding.id && finding.severity == Severity::Info && finding.ended.is_some()
        });
        assert!(over.finding.explanation.contains("was started again"), "{:#?}", over.finding);
        running.extend([again, listener]);
    }
    watch.stop(Signal::SIGTERM);
}

/// Twenty nodes on two hosts: topics, services and parameters of both libraries.
fn fleet(lab: &Lab) -> Vec<Program> {
    let mut fleet = Vec::new();
    for (number, (library, other)) in
        [(LIBRARIES[0], LIBRARIES[1]), (LIBRARIES[1], LIBRARIES[0])].into_iter().enumerate()
    {
        let (topic, service) = (format!("/topic_{number}"), format!("/service_{number}"));
        fleet.push(lab.router.node(library, "talker", &format!("talker_{number}"), &topic).start());
        fleet.push(lab.inner.node(library, "talker", &format!("second_talker_{number}"), &topic).start());
        fleet.push(lab.router.node(library, "server", &format!("server_{number}"), &service).start());
        fleet.push(lab.inner.node(other, "client", &format!("client_{number}"), &service).start());
        fleet.push(
            lab.inner.node(library, "setter", &format!("setter_{number}"), "/parameter").argument("2000").start(),
        );
        fleet.push(
            lab.router.node(other, "setter", &format!("other_setter_{number}"), "/parameter").argument("20").start(),
        );
        for place in 0..4 {
            let host = if place % 2 == 0 { &lab.inner } else { &lab.router };
            fleet.push(host.node(other, "listener", &format!("listener_{number}_{place}"), &topic).start());
        }
    }
    fleet
}

/// A listener that starts, hears something, and leaves as Ctrl-C makes it leave.
fn come_and_go(lab: &Lab, library: Library, role: &str, topic: &str, number: u32) {
    let mut visitor = lab.inner.node(library, role, &format!("{role}_visitor_{number}"), topic).start();
    visitor.wait_for("heard", SOON);
    visitor.signal(Signal::SIGINT);
    visitor.wait(SOON);
}

/// A talker, a service and its client, a listener of each library: all of them well.
pub fn nodes(lab: &Lab) -> Vec<Program> {
    let talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let server = lab.router.node(Library::Roscpp, "server", "server", "/some/service").start();
    let rospy = lab.inner.node(Library::Rospy, "listener", "rospy_listener", TOPIC).start();
    let roscpp = lab.inner.node(Library::Roscpp, "listener", "roscpp_listener", TOPIC).start();
    let client = lab.inner.node(Library::Rospy, "client", "client", "/some/service").start();
    rospy.wait_for("heard", SOON);
    roscpp.wait_for("heard", SOON);
    client.wait_for("answered", SOON);
    vec![talker, server, rospy, roscpp, client]
}
