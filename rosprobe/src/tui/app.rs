//! The state, and what each message does to it. No I/O, no clock: what is to be done outside is given back as effects.

use std::path::{Path, PathBuf};

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::Line;

use super::hosts::{self, Hosts};
use super::input::Input;
use super::keys::{Action, Scope};
use super::listing::{Listing, RowKey, Sort};
use super::message::{Effect, Export, ExportError, Message, Options, Progress, Source, Statistics};
use super::processes::{self, Tally};
use super::scene::Scene;
use super::screen::{self, Areas};
use super::selection::Selection;
use super::{conversation, detail, findings, links};
use crate::event::Monotonic;
use crate::filter::Filter;
use crate::observation::{Observation, ObservationId};
use crate::session::Session;
use crate::trace::Opened;

/// Observations that are looked through for one frame: what a slow machine does in a part of one.
const LOOKED_THROUGH: usize = 20_000;

/// The views, in the order of the bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ViewKind {
    /// Links, failing first.
    #[default]
    Links,
    /// Processes with their environment.
    Processes,
    /// Advertised hosts and who reached them.
    Hosts,
    /// The decoded conversation.
    Conversation,
    /// Findings, worst first.
    Findings,
}

impl ViewKind {
    /// All views with their names, in the order of the bar.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Links, "Links"),
        (Self::Processes, "Processes"),
        (Self::Hosts, "Hosts"),
        (Self::Conversation, "Conversation"),
        (Self::Findings, "Findings"),
    ];

    fn stepped(self, forward: bool) -> Self {
        let count = Self::ALL.len();
        let step = if forward { 1 } else { count - 1 };
        Self::ALL[(self as usize + step) % count].0
    }
}

/// What keys go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Lists and details.
    #[default]
    Screen,
    /// The filter is being typed; the text is what it was before.
    Filter(String),
    /// The name of the trace is being typed.
    ExportName(Input),
    /// Asked whether to lose the file that is there.
    Overwrite(PathBuf),
    /// The help page, scrolled by so many lines.
    Help(usize),
}

/// Which half of the screen keys go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The list.
    #[default]
    List,
    /// The detail under it.
    Detail,
    /// The detail on the whole screen.
    Whole,
}

/// What came in while the screen was held still.
#[derive(Debug, Default)]
pub struct Held {
    observations: Vec<Observation>,
    now: Monotonic,
}

impl Held {
    /// How many observations wait.
    pub fn count(&self) -> usize {
        self.observations.len()
    }
}

/// Rows, pages and what they were made from; made anew when that changed.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) hosts: Hosts,
    pub(super) tally: Tally,
    pub(super) page: Vec<Line<'static>>,
    page_of: Option<(RowKey, usize, bool)>,
    /// The newest observation that the conversation was looked through to.
    told: Option<ObservationId>,
}

/// The whole state of the screen.
#[derive(Debug)]
pub struct App {
    pub(super) options: Options,
    pub(super) scene: Scene,
    pub(super) selection: Selection,
    pub(super) input: Input,
    pub(super) filter_error: Option<String>,
    pub(super) view: ViewKind,
    pub(super) mode: Mode,
    pub(super) pane: Pane,
    pub(super) scroll: usize,
    pub(super) raw: bool,
    pub(super) held: Option<Held>,
    pub(super) statistics: Statistics,
    pub(super) memory: u64,
    /// How the file was recorded, short; empty when it does not say.
    pub(super) file_mode: String,
    pub(super) progress: Option<Progress>,
    pub(super) notice: Option<String>,
    pub(super) prepared: Prepared,
    pub(super) size: Size,
    lists: [Listing; 5],
    /// Rows must be made anew.
    stale: bool,
    /// The screen differs from what was drawn.
    changed: bool,
    drawn_second: u64,
}

impl App {
    /// A screen of this size with nothing on it so far.
    pub fn new(options: Options, size: Size) -> Self {
        let reading = matches!(options.source, Source::File(_));
        let mut app = Self {
            scene: Scene::new(options.zone.clone()),
            selection: Selection { failures: options.failures, ..Selection::default() },
            input: Input::new(options.filter.clone()),
            filter_error: None,
            view: ViewKind::default(),
            mode: Mode::default(),
            pane: Pane::default(),
            scroll: 0,
            raw: false,
            held: None,
            statistics: Statistics::default(),
            memory: 0,
            file_mode: String::new(),
            progress: reading.then(Progress::default),
            notice: None,
            prepared: Prepared::default(),
            size,
            lists: Default::default(),
            stale: true,
            changed: true,
            drawn_second: 0,
            options,
        };
        app.lists[ViewKind::Conversation as usize] = Listing::following();
        app.refilter();
        app
    }

    /// Takes in a message; says what is to be done outside.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Terminal(event) => return self.terminal(event),
            Message::Observations(observations) => self.receive(observations),
            Message::Advance(now) => self.advance(now),
            Message::Statistics(statistics) => self.set(|app| &mut app.statistics, statistics),
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

