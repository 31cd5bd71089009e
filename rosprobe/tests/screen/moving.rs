//! Moving about with keys and the mouse: lists, their order, the detail, help.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{Effect, Message};

use super::script::{self, Script};
use super::{Screen, line};

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

#[test]
fn topics_are_sorted_by_what_their_column_says() {
    let mut screen = Screen::of_file("trace/no-route.json.gz", 120, 40);
    screen.act(&[Action::SortNext]);
    let text = screen.text();
    let at = |words: &str| text.lines().position(|line| line.contains(words)).unwrap();
    assert!(at(" /camera/image ") < at(" /rosout ") && at(" /rosout ") < at(" to master "), "{text}");
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
