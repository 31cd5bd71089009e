//! The one table of keys: dispatch, the hints at the foot, the help page and the documentation are made from it.

use std::fmt;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::view::ViewKind;

/// Everything that a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Show a view.
    Show(ViewKind),
    /// Show the view to the right in the bar.
    NextView,
    /// Show the view to the left in the bar.
    PreviousView,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// First row.
    Top,
    /// Last row.
    Bottom,
    /// Between list and detail.
    SwitchPane,
    /// Detail on the whole screen.
    Open,
    /// One step back: close the detail, drop the filter, stop the reading of a file.
    Back,
    /// Type a filter.
    Filter,
    /// Failures only, or everything.
    ToggleFailures,
    /// Sort by the next column.
    SortNext,
    /// Turn the order round.
    SortReverse,
    /// Requests and answers raw, or as a tree.
    ToggleRaw,
    /// Write a trace file.
    Export,
    /// Copy the finding.
    Copy,
    /// Hold the screen still.
    Freeze,
    /// Show all keys.
    Help,
    /// Stop in the background.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Leave.
    Quit,
    /// Take what was typed.
    Accept,
    /// Drop what was typed.
    Cancel,
    /// Delete the character before the cursor.
    Erase,
    /// Delete the word before the cursor.
    EraseWord,
    /// Delete the line.
    EraseLine,
    /// One character to the left.
    CursorLeft,
    /// One character to the right.
    CursorRight,
    /// Start of the line.
    CursorStart,
    /// End of the line.
    CursorEnd,
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Lists and details.
    Screen,
    /// A line is being typed: the filter, or the name of a file.
    Line,
    /// A question with yes and no.
    Question,
    /// The help page.
    Help,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    control: bool,
}

impl Key {
    /// A character.
    pub const fn character(character: char) -> Self {
        Self { code: KeyCode::Char(character), control: false }
    }

    /// A character with Ctrl.
    pub const fn control(character: char) -> Self {
        Self { code: KeyCode::Char(character), control: true }
    }

    /// A key that is no character.
    pub const fn named(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    /// The terminal's event for this key.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE })
    }

