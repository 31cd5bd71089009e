//! The state of the screen, and the moves that keep it whole. What changes it: `update.rs`; what is made from it: `prepare.rs`.

use std::borrow::Cow;
use std::path::PathBuf;

use ratatui::layout::Size;
use ratatui::text::Line;

use super::domains::Domains;
use super::ends::Ends;
use super::hosts::Hosts;
use super::input::Input;
use super::keys::Scope;
use super::layout::{self, Areas};
use super::listing::{Listing, RowKey};
use super::message::{Options, Progress, Source, Statistics};
use super::processes::Tally;
use super::scene::Scene;
use super::selection::Selection;
use super::view::ViewKind;
use crate::event::Monotonic;
use crate::filter::Filter;
use crate::graph::LinkCounts;
use crate::observation::{Observation, ObservationId};
use crate::session::Session;

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
    pub(super) observations: Vec<Observation>,
    pub(super) now: Monotonic,
}

impl Held {
    /// How many observations wait.
    pub fn count(&self) -> usize {
        self.observations.len()
    }
}

/// Whether rows are what the data says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rows {
    /// They are.
    Fresh,
    /// Something came in since: they follow soon.
    Behind,
    /// A part of the conversation was looked through; the rest follows with the next pictures.
    Part,
    /// A person asked for other ones: they are made before the next picture.
    #[default]
    Stale,
}

/// Place of an observation in a conversation that is sorted: what the column says, in order, and which one it is.
pub(super) type Place = (u128, u16, ObservationId);

/// Rows, pages and what they were made from; made anew when that changed.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Links of the whole system.
    pub(super) counts: LinkCounts,
    pub(super) nodes: usize,
    pub(super) hosts: Hosts,
    pub(super) tally: Tally,
    pub(super) domains: Domains,
    pub(super) ends: Ends,
    pub(super) page: Vec<Line<'static>>,
    pub(super) page_of: Option<(RowKey, usize, bool)>,
    /// The newest observation that the conversation was looked through to.
    pub(super) told: Option<ObservationId>,
    /// The conversation's rows, while a column sorts them.
    pub(super) sorted: Vec<Place>,
    /// Something came in while the conversation was being looked through.
    pub(super) interrupted: bool,
    /// When rows were made last, on the capture's clock.
    pub(super) made_at: Monotonic,
}

/// The whole state of the screen.
#[derive(Debug)]
pub struct App {
    pub(super) options: Options,
    pub(super) scene: Scene,
    pub(super) selection: Selection,
    pub(super) input: Input,
    pub(super) filter_error: Option<String>,
    /// The filter that holds: the last one that made sense.
    pub(super) filter_text: String,
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
    pub(super) lists: [Listing; ViewKind::ALL.len()],
    pub(super) rows: Rows,
    /// The screen differs from what was drawn.
    pub(super) changed: bool,
    pub(super) drawn_second: u64,
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
            filter_text: String::new(),
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
            rows: Rows::Stale,
            changed: true,
            drawn_second: 0,
            options,
        };
        app.lists[ViewKind::Conversation as usize] = Listing::following();
        app.refilter();
        app
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

    /// The session with everything that came in, what a screen that is held still does not show included.
    pub fn whole_session(&self) -> Cow<'_, Session> {
        let Some(held) = self.held.as_ref().filter(|held| held.count() > 0) else {
            return Cow::Borrowed(self.session());
        };
        let mut session = self.session().clone();
        for observation in &held.observations {
            session.observe(observation.clone());
        }
        session.advance(held.now);
        Cow::Owned(session)
    }

    /// The session as the screen shows it.
    pub fn session(&self) -> &Session {
        self.scene.session()
    }

    pub(super) fn list(&self) -> &Listing {
        &self.lists[self.view as usize]
    }

    pub(super) fn list_mut(&mut self) -> &mut Listing {
        &mut self.lists[self.view as usize]
    }

    pub(super) fn areas(&self) -> Option<Areas> {
        layout::areas(self.size, self.list().keys().len(), self.pane == Pane::Whole)
    }

    /// True once anything of ROS 2 was seen: its views are in the bar from then on.
    pub(super) fn has_ros2(&self) -> bool {
        let dds = self.scene.graph().dds();
        self.view.is_ros2() || dds.participants().next().is_some() || dds.endpoints().next().is_some()
    }

    pub(super) fn scope(&self) -> Scope {
        match self.mode {
            Mode::Screen => Scope::Screen,
            Mode::Filter(_) | Mode::ExportName(_) => Scope::Line,
            Mode::Overwrite(_) => Scope::Question,
            Mode::Help(_) => Scope::Help,
        }
    }

    pub(super) fn thaw(&mut self) {
        let Some(held) = self.held.take() else { return };
        for observation in held.observations {
            self.scene.observe(observation);
        }
        self.scene.advance(held.now);
        self.rows = Rows::Stale;
        self.changed = true;
    }

    pub(super) fn show(&mut self, view: ViewKind) {
        if self.view != view {
            self.view = view;
            self.scroll = 0;
            self.pane = Pane::List;
            self.refill();
        }
    }

    pub(super) fn step(&mut self, rows: isize) {
        if self.pane == Pane::List {
            self.list_mut().step(rows);
            self.scroll = 0;
        } else {
            self.scroll = self.scroll.min(self.furthest_scroll()).saturating_add_signed(rows);
        }
    }

    pub(super) fn bottom(&mut self) {
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

    pub(super) fn furthest_scroll(&self) -> usize {
        let height = self.areas().map_or(0, |areas| usize::from(areas.detail.height));
        self.prepared.page.len().saturating_sub(height)
    }

    pub(super) fn refilter(&mut self) {
        match Filter::parse(self.input.text()) {
            Ok(filter) => {
                self.selection.filter = filter;
                self.input.text().clone_into(&mut self.filter_text);
                self.filter_error = None;
            }
            // The last filter that made sense holds while the next one is being typed.
            Err(error) => self.filter_error = Some(error.to_string()),
        }
        self.refill();
    }

    /// All rows must be looked through again.
    pub(super) fn refill(&mut self) {
        self.prepared.told = None;
        self.rows = Rows::Stale;
        self.changed = true;
    }
}
