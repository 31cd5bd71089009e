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

/// Where columns stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Width of each column.
    pub columns: Vec<u16>,
    /// Space between them.
    pub gap: u16,
}

impl Widths {
    /// Widths for columns whose widest text is `natural`, so that all of them fit on `available`. The column that has most above its
    /// least gives first; the gaps before anything is cut.
    pub fn new(columns: &[Column], natural: &[u16], available: u16) -> Self {
        let gaps = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(0);
        let wanted = natural.iter().sum::<u16>();
        let gap = if wanted + 2 * gaps <= available { 2 } else { 1 };
        let mut widths = natural.to_vec();
        let mut excess = wanted.saturating_sub(available.saturating_sub(gap * gaps));
        while excess > 0 {
            let spare = |(position, width): (usize, &u16)| (width.saturating_sub(columns[position].least), position);
            match widths.iter().enumerate().map(spare).max() {
                Some((1.., widest)) => widths[widest] -= 1,
                _ => break,
            }
            excess -= 1;
        }
        Self { columns: widths, gap }
    }

    /// Which column stands at `x`, counted from the list's left edge.
    pub fn column_at(&self, x: u16) -> Option<usize> {
        let mut end = 0;
        self.columns.iter().position(|width| {
            end += width + self.gap;
            x < end
        })
    }
}

/// The widest text of each column, title included.
pub fn natural_widths(columns: &[Column], rows: &[Vec<Cell>], sort: Sort) -> Vec<u16> {
    let title = |(position, column): (usize, &Column)| text::width(&titled(position, column, sort));
    let widest = |position: usize| {
        rows.iter().filter_map(|row| row.get(position)).map(|cell| text::width(&cell.text)).max().unwrap_or(0)
    };
    let each = columns.iter().enumerate().map(|(position, column)| widest(position).max(title((position, column))));
    each.map(|width| u16::try_from(width).unwrap_or(u16::MAX).min(200)).collect()
}

/// A column's title; with a mark where the list is sorted by it.
fn titled(position: usize, column: &Column, sort: Sort) -> String {
    let sorted = sort.column == position && (position > 0 || sort.descending);
    let mark = match sorted && !column.title.is_empty() {
        true if sort.descending => " ▼",
        true => " ▲",
        false => "",
    };
    format!("{}{mark}", column.title)
}

/// One screenful of a list.
#[derive(Debug)]
pub struct Page<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// Widths of the columns.
    pub widths: &'a Widths,
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
        let title = |(position, (column, width)): (usize, (&Column, &u16))| {
            Line::from(text::fit(&titled(position, column, self.sort), usize::from(*width), Cut::End))
        };
        let titles = self.columns.iter().zip(&self.widths.columns).enumerate().map(title);
        let rows = self.rows.iter().enumerate().map(|(position, cells)| self.row(position, cells));
        let constraints: Vec<Constraint> = self.widths.columns.iter().map(|width| Constraint::Length(*width)).collect();
        let table = Table::new(rows, constraints)
            .header(Row::new(titles).style(self.theme.style(Role::Muted)))
            .column_spacing(self.widths.gap);
        frame.render_widget(table, area);
    }

    fn row(&self, position: usize, cells: &[Cell]) -> Row<'static> {
        let fitted = cells.iter().zip(self.columns).zip(&self.widths.columns);
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
        for (available, expected, gap) in [(80, [1, 20, 14], 2), (34, [1, 17, 14], 1), (10, [1, 6, 12], 1)] {
            let widths = Widths::new(&COLUMNS, &[1, 20, 14], available);
            assert_eq!((&widths.columns[..], widths.gap), (&expected[..], gap), "{available}");
        }
    }

    #[test]
    fn a_click_finds_its_column() {
        let widths = Widths { columns: vec![1, 6, 12], gap: 2 };
        let cases = [(0, Some(0)), (3, Some(1)), (8, Some(1)), (11, Some(2)), (24, Some(2)), (25, None)];
        for (x, column) in cases {
            assert_eq!(widths.column_at(x), column, "{x}");
        }
    }
}
