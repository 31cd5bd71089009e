//! What each action does, where the screen is now.

use std::path::Path;

use super::detail::finding_text;
use super::input::Input;
use super::keys::Action;
use super::listing::RowKey;
use super::message::{Effect, Source};
use super::state::{App, Held, Mode, Pane, Rows};
use super::{findings, help, rows};

impl App {
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        match &self.mode {
            Mode::Screen => self.on_screen(action),
            Mode::Filter(before) => {
                let before = before.clone();
                self.on_filter(action, &before);
                Vec::new()
            }
            Mode::ExportName(name) => {
                let name = name.clone();
                self.on_export_name(action, name)
            }
            Mode::Overwrite(path) => {
                let path = path.clone();
                self.mode = Mode::Screen;
                if action == Action::Yes {
                    return vec![Effect::Export { path, overwrite: true }];
                }
                self.notice = Some(format!("nothing was written: {} is as it was", path.display()));
                Vec::new()
            }
            Mode::Help(scrolled) => {
                let scrolled = *scrolled;
                self.on_help(action, scrolled)
            }
        }
    }

    fn on_screen(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Show(view) => self.show(view),
            Action::NextView => self.show(self.view.stepped(true, self.has_ros2())),
            Action::PreviousView => self.show(self.view.stepped(false, self.has_ros2())),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-self.page_height()),
            Action::PageDown => self.step(self.page_height()),
            Action::Top => self.step(isize::MIN / 2),
            Action::Bottom => self.bottom(),
            Action::SwitchPane => {
                self.pane = if self.pane == Pane::List { Pane::Detail } else { Pane::List };
            }
            Action::Open => self.open(),
            Action::Back => return self.back(),
            Action::Filter => self.mode = Mode::Filter(self.input.text().to_owned()),
            Action::ToggleFailures => {
                self.selection.failures = !self.selection.failures;
                self.refill();
            }
            Action::SortNext => self.sort(self.list().sort().column + 1),
            Action::SortReverse => self.sort(self.list().sort().column),
            Action::ToggleRaw => {
                self.raw = !self.raw;
                self.rows = Rows::Stale;
            }
            Action::Export => self.mode = Mode::ExportName(Input::new(self.default_name())),
            Action::Copy => return self.copy(),
            Action::Freeze => self.freeze(),
            Action::Help => self.mode = Mode::Help(0),
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Quit => {
                self.thaw();
                return vec![Effect::Quit];
            }
            _ => {}
        }
        Vec::new()
    }

    fn page_height(&self) -> isize {
        let areas = self.areas();
        let height = areas.map_or(1, |areas| if self.pane == Pane::List { areas.rows } else { areas.detail.height });
        isize::from(i16::try_from(height).unwrap_or(i16::MAX)).max(1)
    }

    /// Enter on a link, host or process that leads somewhere opens its detail on the whole screen.
    fn open(&mut self) {
        if self.list().key().is_some() {
            self.pane = if self.pane == Pane::Whole { Pane::List } else { Pane::Whole };
            self.scroll = 0;
        }
    }

    fn back(&mut self) -> Vec<Effect> {
        if self.progress.is_some() {
            return vec![Effect::StopReading];
        }
        if self.pane != Pane::List {
            self.pane = Pane::List;
            self.scroll = 0;
        } else if !self.input.text().is_empty() {
            self.input = Input::default();
            self.refilter();
        } else if self.selection.failures {
            self.selection.failures = false;
            self.refill();
        }
        Vec::new()
    }

    fn on_filter(&mut self, action: Action, before: &str) {
        match action {
            // What makes no sense is not taken: its error stays where it is typed.
            Action::Accept if self.filter_error.is_some() => {}
            Action::Accept => self.mode = Mode::Screen,
            Action::Cancel => {
                self.mode = Mode::Screen;
                self.input = Input::new(before);
                self.refilter();
            }
            Action::Up => self.list_mut().step(-1),
            Action::Down => self.list_mut().step(1),
            editing => {
                if self.input.edit(editing) {
                    self.refilter();
                }
            }
        }
    }

    fn on_export_name(&mut self, action: Action, mut name: Input) -> Vec<Effect> {
        match action {
            Action::Accept if name.text().trim().is_empty() => {
                self.notice = Some("a trace needs a name: type one, or Esc to drop it".to_owned());
            }
            Action::Accept => {
                self.mode = Mode::Screen;
                self.notice = Some("writing …".to_owned());
                return vec![Effect::Export { path: Path::new(name.text().trim()).to_owned(), overwrite: false }];
            }
            Action::Cancel => self.mode = Mode::Screen,
            editing => {
                name.edit(editing);
                self.mode = Mode::ExportName(name);
            }
        }
        Vec::new()
    }

    fn on_help(&mut self, action: Action, scrolled: usize) -> Vec<Effect> {
        let page = usize::from(self.size.height.saturating_sub(2));
        let furthest = help::lines(self).len().saturating_sub(page);
        self.mode = match action {
            Action::Up => Mode::Help(scrolled.saturating_sub(1)),
            Action::Down => Mode::Help((scrolled + 1).min(furthest)),
            Action::PageUp => Mode::Help(scrolled.saturating_sub(page)),
            Action::PageDown => Mode::Help((scrolled + page).min(furthest)),
            Action::Top => Mode::Help(0),
            Action::Bottom => Mode::Help(furthest),
            Action::Quit => {
                self.thaw();
                return vec![Effect::Quit];
            }
            _ => Mode::Screen,
        };
        Vec::new()
    }

    pub(super) fn sort(&mut self, column: usize) {
        let columns = rows::columns(self.view).len();
        self.list_mut().sort_by(column % columns);
        self.refill();
    }

    pub(super) fn select_row(&mut self, row: usize) {
        self.pane = Pane::List;
        self.scroll = 0;
        self.list_mut().select(row);
        self.changed = true;
    }

    pub(super) fn wheel(&mut self, rows: isize, on_detail: bool) {
        let before = self.pane;
        if on_detail && before == Pane::List {
            self.pane = Pane::Detail;
        } else if !on_detail && before == Pane::Detail {
            self.pane = Pane::List;
        }
        self.step(rows);
        self.pane = before;
        self.changed = true;
    }

    fn freeze(&mut self) {
        if self.held.is_some() {
            self.thaw();
        } else if matches!(self.options.source, Source::Live { .. }) || self.progress.is_some() {
            self.held = Some(Held::default());
        } else {
            self.notice = Some("a file that is read does not move: there is nothing to hold".to_owned());
        }
    }

    fn copy(&mut self) -> Vec<Effect> {
        let session = self.scene.session();
        let finding = match self.list().key() {
            Some(RowKey::Finding(id)) => session.findings().iter().find(|finding| finding.id == *id),
            Some(RowKey::Link(id)) => {
                self.scene.graph().link(*id).and_then(|link| findings::of_link(&self.scene, link).first().copied())
            }
            _ => None,
        };
        let Some(finding) = finding else {
            self.notice = Some("no finding is selected: y copies one from Links or Findings".to_owned());
            return Vec::new();
        };
        let text = finding_text(finding);
        self.notice = Some("the finding was handed to the terminal's clipboard (OSC 52)".to_owned());
        vec![Effect::Copy(text)]
    }

    /// A name for the trace: by the moment of its last observation, so that two of them differ.
    fn default_name(&self) -> String {
        let last = self.session().history().back().map(|observation| observation.time);
        let zoned = last.map(|time| time.to_zoned(self.options.zone.clone()));
        zoned
            .map_or_else(|| "rosprobe.json".to_owned(), |time| time.strftime("rosprobe-%Y%m%d-%H%M%S.json").to_string())
    }
}
