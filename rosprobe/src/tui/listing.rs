//! A list that can be moved through, sorted, and refilled while a person reads it.

use crate::event::ProcessRef;
use crate::graph::LinkId;
use crate::observation::ObservationId;
use crate::observation::dds::{Guid, GuidPrefix};

/// What a row stands for. Rows move; what they stand for stays selected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// A link.
    Link(LinkId),
    /// A process.
    Process(ProcessRef),
    /// A host as it is advertised.
    Host(String),
    /// An observation.
    Observation(ObservationId),
    /// A finding, by its id.
    Finding(String),
    /// A domain of ROS 2; none for participants whose domain is unknown.
    Domain(Option<u32>),
    /// A participant.
    Participant(GuidPrefix),
    /// A writer or a reader.
    Endpoint(Guid),
}

/// By which column a list is sorted. Column 0 is the view's own order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// The column, counted from 0 as on the screen.
    pub column: usize,
    /// Turned round.
    pub descending: bool,
}

/// What the selection holds on to when rows change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Hold {
    /// The first row, whatever it is: nobody has moved yet, or moved back to the top.
    #[default]
    First,
    /// The last row, whatever it is.
    Last,
    /// This row.
    Key(RowKey),
}

/// Rows that passed the filter, with a selection and a scroll position.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    keys: Vec<RowKey>,
    total: usize,
    selected: usize,
    offset: usize,
    hold: Hold,
    sort: Sort,
}

impl Listing {
    /// A list whose selection follows its end.
    pub fn following() -> Self {
        Self { hold: Hold::Last, ..Self::default() }
    }

    /// The rows.
    pub fn keys(&self) -> &[RowKey] {
        &self.keys
    }

    /// How many rows there are without the filter.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Position of the selected row.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// What the selected row stands for.
    pub fn key(&self) -> Option<&RowKey> {
        self.keys.get(self.selected)
    }

    /// By which column it is sorted.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Sorts by a column; by the one that it is sorted by already: turns the order round.
    pub fn sort_by(&mut self, column: usize) {
        let descending = self.sort.column == column && !self.sort.descending;
        self.sort = Sort { column, descending };
    }

    /// Takes the rows anew; what was selected stays selected.
    pub fn replace(&mut self, keys: Vec<RowKey>, total: usize) {
        self.keys = keys;
        self.total = total;
        self.settle();
    }

    /// Drops rows from the start and adds rows at the end.
    pub fn slide(&mut self, dropped: usize, added: impl IntoIterator<Item = RowKey>, total: usize) {
        self.keys.drain(..dropped.min(self.keys.len()));
        self.keys.extend(added);
        self.total = total;
        self.offset = self.offset.saturating_sub(dropped);
        self.selected = self.selected.saturating_sub(dropped);
        self.settle();
    }

    fn settle(&mut self) {
        let last = self.keys.len().saturating_sub(1);
        self.selected = match &self.hold {
            Hold::First => 0,
            Hold::Last => last,
            Hold::Key(key) if self.keys.get(self.selected) == Some(key) => self.selected,
            Hold::Key(key) => self.keys.iter().position(|other| other == key).unwrap_or(self.selected.min(last)),
        };
    }

    /// Moves the selection by so many rows.
    pub fn step(&mut self, rows: isize) {
        self.select(self.selected.saturating_add_signed(rows));
    }

    /// Selects a row; the last one when there are fewer.
    pub fn select(&mut self, row: usize) {
        let last = self.keys.len().saturating_sub(1);
        self.selected = row.min(last);
        self.hold = match self.keys.get(self.selected) {
            Some(key) if self.selected > 0 => Hold::Key(key.clone()),
            _ => Hold::First,
        };
    }

    /// Selects the last row and follows the end from now on.
    pub fn select_last(&mut self) {
        self.selected = self.keys.len().saturating_sub(1);
        self.hold = Hold::Last;
    }

    /// The rows that fit on a page of `height` rows, scrolled so that the selected one is among them.
    pub fn page(&mut self, height: usize) {
        let height = height.max(1);
        let furthest = self.keys.len().saturating_sub(height);
        let lowest = (self.selected + 1).saturating_sub(height);
        self.offset = self.offset.clamp(lowest, self.selected.max(lowest)).min(furthest);
    }

    /// Position of the first row on the screen.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(numbers: impl IntoIterator<Item = u32>) -> Vec<RowKey> {
        numbers.into_iter().map(|number| RowKey::Link(LinkId(number))).collect()
    }

    #[test]
    fn what_was_selected_stays_selected_when_rows_move() {
        let mut list = Listing::default();
        list.replace(rows(0..5), 5);
        list.step(2);
        list.replace(rows([9, 8, 0, 1, 2]), 5);
        assert_eq!(list.key(), Some(&RowKey::Link(LinkId(2))));
        list.replace(rows([7]), 5);
        assert_eq!(list.selected(), 0);
    }

    #[test]
    fn until_somebody_moves_the_first_row_is_the_selected_one() {
        let mut list = Listing::default();
        list.replace(rows([1]), 1);
        list.replace(rows([2, 1]), 2);
        assert_eq!(list.key(), Some(&RowKey::Link(LinkId(2))));
    }

    #[test]
    fn a_following_list_stays_at_its_end_until_moved() {
        let mut list = Listing::following();
        list.replace(rows(0..3), 3);
        list.slide(1, rows(3..5), 4);
        assert_eq!(list.key(), Some(&RowKey::Link(LinkId(4))));
        list.step(-1);
        list.slide(1, rows(5..7), 5);
        assert_eq!(list.key(), Some(&RowKey::Link(LinkId(3))));
        list.select_last();
        list.slide(0, rows([7]), 6);
        assert_eq!(list.key(), Some(&RowKey::Link(LinkId(7))));
    }

    #[test]
    fn the_selected_row_is_always_on_the_page() {
        let mut list = Listing::default();
        list.replace(rows(0..100), 100);
        for (row, height) in [(0, 10), (9, 10), (10, 10), (99, 10), (50, 3), (50, 200), (3, 0)] {
            list.select(row);
            list.page(height);
            assert!(list.offset() <= list.selected() && list.selected() < list.offset() + height.max(1));
        }
        list.replace(Vec::new(), 0);
        list.page(5);
        assert_eq!((list.offset(), list.selected(), list.key()), (0, 0, None));
    }

    #[test]
    fn sorting_twice_by_a_column_turns_it_round() {
        let mut list = Listing::default();
        list.sort_by(2);
        assert_eq!(list.sort(), Sort { column: 2, descending: false });
        list.sort_by(2);
        assert_eq!(list.sort(), Sort { column: 2, descending: true });
        list.sort_by(1);
        assert_eq!(list.sort(), Sort { column: 1, descending: false });
    }
}
