//! The live loop with the screen as its audience.

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use super::{Audience, COMMAND_END, Capture, Command, watch};
use crate::capture::Statistics;
use crate::decode::Decoder;
use crate::event::Monotonic;
use crate::observation::Observation;
use crate::session::Session;
use crate::trace::Meta;
use crate::tui::{self, Message, Options};

/// Hands everything on to the screen.
///
/// The channel has no limit of its own: loop and screen take turns on one thread, and the loop's turn brings no more than one
/// drain of the ring buffer. What a slow terminal holds up is lost, and counted, in the kernel.
#[derive(Debug)]
struct OnScreen {
    screen: UnboundedSender<Message>,
    /// Events so far, and when that was.
    before: Option<(u64, Monotonic)>,
    now: Monotonic,
}

impl OnScreen {
    fn new() -> (Self, UnboundedReceiver<Message>) {
        let (screen, feed) = mpsc::unbounded_channel();
        (Self { screen, before: None, now: Monotonic(0) }, feed)
    }

    fn send(&self, message: Message) -> io::Result<()> {
        self.screen.send(message).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Audience for OnScreen {
    fn observations(&mut self, observations: Vec<Observation>) -> io::Result<()> {
        self.send(Message::Observations(observations))
    }

    fn advance(&mut self, now: Monotonic) -> io::Result<()> {
        self.now = now;
        self.send(Message::Advance(now))
    }

    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        let (events, since) = self.before.replace((statistics.events, self.now)).unwrap_or_default();
        let seconds = self.now.since(since).max(Duration::from_millis(1)).as_secs_f64();
        let events_per_second = statistics.events.saturating_sub(events) as f64 / seconds;
        self.send(Message::Statistics(tui::Statistics { events_per_second, lost: statistics.lost }))
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        self.send(Message::Notice(text.to_owned()))
    }

    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()> {
        self.statistics(statistics)?;
        self.send(Message::Advance(now))?;
        self.send(Message::Quit)
    }
}

/// Watches, on the screen, until somebody leaves it, or a signal, the end of the duration or the end of the command. Gives back
/// what was seen. The command is asked to end when somebody leaves, and killed when it does not.
pub async fn watch_on_screen<C: Capture>(
    capture: &mut C,
    decoder: &mut Decoder,
    options: Options,
    meta: Meta,
    duration: Option<Duration>,
    mut command: Option<&mut Command>,
) -> Result<Session, tui::Error> {
    let (mut audience, feed) = OnScreen::new();
    let screen = tui::run(feed, options, meta);
    tokio::pin!(screen);
    let left = tokio::select! {
        session = &mut screen => Some(session),
        ended = watch(capture, decoder, &mut audience, duration, command.as_deref_mut()) => {
            ended?;
            None
        }
    };
    match left {
        None => screen.await,
        Some(session) => {
            if let Some(command) = command {
                command.ask_to_end(Signal::SIGTERM);
                if timeout(COMMAND_END, command.ended()).await.is_err() {
                    command.kill().await?;
                }
            }
            session
        }
    }
}
