//! The terminal screen as audience: it runs beside the watch and takes messages.

use std::io;

use tokio::sync::mpsc::UnboundedSender;

use super::Audience;
use crate::capture::Statistics;
use crate::event::Monotonic;
use crate::observation::Observation;
use crate::tui::{self, Message};

/// Hands everything on to the screen.
///
/// The channel has no limit of its own: watch and screen take turns on one thread, and a turn of the watch brings no more than a
/// few drains of the ring buffer. What a slow terminal holds up is lost, and counted, in the kernel.
#[derive(Debug)]
pub struct Screen {
    sender: UnboundedSender<Message>,
    now: Monotonic,
    /// Events and time of the last statistics.
    last: (u64, Monotonic),
}

impl Screen {
    /// The screen is at the other end of `sender`.
    pub fn new(sender: UnboundedSender<Message>) -> Self {
        Self { sender, now: Monotonic(0), last: (0, Monotonic(0)) }
    }

    fn send(&self, message: Message) -> io::Result<()> {
        self.sender.send(message).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Audience for Screen {
    fn observations(&mut self, observations: &mut Vec<Observation>) -> io::Result<()> {
        self.send(Message::Observations(std::mem::take(observations)))
    }

    fn advance(&mut self, now: Monotonic) -> io::Result<()> {
        self.now = now;
        self.send(Message::Advance(now))
    }

    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        let seconds = self.now.since(self.last.1).as_secs_f64();
        let events = statistics.events.saturating_sub(self.last.0);
        let events_per_second = if seconds > 0.0 { events as f64 / seconds } else { 0.0 };
        self.last = (statistics.events, self.now);
        self.send(Message::Statistics(tui::Statistics { events_per_second, lost: statistics.lost }))
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        self.send(Message::Notice(text.to_owned()))
    }

    fn trace_wanted(&mut self) -> io::Result<()> {
        self.send(Message::TraceWanted)
    }

    async fn gone(&mut self) {
        self.sender.closed().await;
    }

    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()> {
        self.statistics(statistics)?;
        self.advance(now)?;
        self.send(Message::Quit)
    }
}
