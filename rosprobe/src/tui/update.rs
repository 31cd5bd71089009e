//! What each message does to the state. No I/O, no clock: what is to be done outside is given back as effects.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;

use super::follow::{FEW_LINKS, FOLLOW_EVERY};
use super::message::{Effect, Export, ExportError, Message, Statistics};
use super::state::{App, Held, Mode, Rows};
use super::view::ViewKind;
use crate::event::Monotonic;
use crate::observation::Observation;
use crate::session::Session;
use crate::trace::Opened;

impl App {
    /// Takes in a message; says what is to be done outside.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Terminal(event) => return self.terminal(event),
            Message::Observations(observations) => self.receive(observations),
            Message::Advance(now) => self.advance(now),
            // Whole events a second are what is shown.
            Message::Statistics(Statistics { events_per_second, lost }) => {
                let shown = Statistics { events_per_second: events_per_second.round(), lost };
                self.set(|app| &mut app.statistics, shown);
            }
            Message::Progress(progress) => self.set(|app| &mut app.progress, Some(progress)),
            // A tenth of a megabyte is what is shown.
            Message::Memory(bytes) => self.set(|app| &mut app.memory, bytes / 100_000 * 100_000),
            Message::Opened(opened) => self.opened(*opened),
            Message::OpenFailed(_) => return vec![Effect::Quit],
            Message::TraceWanted => return vec![Effect::ExportUnnamed],
            Message::Exported(result) => self.exported(result),
            Message::Notice(text) => self.set(|app| &mut app.notice, Some(text)),
            Message::Quit => {
                self.thaw();
                return vec![Effect::Quit];
            }
        }
        Vec::new()
    }

    fn set<T: PartialEq>(&mut self, place: impl Fn(&mut Self) -> &mut T, value: T) {
        let place = place(self);
        if *place != value {
            *place = value;
            self.changed = true;
        }
    }

    // What comes from the capture.

    fn receive(&mut self, observations: Vec<Observation>) {
        if observations.is_empty() {
            return;
        }
        self.changed = true;
        if let Some(held) = &mut self.held {
            held.observations.extend(observations);
            if held.count() >= Session::HISTORY_LIMIT {
                let waited = held.count();
                self.thaw();
                self.notice = Some(format!("the screen goes on: {waited} observations came in, no more are held back"));
            }
            return;
        }
        self.fall_behind();
        for observation in observations {
            self.scene.observe(observation);
        }
    }

    /// Rows that follow what comes in; those that a person asked for are made anyway.
    fn fall_behind(&mut self) {
        self.changed = true;
        match self.rows {
            Rows::Fresh => self.rows = Rows::Behind,
            Rows::Part => self.prepared.interrupted = true,
            Rows::Behind | Rows::Stale => {}
        }
    }

    fn advance(&mut self, now: Monotonic) {
        if let Some(held) = &mut self.held {
            held.now = held.now.max(now);
            return;
        }
        let findings_before = self.scene.diagnoses();
        // Making findings of many links takes a good part of a frame: it has its turn a few times a second.
        if self.prepared.counts.total() <= FEW_LINKS || now.since(self.scene.advanced()) >= FOLLOW_EVERY {
            self.scene.advance(now);
        } else {
            self.scene.pass(now);
        }
        let second = now.0 / 1_000_000_000;
        // Ages are shown in seconds; rows that were put off are due now.
        if second != self.drawn_second || findings_before != self.scene.diagnoses() || self.rows != Rows::Fresh {
            self.drawn_second = second;
            self.fall_behind();
        }
    }

    fn opened(&mut self, opened: Opened) {
        self.progress = None;
        self.held = None;
        self.notice = (!opened.missing.is_empty()).then(|| opened.missing.join(" "));
        self.file_mode = opened.meta.capture_mode.unwrap_or_default();
        self.scene.adopt(opened.session);
        // A file with nothing but findings, such as two domains that never meet, opens where there is something to see.
        if self.view == ViewKind::Links
            && self.scene.graph().links().next().is_none()
            && !self.session().findings().is_empty()
        {
            self.show(ViewKind::Findings);
        }
        self.refill();
    }

    fn exported(&mut self, result: Result<Export, ExportError>) {
        self.changed = true;
        match result {
            Ok(export) => {
                let held = match self.held.as_ref().map_or(0, Held::count) {
                    0 => String::new(),
                    count => format!(", with {count} that came in since the screen was frozen"),
                };
                let forgotten = match export.forgotten {
                    0 => String::new(),
                    count => format!("; {count} older ones were no longer kept (watch --record keeps all)"),
                };
                self.notice = Some(format!(
                    "{} observations written to {}{held}{forgotten}",
                    export.observations,
                    export.path.display()
                ));
            }
            Err(ExportError::Exists(path)) => self.mode = Mode::Overwrite(path),
            Err(ExportError::Failed(reason)) => self.notice = Some(reason),
        }
    }

    // What comes from the person.

    fn terminal(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                self.changed = true;
                self.notice = None;
                // Escape and the key after it come as one when the terminal is far away or busy, and cannot be told from Alt and that key.
                let (alt, plain) = (key.modifiers.contains(KeyModifiers::ALT), key.modifiers - KeyModifiers::ALT);
                let mut effects = if alt { self.key(KeyCode::Esc.into()) } else { Vec::new() };
                effects.extend(self.key(KeyEvent { modifiers: plain, ..key }));
                effects
            }
            Event::Paste(text) => {
                self.changed = true;
                self.typed(&text);
                Vec::new()
            }
            Event::Mouse(mouse) => {
                self.mouse(mouse);
                Vec::new()
            }
            Event::Resize(width, height) => {
                self.size = Size { width, height };
                self.changed = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(action) = self.scope().action(key) {
            return self.act(action);
        }
        if let (KeyCode::Char(character), false) = (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            self.typed(character.encode_utf8(&mut [0; 4]));
        }
        Vec::new()
    }

    fn typed(&mut self, text: &str) {
        match &mut self.mode {
            Mode::Filter(_) => {
                self.input.insert(text);
                self.refilter();
            }
            Mode::ExportName(name) => name.insert(text),
            _ => {}
        }
    }
}
