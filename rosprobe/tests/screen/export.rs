//! What leaves the screen: traces and the clipboard.

use std::path::PathBuf;

use rosprobe::event::Monotonic;
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{Effect, Export, ExportError, Message, ViewKind};

use super::script;
use super::{Screen, line};

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
