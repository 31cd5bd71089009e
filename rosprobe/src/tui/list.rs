//! The list: one screenful of rows, or, where there is none, what it waits for.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::keys::{Action, Scope};
use super::layout::Areas;
use super::message::Source;
use super::state::{App, Pane};
use super::table::{self, Cell, Widths};
use super::text;
use super::view::ViewKind;
use super::{conversation, rows};

fn visible_cells(app: &App, areas: &Areas) -> Vec<Vec<Cell>> {
    let list = app.list();
    let visible = list.keys().iter().skip(list.offset()).take(usize::from(areas.rows));
    visible.map(|key| rows::cells(app, key)).collect()
}

/// Widths of the list's columns as they are drawn.
pub fn widths(app: &App, areas: &Areas) -> Widths {
    widths_of(app, areas, &visible_cells(app, areas))
}

fn widths_of(app: &App, areas: &Areas, rows: &[Vec<Cell>]) -> Widths {
    let natural = table::natural_widths(rows::columns(app.view), rows, app.list().sort());
    Widths::new(rows::columns(app.view), &natural, areas.list.width)
}

/// Draws the list.
pub fn draw(app: &App, frame: &mut Frame<'_>, areas: &Areas) {
    let list = app.list();
    if list.keys().is_empty() {
        return draw_empty(app, frame, areas.list);
    }
    let rows = visible_cells(app, areas);
    let page = table::Page {
        columns: rows::columns(app.view),
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
        waiting(app)
    };
    let lines = text::wrap(&words, usize::from(area.width).min(76));
    let top = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 3;
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    let area = Rect { y: area.y + top, height: area.height - top, ..area };
    frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), area);
}

fn waiting(app: &App) -> String {
    if app.progress.is_some() {
        return "The file is being read.".to_owned();
    }
    let live = matches!(app.options.source, Source::Live { .. });
    let nothing = match (app.view, live) {
        (ViewKind::Findings, true) => {
            return "Nothing is wrong so far.\nFindings appear here the moment something fails.".to_owned();
        }
        (ViewKind::Findings, false) => return "Nothing is wrong in this file.".to_owned(),
        (ViewKind::Endpoints, _) if !app.session().graph().dds().silent().is_empty() => return silence(app),
        (view, true) if view.is_ros2() => "Nothing of ROS 2 so far: no participant has announced itself.",
        (view, false) if view.is_ros2() => "There is nothing of ROS 2 in this file.",
        (ViewKind::Links, false) => {
            "Nobody in this file was told of a publisher, and no writer and reader share a topic."
        }
        (ViewKind::Processes, false) => "Packets do not tell which process sent them: a capture of packets has none.",
        (ViewKind::Hosts, false) => "No address is advertised in this file.",
        (_, false) => "There is nothing of this kind in the file.",
        (_, true) => {
            "Waiting for ROS nodes to talk.\n\n\
             Start one, or try `rostopic echo /some/topic` in another terminal.\n\
             Nodes that run already appear when they talk next.\n\n\
             `rosprobe doctor` says whether rosprobe can work here; `rosprobe demo` shows what a fault looks like."
        }
    };
    format!("{nothing}{}", elsewhere(app))
}

/// Why no writer and no reader is known though there are participants.
fn silence(app: &App) -> String {
    let silent = app.session().graph().dds().silent();
    let paragraphs = silent.iter().map(|(why, participants)| {
        let who = if participants.len() == 1 {
            "1 participant".to_owned()
        } else {
            format!("{} participants", participants.len())
        };
        format!("\n\nWriters and readers of {who}: {}", why.words())
    });
    format!("No writer and no reader is known.{}", paragraphs.collect::<String>())
}

/// Where there is something to see instead.
fn elsewhere(app: &App) -> String {
    let key = |view: ViewKind| Scope::Screen.key(Action::Show(view)).map(|key| key.to_string()).unwrap_or_default();
    let conversation = || app.session().history().iter().any(|seen| conversation::is_said(&seen.what));
    match app.session().findings().len() {
        1 => format!("\n\n{} shows the one finding.", key(ViewKind::Findings)),
        2.. => format!("\n\n{} shows {} findings.", key(ViewKind::Findings), app.session().findings().len()),
        0 if app.view != ViewKind::Conversation && conversation() => {
            format!("\n\n{} shows what was said.", key(ViewKind::Conversation))
        }
        0 => String::new(),
    }
}
