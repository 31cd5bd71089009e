//! The whole screen: where everything stands, and drawing it. Reads the state and changes nothing.
//!
//! ```text
//!  rosprobe  watching this machine  links 1 ok  0 pending  2 failed     status
//!  1 Links  2 Processes  3 Hosts  4 Conversation  5 Findings            bar
//!    TOPIC        SUBSCRIBER   PUBLISHER   …                            list
//!  ✗ /some/topic  …
//! ─────────────────────────────────────────────────────────
//!  ✗ connect() to 10.0.1.1:41235 …                                      detail
//! ─────────────────────────────────────────────────────────
//!  / filter  f failing  …                                               foot
//! ```

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect, Size};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::app::{App, Mode, Pane, ViewKind};
use super::keys::{Action, Scope};
use super::listing::RowKey;
use super::message::Source;
use super::table::{self, Cell, Widths};
use super::text::{self, Cut};
use super::theme::Role;
use super::{conversation, findings, help, hosts, links, processes, status};
use crate::printable::printable;

/// The smallest screen that is drawn on.
pub const LEAST: Size = Size { width: 60, height: 12 };

/// Where everything stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    /// First line.
    pub status: Rect,
    /// The bar of views.
    pub bar: Rect,
    /// The list, its titles included; empty while the detail has the whole screen.
    pub list: Rect,
    /// Rows of the list on one page.
    pub rows: u16,
    /// The line between list and detail.
    pub rule: Rect,
    /// The detail.
    pub detail: Rect,
    /// Last line.
    pub foot: Rect,
}

/// Divides the screen; `None` when it is too small. A list of few rows leaves its room to the detail.
pub fn areas(size: Size, rows: usize, whole: bool) -> Option<Areas> {
    if size.width < LEAST.width || size.height < LEAST.height {
        return None;
    }
    let line = |y: u16, height: u16| Rect { x: 0, y, width: size.width, height };
    let body = size.height - 3;
    let wanted = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1);
    let list = if whole { 0 } else { wanted.clamp(4, (body / 2).max(4)) };
    // With nothing to select there is no detail: the list's place is for saying why.
    let list = if rows == 0 { body - 1 } else { list };
    let detail = body - list - 1;
    let inset = |area: Rect| Rect { x: 1, width: area.width - 2, ..area };
    Some(Areas {
        status: line(0, 1),
        bar: line(1, 1),
        list: inset(line(2, list)),
        rows: list.saturating_sub(1),
        rule: line(2 + list, 1),
        detail: inset(line(3 + list, detail)),
        foot: line(size.height - 1, 1),
    })
}

/// Draws everything. `App::prepare` comes first.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let Some(areas) = app.areas() else {
        return draw_too_small(app, frame);
    };
    status::draw_status(app, frame, areas.status);
    status::draw_foot(app, frame, areas.foot);
    if let Mode::Help(scrolled) = app.mode {
        let height = areas.foot.y - areas.bar.y;
        return help::draw(app, scrolled, frame, Rect { height, ..areas.bar });
    }
    draw_bar(app, frame, areas.bar);
    if app.pane != Pane::Whole {
        draw_list(app, frame, &areas);
    }
    draw_rule(app, frame, areas.rule);
    draw_detail(app, frame, areas.detail);
}

fn draw_too_small(app: &App, frame: &mut Frame<'_>) {
    let Size { width, height } = app.size;
    let words = format!("{width}x{height} is too small: {}x{} is the least", LEAST.width, LEAST.height);
    let lines: Vec<Line<'_>> = text::wrap(&words, usize::from(width)).into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines), frame.area());
}

/// The views' names with the columns that they take in the bar.
fn bar(app: &App) -> Vec<(ViewKind, String)> {
    let label = |(view, name): (ViewKind, &str)| {
        let key = Scope::Screen.key(Action::Show(view)).map(|key| key.to_string()).unwrap_or_default();
        let count = match (view, app.session().findings().len()) {
            (ViewKind::Findings, count) if count > 0 => format!(" ({count})"),
            _ => String::new(),
        };
        (view, format!(" {key} {name}{count} "))
    };
    ViewKind::ALL.into_iter().map(label).collect()
}

/// The view whose name stands at a column of the bar.
pub fn view_at(app: &App, x: u16) -> Option<ViewKind> {
    let mut end = 0;
    bar(app).into_iter().find_map(|(view, label)| {
        end += text::width(&label);
        (usize::from(x) < end).then_some(view)
    })
}

