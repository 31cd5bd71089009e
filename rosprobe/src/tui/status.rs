//! The first line: what is watched and how it is doing. The last line: what keys do now, or what is being asked.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::input::Input;
use super::keys::{Action, Scope, names};
use super::message::{Progress, Source};
use super::state::{App, Mode};
use super::text::{self, Cut};
use super::theme::Role;
use crate::observation::Bytes;
use crate::printable::{counted, printable};

/// Columns of what is watched or read: at most, and at least.
const WHAT: (usize, usize) = (36, 12);
/// How much the name of what is watched or read matters.
const NAME: u8 = 7;
/// Lines that a notice takes at most; of a screen of few rows, a third at most.
const NOTICE_LINES: usize = 5;

/// A piece of the line; less important pieces are left out where there is no room.
struct Piece {
    text: String,
    /// The same in short.
    short: String,
    /// The same uncut.
    whole: String,
    role: Role,
    importance: u8,
}

/// Pieces beside each other with the space between them.
fn width(pieces: &[Piece], gap: usize) -> usize {
    pieces.iter().map(|piece| text::width(&piece.text) + gap).sum::<usize>() + 1
}

/// Makes pieces fit: first in short, then closer together, then without those that matter least. Gives the space between them.
fn fit(pieces: &mut Vec<Piece>, room: usize) -> usize {
    if width(pieces, 2) <= room {
        return 2;
    }
    for piece in pieces.iter_mut() {
        piece.text = std::mem::take(&mut piece.short);
    }
    loop {
        for gap in [2, 1] {
            // The space behind the last one may be missing.
            if let Some(spare) = room.checked_sub(width(pieces, gap) - gap) {
                widen(pieces, spare);
                return gap;
            }
        }
        let Some(least) = pieces.iter().map(|piece| piece.importance).min().filter(|least| *least < 9) else {
            return 1;
        };
        pieces.retain(|piece| piece.importance > least);
    }
}

/// Gives columns that are left to the piece that was cut most.
fn widen(pieces: &mut [Piece], spare: usize) {
    if let Some(piece) = pieces.iter_mut().find(|piece| piece.importance == NAME) {
        piece.text = text::fit(&piece.whole, WHAT.1 + spare, Cut::Middle);
    }
}

/// Draws the first line.
pub fn draw_status(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let mut pieces = pieces(app);
    let gap = " ".repeat(fit(&mut pieces, usize::from(area.width)));
    let spans = pieces
        .into_iter()
        .flat_map(|piece| [Span::styled(piece.text, app.options.theme.style(piece.role)), Span::raw(gap.clone())]);
    let line: Line<'static> = std::iter::once(Span::raw(" ")).chain(spans).collect();
    frame.render_widget(line, area);
}

fn pieces(app: &App) -> Vec<Piece> {
    let piece = |text: String, short: String, role: Role, importance: u8| {
        let whole = String::new();
        Piece { text, short, whole, role, importance }
    };
    let same = |text: String, role: Role, importance: u8| piece(text.clone(), text, role, importance);
    let (what, mode, live) = match &app.options.source {
        Source::Live { what, mode } => (what, mode, true),
        Source::File(name) => (name, &app.file_mode, false),
    };
    let what = printable(what);
    let watching = if live { "watching " } else { "" };
    let counts = app.prepared.counts;
    let shade = |count: usize, role: Role| if count == 0 { Role::Muted } else { role };
    let lost = app.session().lost().max(app.statistics.lost);
    let mut pieces = vec![
        same("rosprobe".to_owned(), Role::Heading, 10),
        Piece {
            text: text::fit(&format!("{watching}{what}"), WHAT.0, Cut::Middle),
            short: text::fit(&what, WHAT.1, Cut::Middle),
            whole: text::fit(&what, WHAT.0, Cut::Middle),
            role: Role::Text,
            importance: NAME,
        },
        same(counted(app.prepared.nodes, "node"), Role::Text, 4),
        piece(format!("links {} ok", counts.ok), format!("{} ok", counts.ok), shade(counts.ok, Role::Ok), 9),
        same(format!("{} pending", counts.pending), shade(counts.pending, Role::Warn), 9),
        same(format!("{} failed", counts.failed), shade(counts.failed, Role::Err), 10),
    ];
    if live {
        let speed = app.statistics.events_per_second;
        pieces.push(piece(format!("{speed:.0} events/s"), format!("{speed:.0}/s"), Role::Text, 5));
    } else {
        let count = app.session().history().len();
        pieces.push(piece(format!("{count} observations"), format!("{count} obs"), Role::Text, 5));
    }
    pieces.push(same(format!("lost {lost}"), if lost == 0 { Role::Muted } else { Role::Err }, 8));
    let forgotten = app.session().forgotten();
    if forgotten > 0 {
        pieces.push(piece(format!("{forgotten} older not kept"), format!("{forgotten} not kept"), Role::Warn, 6));
    }
    if app.memory > 0 {
        let memory = Bytes(app.memory as f64).to_string();
        pieces.push(piece(memory, format!("{}MB", app.memory.div_ceil(1_000_000)), Role::Muted, 2));
    }
    if !mode.is_empty() {
        let mode = printable(mode).into_owned();
        pieces.push(piece(mode.clone(), mode.trim_end_matches(" mode").to_owned(), Role::Muted, 3));
    }
    pieces
}

