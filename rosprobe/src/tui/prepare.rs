//! Rows and detail, made from the state before a picture is drawn.
//!
//! What a person asks for is made at once. What comes in is followed a few times a second where there is much of it, so that a flood
//! costs no more than the pictures that anybody can read; the conversation, which only grows, is followed at every picture.

use super::conversation;
use super::detail;
use super::follow::{FEW_LINKS, FOLLOW_EVERY};
use super::listing::{RowKey, Sort};
use super::rows;
use super::state::{App, Place, Rows};
use super::view::ViewKind;
use crate::event::Monotonic;
use crate::observation::ObservationId;

/// Observations that are looked through for one frame: what a slow machine does in a part of one.
const LOOKED_THROUGH: usize = 10_000;

impl App {
    /// Brings rows and detail up to date; to be called before drawing.
    pub fn prepare(&mut self) {
        // With much coming in, findings are made anew a few times a second of what is watched.
        if self.scene.behind() >= FOLLOW_EVERY {
            self.scene.advance(Monotonic(0));
        }
        let mut more = false;
        let due = self.rows_due();
        if due {
            if self.rows != Rows::Part && self.selection.relate(&self.scene, self.view) {
                self.prepared.told = None;
            }
            more = self.fill();
            self.prepared.made_at = self.scene.latest();
        }
        if let Some(areas) = self.areas() {
            self.list_mut().page(usize::from(areas.rows));
            self.prepare_page(usize::from(areas.detail.width), due);
            self.scroll = self.scroll.min(self.furthest_scroll());
        }
        if due {
            self.rows = match more {
                true => Rows::Part,
                false if std::mem::take(&mut self.prepared.interrupted) => Rows::Behind,
                false => Rows::Fresh,
            };
        }
        self.changed = more;
    }

    fn rows_due(&self) -> bool {
        match self.rows {
            Rows::Fresh => false,
            Rows::Stale | Rows::Part => true,
            Rows::Behind => {
                let only_grows = self.view == ViewKind::Conversation && self.selection.is_everything();
                let few = self.prepared.counts.total() <= FEW_LINKS;
                only_grows || few || self.scene.latest().since(self.prepared.made_at) >= FOLLOW_EVERY
            }
        }
    }

    /// True when there is more to look through.
    fn fill(&mut self) -> bool {
        self.prepared.counts = self.scene.session().link_counts();
        self.prepared.nodes = self.scene.graph().nodes().count();
        if self.view == ViewKind::Conversation {
            return self.fill_conversation();
        }
        rows::gather(self);
        let (keys, total) = rows::keys(self);
        self.list_mut().replace(keys, total);
        false
    }

    /// Looks through what came in since the last time, a frame's worth at once; true when there is more.
    fn fill_conversation(&mut self) -> bool {
        let list = &mut self.lists[ViewKind::Conversation as usize];
        let history = self.scene.session().history();
        let sort = list.sort();
        if self.prepared.told.is_none() {
            list.replace(Vec::new(), 0);
            self.prepared.sorted.clear();
        }
        let start = self.prepared.told.map_or(0, |told| history.partition_point(|seen| seen.id <= told));
        let end = history.len().min(start + LOOKED_THROUGH);
        let said = history.range(start..end).filter(|seen| conversation::is_said(&seen.what));
        let mut count = 0;
        let mut passed = Vec::new();
        for observation in said {
            count += 1;
            if self.selection.observation(&self.scene, observation) {
                passed.push(observation);
            }
        }
        let kept_from = history.front().map_or(ObservationId(0), |oldest| oldest.id);
        if sort == Sort::default() {
            let dropped = list.keys().partition_point(|key| matches!(key, RowKey::Observation(id) if *id < kept_from));
            let total = (list.total() + count).saturating_sub(dropped);
            list.slide(dropped, passed.into_iter().map(|seen| RowKey::Observation(seen.id)), total);
        } else {
            let mut places: Vec<Place> =
                passed.into_iter().map(|seen| conversation::place(seen, sort.column)).collect();
            places.sort_unstable();
            let sorted = &mut self.prepared.sorted;
            let before = sorted.len();
            sorted.retain(|(.., id)| *id >= kept_from);
            let dropped = before - sorted.len();
            *sorted = merged(sorted, &places);
            let key = |(.., id): &Place| RowKey::Observation(*id);
            let keys =
                if sort.descending { sorted.iter().rev().map(key).collect() } else { sorted.iter().map(key).collect() };
            list.replace(keys, (list.total() + count).saturating_sub(dropped));
        }
        self.prepared.told = history.range(..end).next_back().map(|newest| newest.id);
        end < history.len()
    }

    fn prepare_page(&mut self, width: usize, rows_are_new: bool) {
        let Some(key) = self.list().key().cloned() else {
            self.prepared.page.clear();
            self.prepared.page_of = None;
            return;
        };
        let made_for = Some((key, width, self.raw));
        if !rows_are_new && self.prepared.page_of == made_for {
            return;
        }
        if let Some((key, ..)) = &made_for {
            let frame = detail::Frame { width, raw: self.raw, theme: self.options.theme };
            let known = detail::Known {
                scene: &self.scene,
                hosts: &self.prepared.hosts,
                tally: &self.prepared.tally,
                ends: &self.prepared.ends,
            };
            self.prepared.page = detail::page(&known, key, frame);
        }
        self.prepared.page_of = made_for;
    }
}

/// Two sorted lists as one.
fn merged(one: &[Place], other: &[Place]) -> Vec<Place> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one, other);
    while let (Some(first), Some(second)) = (one.first(), other.first()) {
        if first <= second {
            all.push(*first);
            one = &one[1..];
        } else {
            all.push(*second);
            other = &other[1..];
        }
    }
    all.extend_from_slice(one);
    all.extend_from_slice(other);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_everything_in_order() {
        let place = |number: u64| (u128::from(number / 3), 0, ObservationId(number));
        let places = |numbers: &[u64]| numbers.iter().map(|number| place(*number)).collect::<Vec<_>>();
        for (one, other, expected) in [
            (&[1, 4, 9][..], &[2, 3, 10][..], &[1, 2, 3, 4, 9, 10][..]),
            (&[], &[5], &[5]),
            (&[5], &[], &[5]),
            (&[1, 2], &[7, 8], &[1, 2, 7, 8]),
        ] {
            assert_eq!(merged(&places(one), &places(other)), places(expected));
        }
    }
}
