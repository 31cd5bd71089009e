//! The one place with I/O: the terminal's events and the capture's messages go into the state, its effects are done.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ratatui::crossterm::event;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::message::{Effect, Export, ExportError, Message, Options, Progress};
use super::state::App;
use super::terminal::Screen;
use crate::invoker;
use crate::session::Session;
use crate::trace::{self, Existing, FileError, Meta, Opened, WriteError};

/// Time between two pictures: at most 30 a second.
const FRAME: Duration = Duration::from_millis(33);
/// Time that a reader has to stop.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Messages that are taken in before the next picture may be drawn.
const BATCH: usize = 64;

/// Why the screen could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The terminal.
    #[error("the terminal cannot be used for the screen: {0}. Use --output text instead, or run it on a terminal")]
    Terminal(#[from] io::Error),
    /// A file: which, and why.
    #[error("{0}")]
    Open(String),
}

/// Shows the screen until somebody leaves it or the capture ends; gives back the session with everything that came in.
///
/// `meta` describes the capture for the trace that `e` writes. Ctrl-C, SIGTERM and SIGHUP end it as `q` does.
pub async fn run(feed: mpsc::UnboundedReceiver<Message>, options: Options, meta: Meta) -> Result<Session, Error> {
    let (app, ..) = Runner::new(feed, options, Some(meta))?.run().await?;
    Ok(app.into_session())
}