/// Draws the last line.
pub fn draw_foot(app: &App, frame: &mut Frame<'_>, area: Rect) {
    match &app.mode {
        Mode::Filter(_) => draw_input(app, frame, area, "/", &app.input),
        Mode::ExportName(name) => draw_input(app, frame, area, "export to: ", name),
        Mode::Overwrite(path) => {
            let question = format!("{} is there already. Overwrite it?", path.display());
            let room = usize::from(area.width).saturating_sub(16);
            let mut spans = vec![styled(app, text::fit(&printable(&question), room, Cut::Middle), Role::Warn)];
            spans.extend(hints(app, Scope::Question));
            frame.render_widget(Line::from(spans), area);
        }
        Mode::Screen | Mode::Help(_) => match &app.notice {
            Some(notice) => draw_notice(app, frame, area, notice),
            None => frame.render_widget(foot(app, usize::from(area.width)), area),
        },
    }
}

/// Draws a notice, whole where that takes few lines: what a damaged file lacks is not said in half a sentence.
fn draw_notice(app: &App, frame: &mut Frame<'_>, foot: Rect, notice: &str) {
    let columns = usize::from(foot.width).saturating_sub(1);
    let mut lines = text::wrap(&printable(notice), columns);
    let most = NOTICE_LINES.min(usize::from(foot.y / 3)).max(1);
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(text::fit(&rest, columns, Cut::Middle));
    }
    let height = u16::try_from(lines.len()).unwrap_or(1).max(1);
    let area = Rect { y: foot.y + 1 - height, height, ..foot };
    let lines: Vec<Line<'_>> =
        lines.into_iter().map(|line| Line::from(styled(app, format!(" {line}"), Role::Accent))).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

fn styled(app: &App, text: impl Into<String>, role: Role) -> Span<'static> {
    Span::styled(text.into(), app.options.theme.style(role))
}

fn foot(app: &App, width: usize) -> Line<'static> {
    let say =
        |text: String, role: Role| Line::from(styled(app, text::fit(&printable(&text), width, Cut::Middle), role));
    if let Some(held) = &app.held {
        let key = Scope::Screen.key(Action::Freeze).map(|key| key.to_string()).unwrap_or_default();
        return say(format!(" FROZEN  {} observations came in since; {key} goes on", held.count()), Role::Warn);
    }
    if let Some(progress) = app.progress {
        return say(reading(progress), Role::Accent);
    }
    let mut spans = Vec::new();
    for hint in hints(app, app.scope()) {
        let used: usize = spans.iter().map(Span::width).sum();
        if used + hint.width() <= width {
            spans.push(hint);
        }
    }
    Line::from(spans)
}

/// The keys that are hinted at, from the table.
fn hints(app: &App, scope: Scope) -> Vec<Span<'static>> {
    let hinted = scope.bindings().filter(|binding| !binding.hint.is_empty());
    let each = hinted.flat_map(|binding| {
        let key = names(&binding.keys[..1]);
        [styled(app, format!(" {key} "), Role::Heading), styled(app, format!("{} ", binding.hint), Role::Muted)]
    });
    each.collect()
}

fn reading(progress: Progress) -> String {
    const STEPS: u64 = 20;
    let key = Scope::Screen.key(Action::Back).map(|key| key.to_string()).unwrap_or_default();
    let (read, total) = (Bytes(progress.read as f64), Bytes(progress.total as f64));
    let filled = (progress.read.saturating_mul(STEPS)).checked_div(progress.total).unwrap_or(0).min(STEPS);
    let bar: String = (0..STEPS).map(|step| if step < filled { '█' } else { '░' }).collect();
    let percent = (progress.read.saturating_mul(100)).checked_div(progress.total).unwrap_or(0).min(100);
    format!(" reading {bar} {percent} %  {read} of {total}   {key} stops")
}

/// A line being typed, with the cursor in it.
fn draw_input(app: &App, frame: &mut Frame<'_>, area: Rect, prompt: &str, input: &Input) {
    let room = usize::from(area.width).saturating_sub(text::width(prompt) + 1);
    let before = printable(input.before_cursor()).into_owned();
    // A line that is longer than the screen is shown from where the cursor is in sight.
    let shown = text::ending(&before, room);
    let after = printable(&input.text()[input.before_cursor().len()..]).into_owned();
    let mut spans = vec![styled(app, prompt, Role::Heading), styled(app, format!("{shown}{after}"), Role::Text)];
    spans.push(Span::raw("   "));
    match &app.filter_error {
        Some(error) if matches!(app.mode, Mode::Filter(_)) => spans.push(styled(app, printable(error), Role::Warn)),
        _ => spans.extend(hints(app, Scope::Line)),
    }
    frame.render_widget(Line::from(spans), area);
    let cursor = text::width(prompt) + text::width(&shown);
    let x = area.x + u16::try_from(cursor).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position { x, y: area.y });
}
