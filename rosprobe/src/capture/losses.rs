//! What found the ring buffer full: how much exactly, and whose it was.

use std::collections::HashMap;

use aya::maps::{HashMap as BpfHashMap, MapData};
use rosprobe_common::{Kind, Loss, Record};

use super::record::Parsed;

/// [`Loss`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct LossPod(Loss);

// SAFETY: `Loss` is `repr(C)`, integers only and without padding, so that every bit pattern is one.
unsafe impl aya::Pod for LossPod {}

/// Records lost, by socket.
pub(super) type LossMap = BpfHashMap<MapData, u64, LossPod>;

/// What a socket lost since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// Records.
    pub events: u64,
    /// What is known of socket and process.
    pub record: Record,
    /// Whether the end of the socket is among them.
    pub closed: bool,
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// By socket, as far as the kernel side remembers it.
    told: HashMap<u64, u64>,
    /// All that was told, of sockets and of nobody.
    total: u64,
}

impl Losses {
    /// Whether more was lost than was told.
    pub fn is_news(&self, total: u64) -> bool {
        total > self.total
    }

    /// What was lost since the last time: by socket, and besides what is nobody's. `total` is read after the sockets' own counts, so that
    /// it holds them all. What is younger than `until` waits: records from before it may still be on their way. So does what is nobody's
    /// while we are `behind`: it concerns whoever is known then.
    pub fn since_last_time(
        &mut self,
        counts: &[(u64, Loss)],
        total: u64,
        until: u64,
        behind: bool,
    ) -> (Vec<Lost>, u64) {
        let mut found = Vec::new();
        let mut told = HashMap::new();
        let mut waiting = 0;
        for (socket, loss) in counts {
            let before = self.told.get(socket).copied().unwrap_or(0);
            // One that was forgotten meanwhile counts from 0 again.
            let events = if loss.count < before { loss.count } else { loss.count - before };
            if loss.record.time > until {
                waiting += events;
                told.insert(*socket, loss.count - events);
                continue;
            }
            told.insert(*socket, loss.count);
            if events > 0 {
                let closed = Kind::from_number(loss.record.kind) == Some(Kind::Closed);
                found.push(Lost { events, record: loss.record, closed });
            }
        }
        found.sort_by_key(|lost| lost.record.time);
        self.told = told;
        let of_sockets: u64 = found.iter().map(|lost| lost.events).sum();
        let of_nobody = total.saturating_sub(self.total).saturating_sub(of_sockets + waiting);
        let of_nobody = if behind { 0 } else { of_nobody };
        self.total += of_sockets + of_nobody;
        (found, of_nobody)
    }
}

impl Lost {
    /// Socket and process, in the form in which records have them.
    pub fn parsed(&self) -> Parsed<'static> {
        // Which one it was decides what its addresses mean, and nothing else; of one that is none it is told like a payload's.
        let kind = Kind::from_number(self.record.kind).unwrap_or(Kind::Stream);
        Parsed { record: self.record, kind, payload: &[] }
    }
}

/// All counts that can be read.
pub(super) fn counts(map: &LossMap) -> Vec<(u64, Loss)> {
    map.iter().flatten().map(|(socket, LossPod(loss))| (socket, loss)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(count: u64, time: u64, kind: Kind) -> Loss {
        Loss { count, record: Record { time, kind: kind as u16, ..Loss::NONE.record } }
    }

    fn told(losses: &mut Losses, counts: &[(u64, Loss)], total: u64, until: u64) -> (Vec<(u64, bool)>, u64) {
        let (found, nobody) = losses.since_last_time(counts, total, until, false);
        (found.iter().map(|lost| (lost.events, lost.closed)).collect(), nobody)
    }

    #[test]
    fn every_loss_is_told_once_and_the_sum_is_exact() {
        let mut losses = Losses::default();
        let first = [(1, loss(3, 10, Kind::Stream)), (2, loss(2, 11, Kind::Closed))];
        assert_eq!(told(&mut losses, &first, 6, 100), (vec![(3, false), (2, true)], 1));
        assert_eq!(told(&mut losses, &first, 6, 100), (vec![], 0));
        let more = [(1, loss(7, 12, Kind::Stream)), (2, loss(2, 11, Kind::Closed))];
        assert_eq!(told(&mut losses, &more, 10, 100), (vec![(4, false)], 0));
    }

    #[test]
    fn what_may_have_records_on_their_way_waits() {
        let mut losses = Losses::default();
        let young = [(1, loss(3, 200, Kind::Stream))];
        assert_eq!(told(&mut losses, &young, 5, 100), (vec![], 2), "what is nobody's does not wait");
        assert_eq!(told(&mut losses, &young, 5, 200), (vec![(3, false)], 0));
    }

    #[test]
    fn what_is_nobodys_waits_until_what_came_before_it_was_read() {
        let mut losses = Losses::default();
        let old = [(1, loss(3, 10, Kind::Stream))];
        let (found, nobody) = losses.since_last_time(&old, 5, 100, true);
        assert_eq!((found.len(), nobody), (1, 0));
        assert_eq!(told(&mut losses, &old, 5, 100), (vec![], 2));
    }

    #[test]
    fn a_socket_that_the_kernel_side_forgot_leaves_its_losses_to_nobody() {
        let mut losses = Losses::default();
        assert_eq!(told(&mut losses, &[(1, loss(5, 10, Kind::Stream))], 5, 100), (vec![(5, false)], 0));
        // Forgotten after 4 more, and met again.
        assert_eq!(told(&mut losses, &[(1, loss(2, 20, Kind::Stream))], 11, 100), (vec![(2, false)], 4));
        assert_eq!(told(&mut losses, &[], 12, 100), (vec![], 1));
    }
}
