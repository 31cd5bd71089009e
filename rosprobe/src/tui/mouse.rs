//! The mouse: what it points at, from the same areas that are drawn.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::keys::Action;
use super::layout::Areas;
use super::state::{App, Mode};
use super::{bar, list};

/// Rows that one step of the wheel moves.
const WHEEL: isize = 3;

impl App {
    pub(super) fn mouse(&mut self, mouse: MouseEvent) {
        if matches!(self.mode, Mode::Help(_)) {
            let action = match mouse.kind {
                MouseEventKind::ScrollUp => Action::Up,
                MouseEventKind::ScrollDown => Action::Down,
                _ => return,
            };
            for _ in 0..WHEEL {
                self.act(action);
            }
            self.changed = true;
        }
        if self.mode != Mode::Screen {
            return;
        }
        let Some(areas) = self.areas() else { return };
        let position = Position { x: mouse.column, y: mouse.row };
        let on_detail = areas.detail.contains(position);
        match mouse.kind {
            MouseEventKind::ScrollUp => self.wheel(-WHEEL, on_detail),
            MouseEventKind::ScrollDown => self.wheel(WHEEL, on_detail),
            MouseEventKind::Down(MouseButton::Left) => self.click(&areas, position),
            _ => {}
        }
    }

    fn click(&mut self, areas: &Areas, position: Position) {
        if areas.bar.contains(position) {
            if let Some(view) = bar::view_at(self, position.x) {
                self.show(view);
                self.changed = true;
            }
        } else if areas.list.contains(position) {
            if position.y == areas.list.y {
                let widths = list::widths(self, areas);
                if let Some(column) = widths.column_at(position.x - areas.list.x) {
                    self.sort(column);
                }
                return;
            }
            let row = self.list().offset() + usize::from(position.y - areas.list.y - 1);
            if row < self.list().keys().len() {
                self.select_row(row);
            }
        }
    }
}