    fn matches(self, event: KeyEvent) -> bool {
        // Shift is part of the character itself; Alt is nobody's.
        event.code == self.code
            && event.modifiers.contains(KeyModifiers::CONTROL) == self.control
            && !event.modifiers.contains(KeyModifiers::ALT)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            f.write_str("Ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(character) if self.control => write!(f, "{}", character.to_ascii_uppercase()),
            KeyCode::Char(character) => write!(f, "{character}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::Backspace => f.write_str("Backspace"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::F(number) => write!(f, "F{number}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub action: Action,
    /// Where.
    pub scope: Scope,
    /// The keys that do it, the one to learn first.
    pub keys: &'static [Key],
    /// The word at the foot of the screen; empty for keys that are not shown there.
    pub hint: &'static str,
    /// What it does, for the help page.
    pub help: &'static str,
}

const fn bind(scope: Scope, action: Action, keys: &'static [Key], hint: &'static str, help: &'static str) -> Binding {
    Binding { action, scope, keys, hint, help }
}

const fn c(character: char) -> Key {
    Key::character(character)
}

const fn n(code: KeyCode) -> Key {
    Key::named(code)
}

const ENTER: Key = n(KeyCode::Enter);
const ESC: Key = n(KeyCode::Esc);

/// All keys, in the order of the help page.
pub const BINDINGS: &[Binding] = {
    use Scope::{Help, Line, Question, Screen};
    &[
        bind(
            Screen,
            Action::Filter,
            &[c('/')],
            "filter",
            "filter as you type: text, glob *, re:…, pid: comm: node: addr: errno: failed; terms apart by spaces must all hold",
        ),
        bind(Screen, Action::ToggleFailures, &[c('f')], "failing", "failures only, or everything"),
        bind(Screen, Action::Open, &[ENTER], "detail", "detail on the whole screen"),
        bind(Screen, Action::Export, &[c('e')], "export", "write everything that is kept to a trace file"),
        bind(Screen, Action::Copy, &[c('y')], "copy", "copy the finding to the clipboard (OSC 52)"),
        bind(Screen, Action::Freeze, &[c('p')], "freeze", "hold the screen still while the capture goes on"),
        bind(Screen, Action::Help, &[c('?'), n(KeyCode::F(1))], "help", "this page"),
        bind(Screen, Action::Quit, &[c('q'), Key::control('c')], "quit", "leave"),
        bind(Screen, Action::Show(ViewKind::Links), &[c('1')], "", "view: links, failing first"),
        bind(Screen, Action::Show(ViewKind::Processes), &[c('2')], "", "view: processes, their environment and links"),
        bind(Screen, Action::Show(ViewKind::Hosts), &[c('3')], "", "view: advertised hosts, and who could reach them"),
        bind(Screen, Action::Show(ViewKind::Conversation), &[c('4')], "", "view: the decoded conversation in order"),
        bind(Screen, Action::Show(ViewKind::Findings), &[c('5')], "", "view: findings, worst first"),
        bind(
            Screen,
            Action::Show(ViewKind::Domains),
            &[c('6')],
            "",
            "view: domains of ROS 2 (6 to 8 are in the bar once something of ROS 2 was seen)",
        ),
        bind(
            Screen,
            Action::Show(ViewKind::Participants),
            &[c('7')],
            "",
            "view: participants of ROS 2, their addresses, who knows whom",
        ),
        bind(
            Screen,
            Action::Show(ViewKind::Endpoints),
            &[c('8')],
            "",
            "view: writers and readers of ROS 2, their QoS and matches",
        ),
        bind(Screen, Action::NextView, &[n(KeyCode::Right), c('l')], "", "next view"),
        bind(Screen, Action::PreviousView, &[n(KeyCode::Left), c('h')], "", "previous view"),
        bind(Screen, Action::Up, &[n(KeyCode::Up), c('k')], "", "one row up"),
        bind(Screen, Action::Down, &[n(KeyCode::Down), c('j')], "", "one row down"),
        bind(Screen, Action::PageUp, &[n(KeyCode::PageUp), Key::control('b')], "", "one page up"),
        bind(Screen, Action::PageDown, &[n(KeyCode::PageDown), Key::control('f'), c(' ')], "", "one page down"),
        bind(Screen, Action::Top, &[n(KeyCode::Home), c('g')], "", "first row"),
        bind(
            Screen,
            Action::Bottom,
            &[n(KeyCode::End), c('G')],
            "",
            "last row; the conversation then follows what comes in",
        ),
        bind(Screen, Action::SwitchPane, &[n(KeyCode::Tab), n(KeyCode::BackTab)], "", "between list and detail"),
        bind(Screen, Action::Back, &[ESC], "", "back: close the detail, drop the filter, stop reading a file"),
        bind(Screen, Action::SortNext, &[c('s')], "", "sort by the next column (or click on its title)"),
        bind(Screen, Action::SortReverse, &[c('S')], "", "turn the order round"),
        bind(Screen, Action::ToggleRaw, &[c('r')], "", "requests and answers raw, or decoded as a tree"),
        bind(Screen, Action::Redraw, &[Key::control('l')], "", "draw the screen again"),
        bind(Screen, Action::Suspend, &[Key::control('z')], "", "stop in the background; fg brings it back"),
        bind(Line, Action::Accept, &[ENTER], "take", "take what was typed"),
        bind(Line, Action::Cancel, &[ESC, Key::control('c')], "drop", "drop what was typed"),
        bind(
            Line,
            Action::Erase,
            &[n(KeyCode::Backspace), Key::control('h')],
            "",
            "delete the character before the cursor",
        ),
        bind(Line, Action::EraseWord, &[Key::control('w')], "", "delete the word before the cursor"),
        bind(Line, Action::EraseLine, &[Key::control('u')], "clear", "delete the whole line"),
        bind(Line, Action::CursorLeft, &[n(KeyCode::Left)], "", "one character to the left"),
        bind(Line, Action::CursorRight, &[n(KeyCode::Right)], "", "one character to the right"),
        bind(Line, Action::CursorStart, &[n(KeyCode::Home), Key::control('a')], "", "start of the line"),
        bind(Line, Action::CursorEnd, &[n(KeyCode::End), Key::control('e')], "", "end of the line"),
        bind(Line, Action::Up, &[n(KeyCode::Up)], "", "one row up in the list"),
        bind(Line, Action::Down, &[n(KeyCode::Down)], "", "one row down in the list"),
        bind(Question, Action::Yes, &[c('y')], "yes", "yes"),
        bind(Question, Action::No, &[c('n'), ESC, Key::control('c')], "no", "no"),
        bind(Help, Action::Back, &[ESC, c('?'), n(KeyCode::F(1)), c('q'), ENTER], "back", "back to the screen"),
        bind(Help, Action::Up, &[n(KeyCode::Up), c('k')], "up", "one row up"),
        bind(Help, Action::Down, &[n(KeyCode::Down), c('j')], "down", "one row down"),
        bind(Help, Action::PageUp, &[n(KeyCode::PageUp), Key::control('b')], "", "one page up"),
        bind(Help, Action::PageDown, &[n(KeyCode::PageDown), Key::control('f'), c(' ')], "page", "one page down"),
        bind(Help, Action::Top, &[n(KeyCode::Home), c('g')], "", "first row"),
        bind(Help, Action::Bottom, &[n(KeyCode::End), c('G')], "", "last row"),
        bind(Help, Action::Quit, &[Key::control('c')], "", "leave"),
    ]
};

impl Scope {
    /// The scopes with their headings, in the order of the help page.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Screen, "On the screen"),
        (Self::Line, "While a line is typed"),
        (Self::Question, "At a question"),
        (Self::Help, "On the help page"),
    ];

    /// The bindings that hold here.
    pub fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        BINDINGS.iter().filter(move |binding| binding.scope == self)
    }

    /// What a key does here.
    pub fn action(self, event: KeyEvent) -> Option<Action> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        self.bindings().find(|binding| binding.keys.iter().any(|key| key.matches(event))).map(|binding| binding.action)
    }

