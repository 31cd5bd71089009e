//! Connect attempts of one TCP socket: many facts, in any order, to one beginning and exactly one end.
//!
//! On loopback the failure of a non-blocking connect is reported before `connect()` has returned EINPROGRESS, an immediate
//! failure changes no socket state at all, and roscpp learns its error from the first write. So facts belong to an attempt by
//! their times and by what the attempt still lacks, not by the order in which they come.

use crate::errno::Errno;
use crate::event::{Direction, Monotonic};
use crate::observation::{AbandonCause, ErrorSource, What};

/// Follows the connect attempts of one TCP socket.
#[derive(Debug, Default)]
pub struct Tracker {
    attempt: Option<Attempt>,
    /// Established without an attempt seen: accepted, open before the capture, or bytes went through it.
    open: bool,
    accepted: bool,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that was seen or not, in any combination")]
struct Attempt {
    began: Monotonic,
    /// A beginning was said: a SYN went out or `connect()` answered EINPROGRESS.
    said: bool,
    syn_sent: bool,
    returned: bool,
    /// A failure was reported again by a later `connect()`.
    reported_again: bool,
    /// Something was not seen, which may have been its end.
    lost: bool,
    syn_retransmits: u32,
    /// Noted by the kernel while it goes on trying; decides if the process gives up.
    soft_error: Option<Errno>,
    end: Option<(End, Monotonic)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Connected,
    Failed { errno: Errno, asynchronous: bool },
    Abandoned,
}

/// What a return value of `connect()` says of the attempt.
enum Result {
    Connected,
    Under,
    Failed(Errno),
}

impl Attempt {
    fn new(began: Monotonic) -> Self {
        let (said, syn_sent, returned) = (false, false, false);
        let (reported_again, lost, syn_retransmits) = (false, false, 0);
        Self { began, said, syn_sent, returned, reported_again, lost, syn_retransmits, soft_error: None, end: None }
    }

    fn pending(&self) -> bool {
        self.end.is_none()
    }

    fn ended_before(&self, time: Monotonic) -> bool {
        self.end.is_some_and(|(_, end)| end < time)
    }

    fn say_started(&mut self, emit: &mut impl FnMut(What)) {
        if self.pending() && !std::mem::replace(&mut self.said, true) {
            emit(What::ConnectStarted);
        }
    }

    fn connected(&mut self, time: Monotonic, emit: &mut impl FnMut(What)) {
        if self.pending() {
            self.end = Some((End::Connected, time));
            emit(What::Connected { after_ns: self.after(time) });
        }
    }

    fn failed(&mut self, errno: Errno, source: ErrorSource, time: Monotonic, emit: &mut impl FnMut(What)) {
        if self.pending() {
            let asynchronous = source != ErrorSource::Connect;
            self.end = Some((End::Failed { errno, asynchronous }, time));
            let (after_ns, syn_retransmits) = (self.after(time), self.syn_retransmits);
            emit(What::ConnectFailed { errno, after_ns, syn_retransmits, reported_by: source });
        }
    }

    fn abandoned(&mut self, cause: AbandonCause, time: Monotonic, emit: &mut impl FnMut(What)) {
        if self.pending() {
            self.end = Some((End::Abandoned, time));
            let (after_ns, syn_retransmits) = (self.after(time), self.syn_retransmits);
            emit(What::ConnectAbandoned { after_ns, syn_retransmits, cause });
        }
    }

    fn after(&self, time: Monotonic) -> u64 {
        time.0.saturating_sub(self.began.0)
    }
}

impl Tracker {
    /// The socket was open before the capture began.
    pub fn already_open(&mut self) {
        self.open = true;
    }

    /// True while an attempt has no end.
    pub fn pending(&self) -> bool {
        self.attempt.as_ref().is_some_and(Attempt::pending)
    }

    /// `connect()` returned at `time`, having taken `took_ns`.
    pub fn returned(&mut self, errno: Option<Errno>, took_ns: u64, time: Monotonic, emit: &mut impl FnMut(What)) {
        let began = Monotonic(time.0.saturating_sub(took_ns));
        let result = match errno {
            None | Some(Errno::EISCONN) => Result::Connected,
            // An interrupted connect() goes on by itself, as connect(2) says.
            Some(Errno::EINPROGRESS | Errno::EALREADY | Errno::EINTR) => Result::Under,
            Some(errno) => Result::Failed(errno),
        };
        if self.is_news(errno, began) {
            if matches!(errno, Some(Errno::EISCONN | Errno::EALREADY)) && (self.open || self.attempt.is_some()) {
                return;
            }
            self.attempt = Some(Attempt::new(began));
        }
        let Some(attempt) = &mut self.attempt else { return };
        attempt.returned = true;
        if !attempt.syn_sent {
            attempt.began = attempt.began.min(began);
        }
        match result {
            Result::Connected => attempt.connected(time, emit),
            Result::Under => attempt.say_started(emit),
            Result::Failed(errno) => attempt.failed(errno, ErrorSource::Connect, time, emit),
        }
    }