    /// True when something on the screen changed since `prepare` was last called.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The session, with everything that came in.
    pub fn into_session(mut self) -> Session {
        self.thaw();
        if !self.scene.behind().is_zero() {
            self.scene.advance(Monotonic(0));
        }
        self.scene.into_session()
    }

    /// The session as the screen shows it.
    pub fn session(&self) -> &Session {
        self.scene.session()
    }

    pub(super) fn list(&self) -> &Listing {
        &self.lists[self.view as usize]
    }

    fn list_mut(&mut self) -> &mut Listing {
        &mut self.lists[self.view as usize]
    }

    pub(super) fn areas(&self) -> Option<Areas> {
        screen::areas(self.size, self.list().keys().len(), self.pane == Pane::Whole)
    }

    pub(super) fn scope(&self) -> Scope {
        match self.mode {
            Mode::Screen => Scope::Screen,
            Mode::Filter(_) | Mode::ExportName(_) => Scope::Line,
            Mode::Overwrite(_) => Scope::Question,
            Mode::Help(_) => Scope::Help,
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
        self.stale = true;
        for observation in observations {
            self.scene.observe(observation);
        }
    }

    fn advance(&mut self, now: Monotonic) {
        if let Some(held) = &mut self.held {
            held.now = held.now.max(now);
            return;
        }
        let findings_before: Vec<(String, u64)> = self.finding_counts();
        self.scene.advance(now);
        let second = now.0 / 1_000_000_000;
        if second != self.drawn_second || findings_before != self.finding_counts() {
            self.drawn_second = second;
            self.stale = true;
            self.changed = true;
        }
    }

    fn finding_counts(&self) -> Vec<(String, u64)> {
        self.session().findings().iter().map(|finding| (finding.id.clone(), finding.count)).collect()
    }

    fn opened(&mut self, opened: Opened) {
        self.progress = None;
        self.held = None;
        self.notice = (!opened.missing.is_empty()).then(|| opened.missing.join(" "));
        self.file_mode = opened.meta.capture_mode.unwrap_or_default();
        self.scene.adopt(opened.session);
        self.refill();
    }

    fn thaw(&mut self) {
        let Some(held) = self.held.take() else { return };
        for observation in held.observations {
            self.scene.observe(observation);
        }
        self.scene.advance(held.now);
        self.stale = true;
        self.changed = true;
    }

    fn exported(&mut self, result: Result<Export, ExportError>) {
        self.changed = true;
        match result {
            Ok(export) => {
                let forgotten = match self.session().forgotten() {
                    0 => String::new(),
                    count => format!("; {count} older ones were no longer kept (watch --record keeps all)"),
                };
                self.notice = Some(format!(
                    "{} observations written to {}{forgotten}",
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
                self.key(key)
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

    fn act(&mut self, action: Action) -> Vec<Effect> {
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
            Action::NextView => self.show(self.view.stepped(true)),
            Action::PreviousView => self.show(self.view.stepped(false)),
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
                self.stale = true;
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

    fn show(&mut self, view: ViewKind) {
        if self.view != view {
            self.view = view;
            self.scroll = 0;
            self.pane = Pane::List;
            self.refill();
        }
    }

    fn page_height(&self) -> isize {
        let areas = self.areas();
        let height = areas.map_or(1, |areas| if self.pane == Pane::List { areas.rows } else { areas.detail.height });
        isize::from(i16::try_from(height).unwrap_or(i16::MAX)).max(1)
    }

    fn step(&mut self, rows: isize) {
        if self.pane == Pane::List {
            self.list_mut().step(rows);
            self.scroll = 0;
        } else {
            self.scroll = self.scroll.min(self.furthest_scroll()).saturating_add_signed(rows);
        }
    }

    fn bottom(&mut self) {
        if self.pane != Pane::List {
            // Where that is depends on the page, which may be made anew before it is drawn.
            self.scroll = usize::MAX;
        } else if self.view == ViewKind::Conversation {
            self.list_mut().select_last();
            self.scroll = 0;
        } else {
            self.step(isize::MAX / 2);
        }
    }

    fn furthest_scroll(&self) -> usize {
        let height = self.areas().map_or(0, |areas| usize::from(areas.detail.height));
        self.prepared.page.len().saturating_sub(height)
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
        let furthest = super::help::lines(self).len().saturating_sub(usize::from(self.size.height.saturating_sub(2)));
        self.mode = match action {
            Action::Up => Mode::Help(scrolled.saturating_sub(1)),
            Action::Down => Mode::Help((scrolled + 1).min(furthest)),
            Action::Quit => {
                self.thaw();
                return vec![Effect::Quit];
            }
            _ => Mode::Screen,
        };
        Vec::new()
    }

    fn sort(&mut self, column: usize) {
        let columns = self.columns().len();
        self.list_mut().sort_by(column % columns);
        self.refill();
    }

    /// Sorts by a column whose title was clicked.
    pub(super) fn sort_by_title(&mut self, column: usize) {
        self.sort(column);
    }

    pub(super) fn select_row(&mut self, row: usize) {
        self.pane = Pane::List;
        self.scroll = 0;
        self.list_mut().select(row);
        self.changed = true;
    }

    pub(super) fn show_view(&mut self, view: ViewKind) {
        self.show(view);
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
        let text = detail::finding_text(finding);
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

    // Rows and pages.

    fn refilter(&mut self) {
        match Filter::parse(self.input.text()) {
            Ok(filter) => {
                self.selection.filter = filter;
                self.filter_error = None;
            }
            // The last filter that made sense holds while the next one is being typed.
            Err(error) => self.filter_error = Some(error.to_string()),
        }
        self.refill();
    }

    /// All rows must be looked through again.
    fn refill(&mut self) {
        self.prepared.told = None;
        self.stale = true;
        self.changed = true;
    }

    pub(super) fn columns(&self) -> &'static [super::table::Column] {
        match self.view {
            ViewKind::Links => links::COLUMNS,
            ViewKind::Processes => processes::COLUMNS,
            ViewKind::Hosts => hosts::COLUMNS,
            ViewKind::Conversation => conversation::COLUMNS,
            ViewKind::Findings => findings::COLUMNS,
        }
    }

    /// Brings rows and detail up to date; to be called before drawing.
    pub fn prepare(&mut self) {
        // With much coming in, findings are made anew a few times a second of what is watched.
        if self.scene.behind().as_millis() >= 250 {
            self.scene.advance(Monotonic(0));
        }
        let mut more = false;
        if self.stale {
            if self.selection.relate(&self.scene, self.view) {
                self.prepared.told = None;
            }
            more = self.fill();
        }
        if let Some(areas) = self.areas() {
            self.list_mut().page(usize::from(areas.rows));
            self.prepare_page(usize::from(areas.detail.width));
            self.scroll = self.scroll.min(self.furthest_scroll());
        }
        self.stale = more;
        self.changed = more;
    }

    /// True when there is more to look through.
    fn fill(&mut self) -> bool {
        let sort = self.list().sort();
        let (scene, selection) = (&self.scene, &self.selection);
        let (keys, total) = match self.view {
            ViewKind::Links => links::rows(scene, selection, sort),
            ViewKind::Processes => {
                self.prepared.tally = processes::tally(scene);
                processes::rows(scene, &self.prepared.tally, selection, sort)
            }
            ViewKind::Hosts => {
                self.prepared.hosts = hosts::gather(scene);
                hosts::rows(&self.prepared.hosts, selection, sort)
            }
            ViewKind::Conversation => return self.fill_conversation(),
            ViewKind::Findings => findings::rows(scene, selection, sort),
        };
        self.list_mut().replace(keys, total);
        false
    }

    /// Looks through what came in since the last time, a frame's worth at once; true when there is more.
    fn fill_conversation(&mut self) -> bool {
        let list = &mut self.lists[ViewKind::Conversation as usize];
        let history = self.scene.session().history();
        let start = self.prepared.told.map_or(0, |told| history.partition_point(|seen| seen.id <= told));
        if self.prepared.told.is_none() {
            list.replace(Vec::new(), 0);
        }
        let end = history.len().min(start + LOOKED_THROUGH);
        let said = history.range(start..end).filter(|seen| conversation::is_said(&seen.what));
        let mut count = 0;
        let mut passed = Vec::new();
        for observation in said {
            count += 1;
            if self.selection.observation(&self.scene, observation) {
                passed.push(RowKey::Observation(observation.id));
            }
        }
        let sort = list.sort();
        if sort == Sort::default() {
            let kept_from = history.front().map_or(ObservationId(0), |oldest| oldest.id);
            let dropped = list.keys().partition_point(|key| matches!(key, RowKey::Observation(id) if *id < kept_from));
            list.slide(dropped, passed, (list.total() + count).saturating_sub(dropped));
        } else {
            passed.splice(0..0, list.keys().iter().cloned());
            conversation::order(&self.scene, &mut passed, sort);
            list.replace(passed, list.total() + count);
        }
        self.prepared.told = history.range(..end).next_back().map(|newest| newest.id);
        end < history.len()
    }

    fn prepare_page(&mut self, width: usize) {
        let Some(key) = self.list().key().cloned() else {
            self.prepared.page.clear();
            self.prepared.page_of = None;
            return;
        };
        let made_for = Some((key, width, self.raw));
        if !self.stale && self.prepared.page_of == made_for {
            return;
        }
        if let Some((key, ..)) = &made_for {
            if matches!(key, RowKey::Process(_)) && self.prepared.tally.is_empty() {
                self.prepared.tally = processes::tally(&self.scene);
            }
            let frame = detail::Frame { width, raw: self.raw, theme: self.options.theme };
            self.prepared.page = detail::page(&self.scene, &self.prepared.hosts, &self.prepared.tally, key, frame);
        }
        self.prepared.page_of = made_for;
    }
}
