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
use ratatui::layout::{Rect, Size};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::layout::LEAST;
use super::state::{App, Mode, Pane};
use super::text;
use super::theme::Role;
use super::{bar, help, list, status};

/// Draws everything. `App::prepare` comes first.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let Some(areas) = app.areas() else {
        return draw_too_small(app, frame);
    };
    status::draw_status(app, frame, areas.status);
    if let Mode::Help(scrolled) = app.mode {
        let height = areas.foot.y - areas.bar.y;
        help::draw(app, scrolled, frame, Rect { height, ..areas.bar });
    } else {
        bar::draw(app, frame, areas.bar);
        if app.pane != Pane::Whole {
            list::draw(app, frame, &areas);
        }
        draw_rule(app, frame, areas.rule);
        draw_detail(app, frame, areas.detail);
    }
    // Last: a notice that needs more than its line lies over what is above.
    status::draw_foot(app, frame, areas.foot);
}

fn draw_too_small(app: &App, frame: &mut Frame<'_>) {
    let Size { width, height } = app.size;
    let words = format!("{width}x{height} is too small: {}x{} is the least", LEAST.width, LEAST.height);
    let lines: Vec<Line<'_>> = text::wrap(&words, usize::from(width)).into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines), frame.area());
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
