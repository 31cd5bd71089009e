//! Rows and columns: the part that all lists share.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Row, Table};

use super::listing::Sort;
use super::text::{self, Cut};
use super::theme::{Role, Theme};
use crate::filter::Filter;
use crate::printable::printable;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Width that it keeps before others shrink below theirs.
    pub least: u16,
    /// Where its text is cut.
    pub cut: Cut,
}

/// What stands in a column of a row.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    role: Role,
    searched: bool,
}

impl Cell {
    /// Text that the filter does not look at.
    pub fn new(text: impl AsRef<str>, role: Role) -> Self {
        Self { text: printable(text.as_ref()).into_owned(), role, searched: false }
    }

    /// Text in which the filter's matches are marked.
    pub fn searched(text: impl AsRef<str>, role: Role) -> Self {
        Self { searched: true, ..Self::new(text, role) }
    }

    fn line(&self, columns: usize, cut: Cut, filter: &Filter, theme: Theme) -> Line<'static> {
        let text = text::fit(&self.text, columns, cut);
        let base = theme.style(self.role);
        if !self.searched {
            return Line::styled(text, base);
        }
        let ranges = filter.highlights(&text);
        text::highlighted(&text, &ranges, base, theme.style(Role::Match))
    }
}

/// Space between columns.
const GAP: u16 = 2;

/// Widths for columns whose widest text is `natural`, so that all of them fit on `available`.
pub fn widths(columns: &[Column], natural: &[u16], available: u16) -> Vec<u16> {
    let gaps = GAP * u16::try_from(columns.len().saturating_sub(1)).unwrap_or(0);
    let room = available.saturating_sub(gaps);
    let mut widths = natural.to_vec();
    let mut excess = widths.iter().sum::<u16>().saturating_sub(room);
    while excess > 0 {
        // The column that has most above its least gives first.
        let spare = |(position, width): &(usize, &u16)| width.saturating_sub(columns[*position].least);
        let Some((widest, spared)) =
            widths.iter().enumerate().map(|entry| (entry.0, spare(&entry))).max_by_key(|(_, spared)| *spared)
        else {
            break;
        };
        if spared == 0 {
            break;
        }
        widths[widest] -= 1;
        excess -= 1;
    }
    widths
}

/// The widest text of each column, title included.
pub fn natural_widths(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<u16> {
    // A title keeps room for the mark of the sorted column.
    let title = |column: &Column| if column.title.is_empty() { 1 } else { text::width(column.title) + 2 };
    let widest =
        |position: usize| rows.iter().filter_map(|row| row.get(position)).map(|cell| text::width(&cell.text)).max();
    let each = columns.iter().enumerate().map(|(position, column)| widest(position).unwrap_or(0).max(title(column)));
    each.map(|width| u16::try_from(width).unwrap_or(u16::MAX).min(200)).collect()
}

/// One screenful of a list.
#[derive(Debug)]
pub struct Page<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// Widths of the columns.
    pub widths: &'a [u16],
    /// The rows that are visible.
    pub rows: &'a [Vec<Cell>],
    /// Which of them is selected.
    pub selected: Option<usize>,
    /// Whether keys go to this list.
    pub focused: bool,
    /// By which column it is sorted.
    pub sort: Sort,
    /// Whose matches are marked.
    pub filter: &'a Filter,
    /// The colours.
    pub theme: Theme,
}

impl Page<'_> {
    /// Draws titles and rows. The first column holds the mark of the selected row.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect) {
        let titles = self.columns.iter().enumerate().map(|(position, column)| self.title(position, column));
        let rows = self.rows.iter().enumerate().map(|(position, cells)| self.row(position, cells));
        let constraints: Vec<Constraint> = self.widths.iter().map(|width| Constraint::Length(*width)).collect();
        let table = Table::new(rows, constraints)
            .header(Row::new(titles).style(self.theme.style(Role::Muted)))
            .column_spacing(GAP);
        frame.render_widget(table, area);
    }

    fn title(&self, position: usize, column: &Column) -> Line<'static> {
        let sorted = self.sort.column == position && (position > 0 || self.sort.descending);
        let mark = if self.sort.descending { " ▼" } else { " ▲" };
        Line::from(format!("{}{}", column.title, if sorted && !column.title.is_empty() { mark } else { "" }))
    }

    fn row(&self, position: usize, cells: &[Cell]) -> Row<'static> {
        let fitted = cells.iter().zip(self.columns).zip(self.widths);
        let lines: Vec<Line<'static>> = fitted
            .map(|((cell, column), width)| cell.line(usize::from(*width), column.cut, self.filter, self.theme))
            .collect();
        let row = Row::new(lines);
        let selected = self.selected == Some(position);
        if selected && self.focused {
            row.style(self.theme.style(Role::Selected))
        } else if selected {
            row.style(self.theme.style(Role::Heading))
        } else {
            row
        }
    }
}

/// Which column stands at `x`, counted from the list's left edge.
pub fn column_at(widths: &[u16], x: u16) -> Option<usize> {
    let mut start = 0;
    for (position, width) in widths.iter().enumerate() {
        if (start..start + width + GAP).contains(&x) {
            return Some(position);
        }
        start += width + GAP;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { title: "", least: 1, cut: Cut::End },
        Column { title: "TOPIC", least: 6, cut: Cut::Middle },
        Column { title: "OUTCOME", least: 12, cut: Cut::End },
    ];

    #[test]
    fn the_widest_column_gives_first_and_none_below_its_least() {
        assert_eq!(widths(&COLUMNS, &[1, 20, 14], 80), [1, 20, 14]);
        assert_eq!(widths(&COLUMNS, &[1, 20, 14], 33), [1, 14, 14]);
        assert_eq!(widths(&COLUMNS, &[1, 20, 14], 10), [1, 6, 12]);
    }

    #[test]
    fn a_click_finds_its_column() {
        let widths = [1, 6, 12];
        let cases = [(0, Some(0)), (3, Some(1)), (8, Some(1)), (11, Some(2)), (24, Some(2)), (25, None)];
        for (x, column) in cases {
            assert_eq!(column_at(&widths, x), column, "{x}");
        }
    }
}
