//! The filter: typed, combined, dropped, wrong.

use ratatui::crossterm::event::Event;
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{Message, ViewKind};

use super::script;
use super::{Screen, line};

#[test]
fn the_filter_works_as_it_is_typed_and_is_kept_across_views() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.act(&[Action::Filter]).types("/some");
    let text = screen.text();
    assert!(line(&text, 1).contains("/some  1 of"), "{text}");
    assert!(!text.contains("/scan"), "{text}");
    screen.press(Scope::Line, Action::Accept);
    for (kind, _) in ViewKind::ALL {
        screen.act(&[Action::Show(kind)]);
        let text = screen.text();
        assert!(line(&text, 1).contains("/some  "), "{text}");
        assert!(!text.contains("/scan"), "{kind:?} {text}");
    }
    screen.act(&[Action::Show(ViewKind::Links), Action::Back]);
    assert!(screen.text().contains("/scan"));
}

#[test]
fn a_filter_that_is_dropped_leaves_the_one_before() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.act(&[Action::Filter]).types("scan");
    screen.press(Scope::Line, Action::Accept);
    screen.act(&[Action::Filter]).types("xyz");
    assert!(screen.text().contains("Nothing passes the filter"));
    screen.press(Scope::Line, Action::Cancel);
    assert!(line(&screen.text(), 1).contains("scan  1 of"));
}

#[test]
fn terms_of_the_filter_combine() {
    for (filter, count, shown) in [
        // Its link and its calls of the master.
        ("pid:4242", 2, "/some/topic"),
        ("pid:4242 some", 1, "/some/topic"),
        ("node:viewer addr:10.0.1.2", 1, "/scan"),
        ("errno:ECONNREFUSED failed", 1, "/some/topic"),
        ("re:^/s.an$", 1, "/scan"),
        ("/s*n", 1, "/scan"),
    ] {
        let mut screen = Screen::of(script::mixed(), 120, 40);
        screen.act(&[Action::Filter]).types(filter);
        let text = screen.text();
        assert!(line(&text, 1).contains(&format!("{filter}  {count} of")), "{text}");
        assert!(line(&text, 3).contains(shown), "{text}");
    }
}

#[test]
fn a_filter_that_makes_no_sense_says_why_and_the_last_one_holds() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.act(&[Action::Filter]).types("scan");
    screen.app.update(Message::Terminal(Event::Paste(" pid:x".to_owned())));
    let text = screen.text();
    assert!(text.contains("pid:x names no process"), "{text}");
    assert!(line(&text, 3).contains("/scan"), "{text}");
}

#[test]
fn a_filter_that_makes_no_sense_is_not_taken() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.act(&[Action::Filter]).types("scan re:(");
    screen.press(Scope::Line, Action::Accept);
    let text = screen.text();
    assert!(text.contains("is no regular expression"), "the error stays where it is typed: {text}");
    assert!(!line(&text, 1).contains("re:("), "the bar says what holds: {text}");
    screen.press(Scope::Line, Action::EraseWord);
    screen.press(Scope::Line, Action::Accept);
    let text = screen.text();
    assert!(line(&text, 1).contains("scan  "), "{text}");
    assert!(text.contains("q quit"), "{text}");
}

#[test]
fn failures_only_and_everything_again() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.act(&[Action::ToggleFailures]);
    let text = screen.text();
    assert!(line(&text, 1).contains("failing  1 of"), "{text}");
    screen.act(&[Action::ToggleFailures]);
    assert!(screen.text().contains("/scan"));
}

#[test]
fn a_topic_of_ros2_is_found_by_either_of_its_names() {
    for (filter, links, conversation) in
        [("/q1", 4, 15), ("rt/q1", 4, 15), ("rt/q2", 1, 0), ("rt/none", 0, 0), ("pid:14334", 1, 0)]
    {
        let mut screen = Screen::of_file("ros2/e7_qos.pcap", 160, 40);
        screen.act(&[Action::Filter]).types(filter);
        screen.press(Scope::Line, Action::Accept);
        assert!(line(&screen.text(), 1).contains(&format!("{filter}  {links} of 5")), "{}", screen.text());
        screen.act(&[Action::Show(ViewKind::Conversation)]);
        let text = screen.text();
        let passed = line(&text, 1).split("  ").last().unwrap().trim().split(' ').next().unwrap().to_owned();
        let passed: usize = passed.parse().unwrap();
        assert!(passed >= conversation && passed < 52, "{text}");
        assert!(!text.contains(if filter == "/q1" { "of /q2" } else { "of /rosout" }), "{text}");
    }
}

#[test]
fn the_count_of_a_long_filter_is_whole_on_a_narrow_screen() {
    let mut screen = Screen::of(script::many(60, 400), 80, 24);
    screen.act(&[Action::ToggleFailures, Action::Filter]).types("node:a_long_name_of_a_node sensor");
    let text = screen.text();
    assert!(line(&text, 1).contains('…') && line(&text, 1).trim_end().ends_with("  0 of 62"), "{text}");
}

#[test]
fn a_filter_is_read_whole_beside_shorter_names_of_views() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    assert!(line(&screen.text(), 1).contains("4 Conversation"));
    screen.act(&[Action::Filter]).types("errno:ECONNREFUSED");
    let text = screen.text();
    assert!(line(&text, 1).contains("4 Talk") && line(&text, 1).contains("errno:ECONNREFUSED  1 of"), "{text}");
}