    /// Whether a return of a `connect()` that was called at `began` is of an attempt that is not known yet.
    fn is_news(&mut self, errno: Option<Errno>, began: Monotonic) -> bool {
        let Some(attempt) = &mut self.attempt else { return true };
        if attempt.pending() || !attempt.returned || !attempt.ended_before(began) {
            return false;
        }
        match (attempt.end, errno) {
            // The next connect() after an asynchronous failure reports it again, or ECONNABORTED when it was fetched before.
            (Some((End::Failed { errno: known, asynchronous: true }, _)), Some(errno))
                if (errno == known || errno == Errno::ECONNABORTED) && !attempt.reported_again =>
            {
                attempt.reported_again = true;
                false
            }
            // The first connect() after a non-blocking one has succeeded returns 0, the next EISCONN.
            (Some((End::Connected, _)), None) => false,
            _ => true,
        }
    }

    /// A SYN went out.
    pub fn syn_sent(&mut self, time: Monotonic, emit: &mut impl FnMut(What)) {
        if let Some(attempt) = &mut self.attempt
            && attempt.pending()
            && attempt.syn_sent
        {
            // The end of the one before was not seen.
            attempt.abandoned(AbandonCause::LostSight, time, emit);
            self.attempt = None;
        }
        let attempt = match &mut self.attempt {
            Some(attempt) if !attempt.ended_before(time) => attempt,
            other => other.insert(Attempt::new(time)),
        };
        attempt.syn_sent = true;
        attempt.began = attempt.began.min(time);
        attempt.say_started(emit);
    }

    /// The connection is established, `incoming` when this end accepted it.
    pub fn established(&mut self, incoming: bool, time: Monotonic, emit: &mut impl FnMut(What)) {
        if incoming {
            self.open = true;
            if !std::mem::replace(&mut self.accepted, true) {
                emit(What::Accepted);
            }
            return;
        }
        let attempt = match &mut self.attempt {
            Some(attempt) if matches!(attempt.end, Some((End::Connected, _))) || !attempt.ended_before(time) => attempt,
            None if self.open => return,
            other => other.insert(Attempt::new(time)),
        };
        attempt.connected(time, emit);
    }

    /// A SYN was sent again.
    pub fn syn_retransmitted(&mut self, time: Monotonic, emit: &mut impl FnMut(What)) {
        if self.open {
            return;
        }
        let attempt = self.attempt.get_or_insert_with(|| Attempt::new(time));
        if attempt.pending() {
            attempt.say_started(emit);
            attempt.syn_retransmits = attempt.syn_retransmits.saturating_add(1);
            emit(What::SynRetransmitted { count: attempt.syn_retransmits, after_ns: attempt.after(time) });
        }
    }

    /// The kernel, or a packet, reported an error.
    pub fn error(&mut self, errno: Errno, source: ErrorSource, time: Monotonic, emit: &mut impl FnMut(What)) {
        match &mut self.attempt {
            Some(attempt) if matches!(attempt.end, Some((End::Connected, _))) => emit(What::SocketError { errno }),
            Some(attempt) => attempt.failed(errno, source, time, emit),
            None if self.open => emit(What::SocketError { errno }),
            none => none.insert(Attempt::new(time)).failed(errno, source, time, emit),
        }
    }

    /// The kernel noted an error and goes on trying: no end yet, unless the process takes it for one and closes the socket.
    pub fn soft_error(&mut self, errno: Errno) {
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.pending()) {
            attempt.soft_error = Some(errno);
        }
    }

    /// A send or receive failed, `count` times in a row.
    pub fn io_failed(
        &mut self,
        direction: Direction,
        errno: Errno,
        count: u64,
        time: Monotonic,
        emit: &mut impl FnMut(What),
    ) {
        match &mut self.attempt {
            Some(attempt) if matches!(attempt.end, Some((End::Connected, _))) => {}
            // Only says that the socket is not connected, which is known.
            _ if !self.open && matches!(errno, Errno::EAGAIN | Errno::EINTR | Errno::EPIPE | Errno::ENOTCONN) => return,
            Some(attempt) => return attempt.failed(errno, ErrorSource::FirstIo, time, emit),
            // An established connection never answers so (RFC 9293 3.10.7.3: it is the answer to a SYN).
            none if !self.open && errno == Errno::ECONNREFUSED => {
                return none.insert(Attempt::new(time)).failed(errno, ErrorSource::FirstIo, time, emit);
            }
            None => {}
        }
        emit(What::IoFailed { direction, errno, count });
    }

    /// Bytes went through the socket: it is connected, whoever did not say so.
    pub fn data(&mut self, direction: Direction, time: Monotonic, emit: &mut impl FnMut(What)) {
        match &mut self.attempt {
            // With TCP Fast Open bytes are sent before.
            Some(attempt) if direction == Direction::Received => attempt.connected(time, emit),
            Some(_) => {}
            None => self.open = true,
        }
    }

    /// Events of this socket were lost.
    pub fn lost(&mut self) {
        match &mut self.attempt {
            Some(attempt) => attempt.lost = true,
            // What comes next is not its beginning.
            None => self.open = true,
        }
    }

    /// Nothing more will be heard of an attempt.
    pub fn ended(&mut self, cause: AbandonCause, time: Monotonic, emit: &mut impl FnMut(What)) {
        let Some(attempt) = &mut self.attempt else { return };
        let cause = if attempt.lost { AbandonCause::LostSight } else { cause };
        match attempt.soft_error {
            Some(errno) if cause == AbandonCause::Closed => {
                attempt.failed(errno, ErrorSource::SocketError, time, emit);
            }
            _ => attempt.abandoned(cause, time, emit),
        }
    }
}

#[cfg(test)]
mod tests;
