//! The bar: the views with their keys, the filter, and how many rows pass it.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};

use super::keys::{Action, Scope};
use super::state::App;
use super::text::{self, Cut};
use super::theme::Role;
use super::view::ViewKind;
use crate::printable::printable;

/// Columns that are left for the filter before the views' names are shortened: at least, and at most for a long one.
const FILTER: (usize, usize) = (14, 34);

/// The views' names with the columns that they take in the bar: in short where they would leave no room for the filter.
fn labels(app: &App) -> Vec<(ViewKind, String)> {
    let ros2 = app.has_ros2();
    let shown = || ViewKind::ALL.into_iter().filter(|(view, _)| ros2 || !view.is_ros2());
    let named = |short: bool| -> Vec<(ViewKind, String)> {
        shown().map(|(view, name)| (view, label(app, view, if short { view.short() } else { name }))).collect()
    };
    let long = named(false);
    let width: usize = long.iter().map(|(_, label)| text::width(label)).sum();
    let filter = text::width(&filter_state(app, FILTER.1)) + 2;
    if width + filter.max(FILTER.0) <= usize::from(app.size.width) { long } else { named(true) }
}

fn label(app: &App, view: ViewKind, name: &str) -> String {
    let key = Scope::Screen.key(Action::Show(view)).map(|key| key.to_string()).unwrap_or_default();
    match (view, app.session().findings().len()) {
        (ViewKind::Findings, count) if count > 0 => format!(" {key} {name} ({count}) "),
        _ => format!(" {key} {name} "),
    }
}

/// The view whose name stands at a column of the bar.
pub fn view_at(app: &App, x: u16) -> Option<ViewKind> {
    let mut end = 0;
    labels(app).into_iter().find_map(|(view, label)| {
        end += text::width(&label);
        (usize::from(x) < end).then_some(view)
    })
}

/// Draws the bar.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.options.theme;
    let mut spans = Vec::new();
    for (view, label) in labels(app) {
        let role = if view == app.view { Role::Current } else { Role::Text };
        spans.push(Span::styled(label, theme.style(role)));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(used + 2);
    frame.render_widget(Line::from(spans), area);
    let state = filter_state(app, room);
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

/// The filter, cut to what `room` leaves, and how many rows pass it, whole.
fn filter_state(app: &App, room: usize) -> String {
    let list = app.list();
    if app.selection.is_everything() {
        return format!("{}", list.total());
    }
    let count = format!("  {} of {}", list.keys().len(), list.total());
    let failing = if app.selection.failures { "failing" } else { "" };
    let filter = [failing, app.filter_text.trim()].join(" ");
    let room = room.saturating_sub(text::width(&count));
    format!("{}{count}", text::fit(&printable(filter.trim()), room, Cut::Middle))
}
