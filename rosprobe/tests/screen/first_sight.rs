//! What somebody sees first: the fault, or what the screen waits for.

use rosprobe::tui::keys::Action;
use rosprobe::tui::{Message, ViewKind};

use super::script::{self, Script};
use super::{Screen, line};

#[test]
fn the_first_thing_seen_is_the_failing_topic_with_reason_and_remedy() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    let text = screen.text();
    assert!(line(&text, 3).contains("✗ /some/topic"), "{text}");
    assert!(line(&text, 3).contains("ECONNREFUSED"), "{text}");
    assert!(text.contains("Why "), "{text}");
    assert!(text.contains("Fix "), "{text}");
}

#[test]
fn an_empty_screen_says_what_it_waits_for() {
    let mut screen = Screen::live(80, 24);
    let text = screen.text();
    assert!(text.contains("Waiting for ROS nodes to talk") && text.contains("rosprobe doctor"), "{text}");
    screen.act(&[Action::Show(ViewKind::Findings)]);
    assert!(screen.text().contains("Nothing is wrong so far"));
}

#[test]
fn topic_reason_and_remedy_are_on_the_first_screen() {
    for file in ["trace/no-route.json.gz", "ros1/pcap/s02_reject_rst_roscpp-outer.pcap"] {
        let text = Screen::of_file(file, 80, 24).text();
        assert!(line(&text, 0).contains("1 failed"), "{text}");
        assert!(line(&text, 3).starts_with(" ✗ /"), "a subscriber that left in trouble too: {text}");
        for part in ["says it publishes /", " Why  ", " Fix  ", "$ "] {
            assert!(text.contains(part), "{part} is not on the first screen:\n{text}");
        }
        let command = text.lines().skip_while(|line| !line.contains("    $ ")).flat_map(str::split_whitespace);
        let command = command.collect::<Vec<_>>().join(" ");
        assert!(command.contains("sshuttle -r 192.168.50.1"), "the command is whole:\n{text}");
    }
}

#[test]
fn a_name_that_is_not_for_reading_has_its_finding() {
    for topic in ["/a\u{202e}b", "/\u{1b}[31mred", "/tab\tand\nline"] {
        let mut script = Script::default();
        let viewer = script.node(4242, "rostopic", "/viewer\u{7}", "http://192.168.50.2:50000/", &[]);
        script.subscribe(&viewer, topic, &["http://10.0.1.1:41235/"]);
        script.refused(&viewer, "10.0.1.1:41235", rosprobe::errno::Errno::ECONNREFUSED);
        let text = Screen::of(script, 80, 24).text();
        assert!(text.contains(" Why  ") && text.contains(" Fix  "), "{topic:?}:\n{text}");
    }
}

#[test]
fn the_first_line_says_everything_on_a_narrow_screen() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    screen.app.update(Message::Statistics(rosprobe::tui::Statistics { events_per_second: 214.0, lost: 3 }));
    screen.app.update(Message::Memory(23_400_000));
    let text = screen.text();
    for part in ["this machine", " nodes", " ok", " pending", " failed", "214/s", "lost 3", "24MB", "sock"] {
        assert!(line(&text, 0).contains(part), "{part}: {}", line(&text, 0));
    }
    let mut screen = Screen::of_file("trace/no-route.json.gz", 80, 24);
    screen.app.update(Message::Memory(23_400_000));
    let text = screen.text();
    for part in ["no-rou", "7 nodes", "12 ok", "1 failed", " obs ", "lost 0", "24MB", "sock"] {
        assert!(line(&text, 0).contains(part), "{part}: {}", line(&text, 0));
    }
}
