//! What keys, the mouse and the capture do.

use std::path::PathBuf;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use rosprobe::event::Monotonic;
use rosprobe::observation::What;
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{Effect, Export, ExportError, Message, Source, Theme, ViewKind};

use super::Screen;
use super::script::{self, Script};

fn line(text: &str, number: usize) -> &str {
    text.lines().nth(number).unwrap_or_default()
}

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
fn failures_only_and_everything_again() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.act(&[Action::ToggleFailures]);
    let text = screen.text();
    assert!(line(&text, 1).contains("failing  1 of"), "{text}");
    screen.act(&[Action::ToggleFailures]);
    assert!(screen.text().contains("/scan"));
}

#[test]
fn moving_in_a_list_and_in_its_detail() {
    let mut screen = Screen::of(script::many(60, 400), 80, 24);
    screen.act(&[Action::Bottom]);
    let bottom = screen.text();
    screen.act(&[Action::Top]);
    let top = screen.text();
    assert_ne!(top, bottom);
    screen.act(&[Action::PageDown, Action::PageUp]);
    assert_eq!(screen.text(), top);
    screen.act(&[Action::Down, Action::Up]);
    assert_eq!(screen.text(), top);
    screen.act(&[Action::SwitchPane, Action::Down]);
    assert_ne!(screen.text(), top);
    screen.act(&[Action::Back]);
    assert_eq!(screen.text(), top);
}

#[test]
fn sorting_by_a_column_and_turning_it_round() {
    let mut screen = Screen::of(script::many(60, 400), 120, 40);
    screen.act(&[Action::SortNext]);
    let text = screen.text();
    assert!(line(&text, 2).contains("TOPIC ▲"), "{text}");
    let first = text.lines().position(|line| line.contains("/robot0/sensor0 ")).unwrap();
    let second = text.lines().position(|line| line.contains("/robot0/sensor1 ")).unwrap();
    assert!(first < second, "{text}");
    screen.act(&[Action::SortReverse]);
    let text = screen.text();
    assert!(line(&text, 2).contains("TOPIC ▼"), "{text}");
    let topic = text.lines().find(|line| line.contains("/sensor")).unwrap();
    assert!(topic.contains("/robot1/sensor9"), "{text}");
}

