//! Every key, from the table.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::keys::{MOUSE, Scope, names};
use super::state::App;
use super::text;
use super::theme::Role;

/// Columns that the keys take.
const KEYS: usize = 19;

/// The page, unscrolled.
pub fn lines(app: &App) -> Vec<Line<'static>> {
    let style = |role: Role| app.options.theme.style(role);
    let mut lines = Vec::new();
    let mut section = |heading: &str, rows: Vec<(String, &str)>| {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(heading.to_owned(), style(Role::Heading)));
        for (keys, help) in rows {
            let padding = " ".repeat((KEYS - 3).saturating_sub(text::width(&keys)));
            let columns = usize::from(app.size.width).saturating_sub(KEYS);
            for (position, part) in text::wrap(help, columns).into_iter().enumerate() {
                let beside = if position == 0 { format!("  {keys}{padding} ") } else { " ".repeat(KEYS) };
                lines.push(Line::from(vec![Span::styled(beside, style(Role::Accent)), Span::raw(part)]));
            }
        }
    };
    for (scope, heading) in Scope::ALL {
        section(heading, scope.bindings().map(|binding| (names(binding.keys), binding.help)).collect());
    }
    section("With the mouse", MOUSE.iter().map(|(what, help)| ((*what).to_owned(), *help)).collect());
    lines
}

/// Draws the page, scrolled by so many lines.
pub fn draw(app: &App, scrolled: usize, frame: &mut Frame<'_>, area: Rect) {
    let visible: Vec<Line<'static>> = lines(app).into_iter().skip(scrolled).take(usize::from(area.height)).collect();
    frame.render_widget(Paragraph::new(visible), area);
}
