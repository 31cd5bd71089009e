//! The terminal itself: taken over when the screen opens, given back however it ends.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};

use super::colour::Sixteen;
use super::state::App;
use super::{ascii, screen};

/// True while the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();

/// Longest text that is handed to the clipboard, in bytes; terminals drop longer ones.
const CLIPBOARD_LIMIT: usize = 74_000;

type Backend = CrosstermBackend<Sixteen<Stdout>>;

fn backend() -> Backend {
    CrosstermBackend::new(Sixteen::new(io::stdout()))
}

/// The terminal while it is ours.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<Backend>,
    ascii: bool,
}

impl Screen {
    /// Takes the terminal over. It is given back when this is dropped, and before a panic's message is printed.
    pub fn open() -> io::Result<Self> {
        PANIC_HOOK.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back();
                print(panic);
            }));
        });
        take()?;
        let terminal = Terminal::new(backend()).inspect_err(|_| give_back())?;
        Ok(Self { terminal, ascii: ascii::is_wanted(|name| std::env::var(name).ok()) })
    }

    /// How large it is.
    pub fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Draws the state. An error when a panic elsewhere has given the terminal back to show its message.
    pub fn draw(&mut self, app: &App) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("a part of rosprobe failed, as its message above says"));
        }
        let ascii = self.ascii;
        let draw = |frame: &mut Frame<'_>| {
            screen::draw(app, frame);
            if ascii {
                ascii::replace(frame.buffer_mut());
            }
        };
        self.terminal.draw(draw).map(|_| ())
    }

    /// Draws everything at the next time, whatever was there.
    pub fn clear(&mut self) -> io::Result<()> {
        // Terminal::clear() asks the terminal where its cursor is, and the answer would go to the thread that reads keys.
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(backend())?;
        Ok(())
    }

    /// Hands text to the clipboard (OSC 52), which terminals do for programs on other hosts too. Says what stands between here and the
    /// terminal, where something does: it may keep the text to itself.
    pub fn copy(&mut self, text: &str) -> io::Result<Option<&'static str>> {
        let end = text.floor_char_boundary(CLIPBOARD_LIMIT);
        let out = self.terminal.backend_mut();
        write!(out, "\x1b]52;c;{}\x07", BASE64_STANDARD.encode(&text[..end]))?;
        Write::flush(out)?;
        Ok(multiplexer(|name| std::env::var(name).ok()))
    }

    /// Gives the terminal back for a while.
    pub fn leave(&mut self) -> io::Result<()> {
        self.terminal.show_cursor()?;
        give_back();
        Ok(())
    }

    /// Takes it over again.
    pub fn enter(&mut self) -> io::Result<()> {
        take()?;
        self.clear()
    }
}

/// tmux takes nothing from a program unless it is told to (`set-clipboard external` is what it begins with). Behind sudo only `TERM` is
/// left of it.
fn multiplexer(variable: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let terminal = variable("TERM").unwrap_or_default();
    if variable("TMUX").is_some() || terminal.starts_with("tmux") {
        Some("handed to tmux (OSC 52); if it kept nothing: tmux set -s set-clipboard on")
    } else if terminal.starts_with("screen") {
        Some("handed to tmux or screen (OSC 52); for tmux: tmux set -s set-clipboard on")
    } else {
        None
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste).inspect_err(|_| give_back())
}

/// Gives the terminal back once, as far as that goes: it may be gone.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        io::stdout(),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        ratatui::crossterm::cursor::Show
    );
    let _ = disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_keep_the_clipboard_to_itself_is_named() {
        let of = |variables: &[(&str, &str)]| {
            multiplexer(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        for (variables, word) in [
            (&[("TMUX", "/tmp/t,1,0"), ("TERM", "screen-256color")][..], Some("to tmux (")),
            (&[("TERM", "tmux-256color")][..], Some("to tmux (")),
            (&[("TERM", "screen")][..], Some("tmux or screen")),
            (&[("TERM", "xterm-256color")][..], None),
        ] {
            assert_eq!(of(variables).is_some(), word.is_some(), "{variables:?}");
            assert!(word.is_none_or(|word| of(variables).is_some_and(|said| said.contains(word) && said.len() < 79)));
        }
    }
}