    /// The first key for an action.
    pub fn key(self, action: Action) -> Option<Key> {
        self.bindings().find(|binding| binding.action == action).and_then(|binding| binding.keys.first().copied())
    }
}

/// What the mouse does, for help and documentation.
pub const MOUSE: &[(&str, &str)] = &[
    ("wheel", "move in the list, or scroll the detail under the pointer"),
    ("click", "select a row, a view, or sort by the column whose title is clicked"),
    ("Shift-drag", "select text (the terminal's own selection)"),
];

/// Names of a binding's keys, as people read them.
pub fn names(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The documentation's page of keys, in Markdown.
pub fn markdown() -> String {
    use std::fmt::Write as _;

    let mut page = String::from("# Keys\n\nMade from the table in `rosprobe/src/tui/keys.rs`.\n");
    let cell = |text: &str| text.replace('|', "\\|").replace('*', "\\*");
    let mut section = |heading: &str, rows: Vec<(String, &str)>| {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {heading}\n\n| key | what it does |\n|---|---|\n");
        for (keys, help) in rows {
            let _ = writeln!(page, "| {} | {} |", cell(&keys), cell(help));
        }
    };
    for (scope, heading) in Scope::ALL {
        section(heading, scope.bindings().map(|binding| (names(binding.keys), binding.help)).collect());
    }
    section("With the mouse", MOUSE.iter().map(|(what, help)| ((*what).to_owned(), *help)).collect());
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_means_two_things_at_one_place() {
        let mut seen = HashSet::new();
        for binding in BINDINGS {
            assert!(!binding.keys.is_empty() && !binding.help.is_empty(), "{binding:?}");
            for key in binding.keys {
                assert!(seen.insert((binding.scope, *key)), "{key} is bound twice in {:?}", binding.scope);
            }
        }
    }

    #[test]
    fn every_key_of_the_table_does_what_the_table_says() {
        for binding in BINDINGS {
            for key in binding.keys {
                assert_eq!(binding.scope.action(key.event()), Some(binding.action), "{key}");
            }
        }
    }

    #[test]
    fn shift_is_part_of_the_character_and_alt_is_nobodys() {
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(Scope::Screen.action(shifted), Some(Action::Bottom));
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(Scope::Screen.action(alt), None);
        let released = KeyEvent { kind: KeyEventKind::Release, ..Key::character('q').event() };
        assert_eq!(Scope::Screen.action(released), None);
    }

    /// The page is committed; `UPDATE_DOCS=1 cargo test -p rosprobe keys` writes it.
    #[test]
    fn the_page_of_keys_is_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(committed, markdown(), "docs/keys.md differs: UPDATE_DOCS=1 cargo test -p rosprobe keys writes it");
    }
}
