//! What comes in: from a capture and from a file, while the screen stands still too.

use rosprobe::event::Monotonic;
use rosprobe::observation::What;
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{Effect, Message, Source, Theme, ViewKind};

use super::script;
use super::{Screen, line};

#[test]
fn a_frozen_screen_stands_still_and_counts_what_comes_in() {
    let all = script::mixed();
    let (first, rest) = all.observations.split_at(20);
    let mut screen = Screen::live(80, 24);
    screen.app.update(Message::Observations(first.to_vec()));
    screen.app.update(Message::Advance(first[19].monotonic));
    let before = screen.text();
    screen.act(&[Action::Freeze]);
    screen.app.update(Message::Observations(rest.to_vec()));
    screen.app.update(Message::Advance(Monotonic(all.now)));
    let frozen = screen.text();
    let lines = |text: &str| text.lines().take(22).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&before), lines(&frozen));
    assert!(frozen.contains(&format!("FROZEN  {} observations came in", rest.len())), "{frozen}");
    screen.act(&[Action::Freeze]);
    assert!(screen.text().contains("/scan"));
    assert_eq!(screen.app.session().history().len(), all.observations.len());
}

#[test]
fn leaving_a_frozen_screen_loses_nothing() {
    let all = script::mixed();
    let count = all.observations.len();
    let mut screen = Screen::live(80, 24);
    screen.act(&[Action::Freeze]);
    screen.tell(all);
    assert_eq!(screen.press(Scope::Screen, Action::Quit), [Effect::Quit]);
    assert_eq!(screen.app.into_session().history().len(), count);
}

#[test]
fn escape_stops_the_reading_of_a_file() {
    let mut screen = Screen::new(80, 24, Source::File("robot.json".to_owned()), Theme::Dark);
    assert_eq!(screen.press(Scope::Screen, Action::Back), [Effect::StopReading]);
}

#[test]
fn the_screen_changes_only_when_there_is_something_to_show() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    screen.text();
    assert!(!screen.app.changed());
    screen.app.update(Message::Observations(Vec::new()));
    assert!(!screen.app.changed());
    let now = screen.app.session().graph().now();
    screen.app.update(Message::Advance(Monotonic(now.0 + 1)));
    assert!(!screen.app.changed(), "within the same second nothing looks different");
    screen.app.update(Message::Advance(Monotonic(now.0 + 1_000_000_000)));
    assert!(screen.app.changed());
    screen.text();
    screen.app.update(Message::Memory(12_340_000));
    screen.text();
    screen.app.update(Message::Memory(12_341_000));
    assert!(!screen.app.changed());
}

#[test]
fn the_conversation_follows_what_comes_in_until_somebody_moves() {
    let mut screen = Screen::live(80, 24);
    screen.act(&[Action::Show(ViewKind::Conversation)]);
    let all = script::mixed();
    for part in all.observations.chunks(7) {
        screen.app.update(Message::Observations(part.to_vec()));
        let text = screen.text();
        let is_said = |what: &What| !matches!(what, What::Traffic(_) | What::Process(_));
        let Some(newest) = part.iter().rev().find(|seen| is_said(&seen.what)) else { continue };
        let time = newest.time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M:%S%.3f").to_string();
        assert!(text.contains(&time), "{time}\n{text}");
    }
}

#[test]
fn rows_follow_a_flood_a_few_times_a_second_and_keys_at_once() {
    let mut screen = Screen::of(script::many(1000, 5000), 120, 40);
    let before = screen.text();
    let mut more = script::many(1000, 5000);
    let begin = more.now;
    let late = more.node(9999, "late", "/late", "http://192.168.50.2:50001/", &[]);
    more.subscribe(&late, "/a_new_topic", &["http://10.9.9.9:41000/"]);
    more.refused(&late, "10.9.9.9:41000", rosprobe::errno::Errno::ECONNREFUSED);
    let new: Vec<_> = more.observations.into_iter().filter(|seen| seen.monotonic.0 > begin).collect();
    let last = new.last().unwrap().monotonic;
    screen.app.update(Message::Observations(new));
    screen.act(&[Action::Down]);
    assert_ne!(screen.text(), before, "the key is answered");
    assert!(!screen.text().contains("/a_new_topic"));
    screen.app.update(Message::Advance(Monotonic(last.0 + 2_000_000_000)));
    screen.act(&[Action::Top]);
    assert!(screen.text().contains("/a_new_topic"), "{}", screen.text());
}

#[test]
fn a_sorted_conversation_takes_in_what_comes() {
    let all = script::mixed();
    let mut screen = Screen::live(120, 60);
    screen.act(&[Action::Show(ViewKind::Conversation), Action::SortNext]);
    for part in all.observations.chunks(5) {
        screen.app.update(Message::Observations(part.to_vec()));
        screen.text();
    }
    let text = screen.text();
    let pids: Vec<u32> = text
        .lines()
        .filter_map(|line| line.split_once(" [")?.1.split_once(']')?.0.parse().ok())
        .take_while(|pid| *pid != 0)
        .collect();
    assert!(pids.len() > 10 && pids.is_sorted(), "{pids:?}\n{text}");
}

#[test]
fn views_of_ros2_are_in_the_bar_once_there_is_something_in_them() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    assert!(!line(&screen.text(), 1).contains("Domains"), "{}", screen.text());
    screen.act(&[Action::PreviousView]);
    assert!(line(&screen.text(), 2).contains("SEVERITY"));
    // Their keys work all the same, and say that there is nothing.
    screen.act(&[Action::Show(ViewKind::Domains)]);
    assert!(screen.text().contains("Nothing of ROS 2 so far"), "{}", screen.text());
    let mut screen = Screen::of_file("ros2/cyc_cyc_d0.pcap", 80, 24);
    assert!(line(&screen.text(), 1).contains("6 Doms"), "{}", screen.text());
    screen.act(&[Action::PreviousView]);
    assert!(line(&screen.text(), 2).contains("ROLE"), "{}", screen.text());
}

#[test]
fn a_file_with_findings_and_no_link_opens_at_the_findings() {
    let mut screen = Screen::of_file("ros2/e4_domain_mismatch.pcap", 80, 24);
    let text = screen.text();
    assert!(text.contains("domain-mismatch") && text.contains("Fix "), "{text}");
    screen.act(&[Action::Show(ViewKind::Links)]);
    assert!(screen.text().contains("5 shows the one finding."));
}

#[test]
fn what_a_damaged_file_lacks_is_said_whole() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ros1/pcap/s06_md5-outer.pcap");
    let sentences = [
        "The file could be read up to byte 2165: the file ends in the middle of a packet, 835 bytes of it are there.",
        "40 packets were cut when they were captured; capture with tcpdump -s 0.",
    ];
    let mut screen = Screen::new(80, 24, Source::File("cut.pcap".to_owned()), Theme::Dark);
    let mut opened = rosprobe::trace::open(path.as_ref(), &mut |_| ()).unwrap();
    opened.missing = sentences.map(str::to_owned).into();
    screen.app.update(Message::Opened(Box::new(opened)));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = screen.text();
    assert!(words(&text).contains(&sentences.join(" ")), "{text}");
    screen.act(&[Action::Down]);
    let text = screen.text();
    assert!(!text.contains("835 bytes") && text.contains("q quit"), "it goes with the next key: {text}");
    screen.app.update(Message::Notice("a word ".repeat(200)));
    let text = screen.text();
    assert!(text.lines().filter(|line| line.contains("a word")).count() <= 5, "{text}");
    assert!(text.contains('…'), "{text}");
}
