//! Samples of user data, counted by writer, way and socket.

use super::datagram::Datagram;
use super::{REPEAT_NS, Rtps};
use crate::event::{Monotonic, ProcessRef, SocketRef};
use crate::observation::What;
use crate::observation::dds::{Dds, Guid};

#[derive(Debug, Default)]
pub(super) struct Counter {
    pub messages: u64,
    pub bytes: u64,
    /// When its totals were told last, and what they were.
    pub told: Option<(Monotonic, (u64, u64))>,
    pub from: Option<(Option<ProcessRef>, SocketRef)>,
}

impl Rtps {
    pub(super) fn count(
        &mut self,
        datagram: &Datagram<'_>,
        writer: Guid,
        messages: u64,
        bytes: usize,
        emit: &mut dyn FnMut(What),
    ) {
        if !self.counting {
            return;
        }
        let key = (writer, datagram.direction, datagram.socket.id);
        let Some(counter) = self.writers.entry(key, datagram.now) else {
            self.limit("writers", self.writers.limit(), emit);
            return;
        };
        counter.messages += messages;
        counter.bytes += bytes as u64;
        if counter.from.is_none() {
            counter.from = Some((datagram.process.cloned(), datagram.socket.clone()));
        }
        let due = counter.told.is_none_or(|(at, _)| datagram.now.since(at).as_nanos() >= u128::from(REPEAT_NS));
        if due && messages > 0 {
            counter.told = Some((datagram.now, (counter.messages, counter.bytes)));
            let (messages, bytes) = (counter.messages, counter.bytes);
            emit(What::Dds(Dds::UserData { direction: datagram.direction, writer, messages, bytes }));
        }
    }

    /// The capture is over: counts that were not told yet.
    pub(super) fn tell_counts(&mut self, emit: &mut dyn FnMut(Option<ProcessRef>, Option<SocketRef>, What)) {
        let mut counted: Vec<_> = self.writers.drain().collect();
        counted.sort_by_key(|(key, _)| *key);
        for ((writer, direction, _), Counter { messages, bytes, told, from }) in counted {
            if told.is_none_or(|(_, told)| told != (messages, bytes))
                && let Some((process, socket)) = from
            {
                emit(process, Some(socket), What::Dds(Dds::UserData { direction, writer, messages, bytes }));
            }
        }
    }
}