fn mouse(kind: MouseEventKind, column: u16, row: u16) -> Message {
    Message::Terminal(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

#[test]
fn the_mouse_selects_scrolls_sorts_and_changes_the_view() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    let second = screen.text();
    let topic = line(&second, 4).trim_start_matches(['✗', '◷', '✓', ' ']).split_whitespace().next().unwrap().to_owned();
    screen.app.update(mouse(MouseEventKind::Down(MouseButton::Left), 10, 4));
    assert!(screen.text().lines().skip(8).any(|line| line.contains(&topic)), "{topic}");
    screen.app.update(mouse(MouseEventKind::ScrollUp, 10, 4));
    assert!(screen.text().contains("Why "));
    screen.app.update(mouse(MouseEventKind::Down(MouseButton::Left), 6, 2));
    assert!(line(&screen.text(), 2).contains("TOPIC ▲"));
    screen.app.update(mouse(MouseEventKind::Down(MouseButton::Left), 14, 1));
    assert!(line(&screen.text(), 2).contains("COMMAND"));
    // Nothing is there, and nothing happens.
    let before = screen.text();
    for (column, row) in [(119, 39), (119, 1), (500, 500), (3, 3 + 20)] {
        screen.app.update(mouse(MouseEventKind::Down(MouseButton::Left), column, row));
    }
    assert_eq!(screen.text(), before);
}

#[test]
fn a_trace_is_exported_under_a_name_that_is_asked_for() {
    let mut screen = Screen::of(script::one_failing(), 80, 24);
    screen.act(&[Action::Export]);
    assert!(screen.text().contains("export to: rosprobe-20261121-131702.json"), "{}", screen.text());
    screen.press(Scope::Line, Action::EraseLine);
    assert!(screen.press(Scope::Line, Action::Accept).is_empty(), "a trace needs a name");
    screen.types("q.json");
    let path = PathBuf::from("q.json");
    let effects = screen.press(Scope::Line, Action::Accept);
    assert_eq!(effects, [Effect::Export { path: path.clone(), overwrite: false }]);

    screen.app.update(Message::Exported(Err(ExportError::Exists(path.clone()))));
    assert!(screen.text().contains("q.json is there already. Overwrite it?"), "{}", screen.text());
    assert!(screen.press(Scope::Question, Action::No).is_empty());
    assert!(screen.text().contains("nothing was written"));

    screen.app.update(Message::Exported(Err(ExportError::Exists(path.clone()))));
    let effects = screen.press(Scope::Question, Action::Yes);
    assert_eq!(effects, [Effect::Export { path: path.clone(), overwrite: true }]);
    screen.app.update(Message::Exported(Ok(Export { path: "/data/q.json".into(), observations: 17, forgotten: 0 })));
    assert!(screen.text().contains("17 observations written to /data/q.json"));
    screen.app.update(Message::Exported(Err(ExportError::Failed("/data/q.json: the disk is full".to_owned()))));
    assert!(screen.text().contains("the disk is full"));
}

#[test]
fn the_selected_finding_is_copied() {
    let mut screen = Screen::of(script::one_failing(), 80, 24);
    screen.text();
    let from_links = screen.press(Scope::Screen, Action::Copy);
    let [Effect::Copy(text)] = &from_links[..] else { panic!("{from_links:?}") };
    assert!(text.contains("ECONNREFUSED") && text.contains("\nWhy  ") && text.contains("\nFix  "), "{text}");
    screen.act(&[Action::Show(ViewKind::Findings)]);
    screen.text();
    assert_eq!(screen.press(Scope::Screen, Action::Copy), from_links);
    screen.act(&[Action::Show(ViewKind::Hosts)]);
    screen.text();
    assert!(screen.press(Scope::Screen, Action::Copy).is_empty());
    assert!(screen.text().contains("no finding is selected"));
}

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
fn an_export_from_a_frozen_screen_holds_what_the_screen_does_not_show() {
    let all = script::mixed();
    let (first, rest) = all.observations.split_at(20);
    let mut screen = Screen::live(120, 24);
    screen.app.update(Message::Observations(first.to_vec()));
    screen.act(&[Action::Freeze]);
    screen.app.update(Message::Observations(rest.to_vec()));
    screen.app.update(Message::Advance(Monotonic(all.now)));
    let session = screen.app.whole_session().into_owned();
    assert_eq!((screen.app.session().history().len(), session.history().len()), (20, all.observations.len()));
    let (observations, path) = (session.history().len() as u64, "/data/q.json".into());
    screen.app.update(Message::Exported(Ok(Export { path, observations, forgotten: 0 })));
    let said = format!(
        "{observations} observations written to /data/q.json, with {} that came in since the screen was frozen",
        rest.len()
    );
    assert!(screen.text().contains(&said), "{}", screen.text());
    screen.act(&[Action::Freeze]);
    assert_eq!(session.findings(), screen.app.session().findings(), "they are those of the moment of writing");
    assert!(!session.findings().is_empty());
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
fn an_empty_screen_says_what_it_waits_for() {
    let mut screen = Screen::live(80, 24);
    let text = screen.text();
    assert!(text.contains("Waiting for ROS nodes to talk") && text.contains("rosprobe doctor"), "{text}");
    screen.act(&[Action::Show(ViewKind::Findings)]);
    assert!(screen.text().contains("Nothing is wrong so far"));
}

#[test]
fn every_action_of_every_scope_is_safe_with_nothing_and_with_much_on_the_screen() {
    for script in [Script::default as fn() -> Script, script::mixed, script::odd_names] {
        for (width, height) in [(80, 24), (10, 3)] {
            let mut screen = Screen::of(script(), width, height);
            for (scope, _) in Scope::ALL {
                for (entry, _) in Scope::ALL {
                    for binding in entry.bindings() {
                        screen.press(entry, binding.action);
                        screen.text();
                    }
                }
                let _ = scope;
            }
        }
    }
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
fn help_scrolls_and_comes_back() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    screen.act(&[Action::Help]);
    let first = screen.text();
    assert!(first.contains("On the screen"));
    screen.press(Scope::Help, Action::Down);
    assert_ne!(screen.text(), first);
    screen.press(Scope::Help, Action::Up);
    assert_eq!(screen.text(), first);
    screen.press(Scope::Help, Action::Back);
    assert!(screen.text().contains("OUTCOME"));
}

#[test]
fn the_detail_is_opened_scrolled_and_closed() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    screen.act(&[Action::Open]);
    let whole = screen.text();
    assert!(!whole.contains("OUTCOME") && whole.contains("rosnode cleanup"), "{whole}");
    screen.act(&[Action::PageDown]);
    assert_ne!(screen.text(), whole);
    screen.act(&[Action::Top]);
    assert_eq!(screen.text(), whole);
    screen.act(&[Action::Bottom]);
    assert!(!screen.text().contains("✗ connect() to"), "{}", screen.text());
    screen.act(&[Action::Back]);
    assert!(screen.text().contains("OUTCOME"));
    screen.app.update(mouse(MouseEventKind::ScrollDown, 10, 20));
    assert!(screen.text().contains("OUTCOME"), "the wheel over the detail scrolls it where it is");
    assert!(!screen.text().contains("✗ connect() to"), "{}", screen.text());
}

#[test]
fn suspend_and_redraw_are_left_to_the_runner() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    assert_eq!(screen.press(Scope::Screen, Action::Suspend), [Effect::Suspend]);
    assert_eq!(screen.press(Scope::Screen, Action::Redraw), [Effect::Redraw]);
}