/// Shows what files hold until somebody leaves. `read` reads their `total` bytes (0 when nobody knows), telling how many it has read,
/// until it is told to stop.
pub async fn show<R>(total: u64, options: Options, read: R) -> Result<Session, Error>
where
    R: FnOnce(&mut trace::Progress<'_>) -> Result<Opened, FileError> + Send + 'static,
{
    let (sender, feed) = mpsc::unbounded_channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let reader = tokio::task::spawn_blocking(move || {
        let mut told = 0;
        let opened = read(&mut |bytes| {
            // A hundred steps are what the progress line shows.
            if bytes >= told + total / 100 {
                told = bytes;
                // Nobody listens any more when the person has left already.
                let _ = sender.send(Message::Progress(Progress { read: bytes, total }));
            }
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let message = match opened {
            Ok(opened) => Message::Opened(Box::new(opened)),
            Err(error) => Message::OpenFailed(error.to_string()),
        };
        let _ = sender.send(message);
    });
    let mut runner = Runner::new(feed, options, None)?;
    runner.stop_reading = Arc::clone(&stop);
    let (app, failure) = runner.run().await?;
    stop.store(true, Ordering::Relaxed);
    // A pipe that nothing comes through holds the reader for as long as it likes.
    if let Ok(Err(error)) = timeout(LAST_WORD, reader).await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
    match failure {
        Some(reason) => Err(Error::Open(reason)),
        None => Ok(app.into_session()),
    }
}

struct Runner {
    app: App,
    screen: Screen,
    feed: mpsc::UnboundedReceiver<Message>,
    meta: Option<Meta>,
    stop_reading: Arc<AtomicBool>,
    failure: Option<String>,
    leaving: bool,
}

impl Runner {
    fn new(feed: mpsc::UnboundedReceiver<Message>, options: Options, meta: Option<Meta>) -> Result<Self, Error> {
        let screen = Screen::open()?;
        let app = App::new(options, screen.size()?);
        let stop_reading = Arc::new(AtomicBool::new(false));
        Ok(Self { app, screen, feed, meta, stop_reading, failure: None, leaving: false })
    }

    async fn run(mut self) -> Result<(App, Option<String>), Error> {
        let mut input = terminal_events();
        let mut feeding = true;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut stop = signal(SignalKind::from_raw(Signal::SIGTSTP as i32))?;
        let mut resumed = signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
        let mut memory = interval(Duration::from_secs(2));
        memory.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_frame = Instant::now();
        while !self.leaving {
            if self.app.changed() && Instant::now() >= next_frame {
                self.app.prepare();
                self.screen.draw(&self.app)?;
                next_frame = Instant::now() + FRAME;
            }
            tokio::select! {
                biased;
                _ = terminate.recv() => break,
                _ = hangup.recv() => break,
                _ = interrupt.recv() => break,
                _ = stop.recv() => self.suspend(&mut resumed).await?,
                // Somebody stopped us without asking, and the shell has used the terminal since.
                _ = resumed.recv() => self.take_back()?,
                () = sleep_until(next_frame), if self.app.changed() => {}
                event = input.recv() => match event {
                    Some(event) => self.apply(Message::Terminal(event))?,
                    // The terminal is gone.
                    None => break,
                },
                message = self.feed.recv(), if feeding => match message {
                    Some(message) => self.take_in(message)?,
                    // A file that was never opened has nothing to show.
                    None if self.meta.is_none() => break,
                    None => feeding = false,
                },
                _ = memory.tick() => self.apply(Message::Memory(memory_used()))?,
            }
        }
        // The terminal is given back before anything is printed.
        let Self { app, screen, failure, .. } = self;
        drop(screen);
        Ok((app, failure))
    }

    /// Takes in a message and those that wait behind it, so that a flood does not draw a picture for each.
    fn take_in(&mut self, first: Message) -> Result<(), Error> {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(mut message) = next else { break };
            match &mut message {
                Message::Opened(opened) => self.meta = Some(opened.meta.clone()),
                Message::OpenFailed(reason) => self.failure = Some(reason.clone()),
                _ => {}
            }
            self.apply(message)?;
            next = self.feed.try_recv().ok();
        }
        if let Some(message) = next {
            self.apply(message)?;
        }
        Ok(())
    }

    fn apply(&mut self, message: Message) -> Result<(), Error> {
        for effect in self.app.update(message) {
            match effect {
                Effect::Quit => self.leaving = true,
                Effect::Export { path, overwrite } => {
                    let result = self.export(&path, overwrite);
                    self.app.update(Message::Exported(result));
                }
                Effect::ExportUnnamed => {
                    let path = trace::free_name(Path::new("."), jiff::Timestamp::now(), "json");
                    let result = self.export(&path, false);
                    self.app.update(Message::Exported(result));
                }
                Effect::Copy(text) => {
                    if let Some(between) = self.screen.copy(&text)? {
                        self.app.update(Message::Notice(between.to_owned()));
                    }
                }
                // The whole group: sudo and cargo before us stop too, else the shell would wait for them. Our own turn comes
                // with the signal.
                Effect::Suspend => kill(Pid::from_raw(0), Signal::SIGTSTP).map_err(io::Error::from)?,
                Effect::Redraw => self.screen.clear()?,
                Effect::StopReading => self.stop_reading.store(true, Ordering::Relaxed),
            }
        }
        Ok(())
    }

    fn export(&self, path: &Path, overwrite: bool) -> Result<Export, ExportError> {
        let failed = |reason: String| ExportError::Failed(reason);
        let Some(meta) = &self.meta else {
            return Err(failed("nothing was written: the file is still being read".to_owned()));
        };
        let path = invoker::expand_home(path);
        let session = self.app.whole_session();
        let existing = if overwrite { Existing::Replace } else { Existing::Keep };
        match trace::write_document(&path, existing, meta, &session) {
            Ok(()) => {
                let path = path.canonicalize().unwrap_or(path);
                let (observations, forgotten) = (session.history().len() as u64, session.forgotten());
                Ok(Export { path, observations, forgotten })
            }
            Err(WriteError::Exists { .. }) => Err(ExportError::Exists(path)),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// What SIGTSTP does to a program that leaves the terminal alone: it stops, and the shell goes on.
    async fn suspend(&mut self, resumed: &mut tokio::signal::unix::Signal) -> Result<(), Error> {
        // Where no shell could ever resume us the kernel would not stop us either.
        if !can_be_resumed() {
            return Ok(());
        }
        self.screen.leave()?;
        kill(Pid::this(), Signal::SIGSTOP).map_err(io::Error::from)?;
        // The signal may come a moment after kill() has returned.
        let _ = timeout(Duration::from_millis(200), resumed.recv()).await;
        self.take_back()
    }

    /// The terminal is ours again, whatever has become of it meanwhile.
    fn take_back(&mut self) -> Result<(), Error> {
        self.screen.leave()?;
        self.screen.enter()?;
        let size = self.screen.size()?;
        self.app.update(Message::Terminal(event::Event::Resize(size.width, size.height)));
        Ok(())
    }
}

/// True when a process of this session outside our group is an ancestor of ours: the shell that `fg` is typed into.
fn can_be_resumed() -> bool {
    let Ok(mut stat) = procfs::process::Process::myself().and_then(|process| process.stat()) else { return false };
    let (group, session) = (stat.pgrp, stat.session);
    while stat.pgrp == group {
        let parent = procfs::process::Process::new(stat.ppid).and_then(|process| process.stat());
        match parent {
            Ok(parent) => stat = parent,
            Err(_) => return false,
        }
    }
    stat.session == session
}

/// Events of the terminal, read by a thread of their own: reading them blocks.
fn terminal_events() -> mpsc::Receiver<event::Event> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Memory that this process holds, in bytes; 0 when unknown.
fn memory_used() -> u64 {
    let pages =
        procfs::process::Process::myself().and_then(|process| process.statm()).map_or(0, |statm| statm.resident);
    pages * procfs::page_size()
}