fn draw_bar(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.options.theme;
    let mut spans = Vec::new();
    for (view, label) in bar(app) {
        let role = if view == app.view { Role::Current } else { Role::Text };
        spans.push(Span::styled(label, theme.style(role)));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(used + 2);
    frame.render_widget(Line::from(spans), area);
    let state = text::fit(&printable(&filter_state(app)), room, Cut::Middle);
    let right = Line::styled(format!("{state} "), theme.style(Role::Accent)).alignment(Alignment::Right);
    frame.render_widget(
        right,
        Rect {
            x: area.x + u16::try_from(used).unwrap_or(0),
            width: area.width - u16::try_from(used).unwrap_or(0),
            ..area
        },
    );
}

/// The filter and how many rows pass it.
fn filter_state(app: &App) -> String {
    let list = app.list();
    if app.selection.is_everything() {
        return format!("{}", list.total());
    }
    let failing = if app.selection.failures { "failing " } else { "" };
    let filter = app.input.text();
    format!("{failing}{filter}  {} of {}", list.keys().len(), list.total())
}

fn cells(app: &App, key: &RowKey) -> Vec<Cell> {
    let graph = app.scene.graph();
    let gone = || vec![Cell::new("", Role::Muted)];
    match key {
        RowKey::Link(id) => graph.link(*id).map_or_else(gone, |link| links::cells(&app.scene, link)),
        RowKey::Process(process) => {
            graph.process(process).map_or_else(gone, |state| processes::cells(state, &app.prepared.tally))
        }
        RowKey::Host(name) => app.prepared.hosts.get(name).map_or_else(gone, |host| hosts::cells(name, host)),
        RowKey::Observation(id) => conversation::cells(&app.scene, *id),
        RowKey::Finding(id) => {
            let finding = app.session().findings().iter().find(|finding| finding.id == *id);
            finding.map_or_else(gone, |finding| findings::cells(&app.scene, finding))
        }
    }
}

fn visible_cells(app: &App, areas: &Areas) -> Vec<Vec<Cell>> {
    let list = app.list();
    let visible = list.keys().iter().skip(list.offset()).take(usize::from(areas.rows));
    visible.map(|key| cells(app, key)).collect()
}

/// Widths of the list's columns as they are drawn.
pub fn list_widths(app: &App, areas: &Areas) -> Widths {
    widths_of(app, areas, &visible_cells(app, areas))
}

fn widths_of(app: &App, areas: &Areas, rows: &[Vec<Cell>]) -> Widths {
    let natural = table::natural_widths(app.columns(), rows, app.list().sort());
    Widths::new(app.columns(), &natural, areas.list.width)
}

fn draw_list(app: &App, frame: &mut Frame<'_>, areas: &Areas) {
    let list = app.list();
    if list.keys().is_empty() {
        return draw_empty(app, frame, areas.list);
    }
    let rows = visible_cells(app, areas);
    let page = table::Page {
        columns: app.columns(),
        widths: &widths_of(app, areas, &rows),
        rows: &rows,
        selected: Some(list.selected() - list.offset()),
        focused: app.pane == Pane::List,
        sort: list.sort(),
        filter: &app.selection.filter,
        theme: app.options.theme,
    };
    page.draw(frame, areas.list);
}

/// Says what an empty list waits for and what to try.
fn draw_empty(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let hidden = app.list().total();
    let key = |action: Action| Scope::Screen.key(action).map(|key| key.to_string()).unwrap_or_default();
    let words = if hidden > 0 {
        format!(
            "Nothing passes the filter; {hidden} rows are hidden.\n{} drops the filter, {} shows failures only or everything.",
            key(Action::Back),
            key(Action::ToggleFailures)
        )
    } else {
        waiting(app).to_owned()
    };
    let lines = text::wrap(&words, usize::from(area.width).min(76));
    let top = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 3;
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    let area = Rect { y: area.y + top, height: area.height - top, ..area };
    frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), area);
}

fn waiting(app: &App) -> &'static str {
    match (&app.options.source, app.view, app.progress.is_some()) {
        (_, _, true) => "The file is being read.",
        (Source::Live { .. }, ViewKind::Findings, _) => {
            "Nothing is wrong so far.\nFindings appear here the moment something fails."
        }
        (Source::File(_), ViewKind::Findings, _) => "Nothing is wrong in this file.",
        (Source::Live { .. }, ..) => {
            "Waiting for ROS nodes to talk.\n\n\
             Start one, or try `rostopic echo /some/topic` in another terminal.\n\
             Nodes that run already appear when they talk next.\n\n\
             `rosprobe doctor` says whether rosprobe can work here; `rosprobe demo` shows what a fault looks like."
        }
        (Source::File(_), ..) => "There is nothing of this kind in the file.",
    }
}

fn draw_rule(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let role = if app.pane == Pane::List { Role::Muted } else { Role::Accent };
    let more = app.prepared.page.len().saturating_sub(app.scroll);
    let height = app.areas().map_or(0, |areas| usize::from(areas.detail.height));
    let place = if app.pane != Pane::List || more > height {
        let last = (app.scroll + height).min(app.prepared.page.len());
        format!(" {}-{last} of {} ", (app.scroll + 1).min(last.max(1)), app.prepared.page.len())
    } else {
        String::new()
    };
    let dashes = usize::from(area.width).saturating_sub(text::width(&place) + 2);
    let rule = format!("{}{place}──", "─".repeat(dashes));
    frame.render_widget(Line::styled(rule, app.options.theme.style(role)), area);
}

fn draw_detail(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let visible = app.prepared.page.iter().skip(app.scroll).take(usize::from(area.height)).cloned();
    frame.render_widget(Paragraph::new(visible.collect::<Vec<_>>()), area);
}