/// Both come in one packet from a robot that is far away, and a terminal has the same bytes for Alt and that key.
#[test]
fn escape_and_the_key_after_it_may_come_as_one() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    screen.press(Scope::Screen, Action::Filter);
    screen.types("no_such_topic");
    let together = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::ALT | KeyModifiers::CONTROL);
    assert_eq!(screen.app.update(Message::Terminal(Event::Key(together))), [Effect::Suspend]);
    screen.prepare();
    assert!(screen.text().contains("ECONNREFUSED"), "the filter is dropped");
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
fn the_count_of_a_long_filter_is_whole_on_a_narrow_screen() {
    let mut screen = Screen::of(script::many(60, 400), 80, 24);
    screen.act(&[Action::ToggleFailures, Action::Filter]).types("node:a_long_name_of_a_node sensor");
    let text = screen.text();
    assert!(line(&text, 1).contains('…') && line(&text, 1).trim_end().ends_with("  0 of 62"), "{text}");
}

#[test]
fn a_name_longer_than_the_screen_shows_where_the_cursor_is() {
    let mut screen = Screen::of(script::one_failing(), 80, 24);
    screen.act(&[Action::Export]);
    screen.press(Scope::Line, Action::EraseLine);
    screen.types(&format!("/data/{}/the_end.json", "long/".repeat(40)));
    let text = screen.text();
    assert!(line(&text, 23).starts_with("export to: …") && line(&text, 23).ends_with("/the_end.json"), "{text}");
    screen.press(Scope::Line, Action::CursorStart);
    assert!(line(&screen.text(), 23).starts_with("export to: /data/long/"), "{}", screen.text());
}

#[test]
fn help_turns_pages_and_follows_the_wheel() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    screen.act(&[Action::Help]);
    let first = screen.text();
    assert!(first.contains("must all hold"), "nothing is cut: {first}");
    screen.press(Scope::Help, Action::PageDown);
    assert!(!screen.text().contains("On the screen"), "{}", screen.text());
    screen.press(Scope::Help, Action::PageUp);
    assert_eq!(screen.text(), first);
    screen.press(Scope::Help, Action::Bottom);
    assert!(screen.text().contains("Shift-drag"), "{}", screen.text());
    screen.press(Scope::Help, Action::Top);
    assert_eq!(screen.text(), first);
    screen.app.update(mouse(MouseEventKind::ScrollDown, 10, 10));
    assert_ne!(screen.text(), first);
    screen.app.update(mouse(MouseEventKind::ScrollUp, 10, 10));
    assert_eq!(screen.text(), first);
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
fn topics_are_sorted_by_what_their_column_says() {
    let mut screen = Screen::of_file("trace/no-route.json.gz", 120, 40);
    screen.act(&[Action::SortNext]);
    let text = screen.text();
    let at = |words: &str| text.lines().position(|line| line.contains(words)).unwrap();
    assert!(at(" /camera/image ") < at(" /rosout ") && at(" /rosout ") < at(" to master "), "{text}");
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

#[test]
fn a_filter_is_read_whole_beside_shorter_names_of_views() {
    let mut screen = Screen::of(script::mixed(), 80, 24);
    assert!(line(&screen.text(), 1).contains("4 Conversation"));
    screen.act(&[Action::Filter]).types("errno:ECONNREFUSED");
    let text = screen.text();
    assert!(line(&text, 1).contains("4 Talk") && line(&text, 1).contains("errno:ECONNREFUSED  1 of"), "{text}");
}
