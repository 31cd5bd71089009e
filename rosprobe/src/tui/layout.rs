//! Where everything stands on the screen.

use ratatui::layout::{Rect, Size};

/// The smallest screen that is drawn on.
pub const LEAST: Size = Size { width: 60, height: 12 };

/// Rows that the detail gets before the list gets half of the screen: what is wrong, why, and the first remedy with its command.
const VERDICT: u16 = 13;

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
    let most = (body / 2).min((body - 1).saturating_sub(VERDICT)).max(body / 3).max(4);
    let list = if whole { 0 } else { wanted.clamp(4, most) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_has_its_room_before_the_list_has_half() {
        for (height, list, detail) in [(12, 4, 4), (24, 7, 13), (30, 13, 13), (40, 18, 18), (80, 38, 38)] {
            let areas = areas(Size { width: 80, height }, 1000, false).unwrap();
            assert_eq!((areas.list.height, areas.detail.height), (list, detail), "{height} rows");
        }
        let few = areas(Size { width: 80, height: 24 }, 2, false).unwrap();
        assert_eq!((few.list.height, few.detail.height), (4, 16));
    }
}
