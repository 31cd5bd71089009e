//! The screen, driven as a person drives it: keys taken from the key table, the state machine, and what it draws.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod export;
mod filter;
mod first_sight;
mod incoming;
mod moving;
mod script;
mod views;

use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use rosprobe::event::Monotonic;
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{App, Effect, Message, Options, Source, Theme, draw};

use self::script::Script;

/// A line of what is drawn, counted from 0.
fn line(text: &str, number: usize) -> &str {
    text.lines().nth(number).unwrap_or_default()
}

/// A screen with the state behind it.
pub(crate) struct Screen {
    app: App,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    /// A live screen on which nothing was seen so far.
    fn live(width: u16, height: u16) -> Self {
        let source = Source::Live { what: "this machine".to_owned(), mode: "sock mode".to_owned() };
        Self::new(width, height, source, Theme::Dark)
    }

    fn new(width: u16, height: u16, source: Source, theme: Theme) -> Self {
        let options = Options { source, filter: String::new(), failures: false, theme, zone: jiff::tz::TimeZone::UTC };
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        Self { app: App::new(options, Size { width, height }), terminal }
    }

    /// A live screen on which this was seen, a second ago.
    fn of(script: Script, width: u16, height: u16) -> Self {
        let mut screen = Self::live(width, height);
        screen.tell(script);
        screen
    }

    /// The screen of a file among the fixtures.
    fn of_file(name: &str, width: u16, height: u16) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let shown = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut screen = Self::new(width, height, Source::File(shown), Theme::Dark);
        let opened = rosprobe::trace::open(&path, &mut |_| ()).unwrap();
        screen.app.update(Message::Opened(Box::new(opened)));
        screen.prepare();
        screen
    }

    fn tell(&mut self, script: Script) {
        let now = script.now + 1_000_000_000;
        self.app.update(Message::Observations(script.observations));
        self.app.update(Message::Advance(Monotonic(now)));
        self.prepare();
    }

    /// Presses the first key that the table names for an action where the screen is now.
    fn press(&mut self, scope: Scope, action: Action) -> Vec<Effect> {
        let key = scope.key(action).unwrap_or_else(|| panic!("no key for {action:?}"));
        let effects = self.app.update(Message::Terminal(Event::Key(key.event())));
        self.prepare();
        effects
    }

    /// Presses keys of the screen itself.
    fn act(&mut self, actions: &[Action]) -> &mut Self {
        for action in actions {
            self.press(Scope::Screen, *action);
        }
        self
    }

    /// Types text.
    fn types(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            let key = KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE);
            self.app.update(Message::Terminal(Event::Key(key)));
        }
        self
    }

    /// What is drawn, as text.
    fn text(&mut self) -> String {
        let buffer = self.buffer();
        let mut lines = Vec::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap().max(1);
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }

    fn buffer(&mut self) -> ratatui::buffer::Buffer {
        self.prepare();
        let app = &self.app;
        // The test backend keeps what stood behind the second half of a wide character; a terminal does not.
        self.terminal.clear().unwrap();
        self.terminal.draw(|frame| draw(app, frame)).unwrap();
        self.terminal.backend().buffer().clone()
    }

    /// What the runner does between two pictures. More than one round: a long list is looked through in parts.
    fn prepare(&mut self) {
        for _ in 0..1000 {
            if self.app.changed() {
                self.app.prepare();
            }
        }
    }
}
