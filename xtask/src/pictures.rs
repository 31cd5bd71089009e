//! `cargo xtask pictures`: pictures of the screen for the README, taken from the real program on the trace that it carries.

mod svg;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::files;
use crate::process::{cargo, find, output, run, workspace};

const COLUMNS: u16 = 110;
const ROWS: u16 = 34;
/// How long the program may take to show what is waited for.
const LIMIT: Duration = Duration::from_mins(2);

/// A picture: what is typed since the last one, and what the screen shows then.
struct Picture {
    name: &'static str,
    keys: &'static [&'static str],
    shows: &'static str,
}

const PICTURES: &[Picture] = &[
    Picture { name: "links", keys: &[], shows: "Fix " },
    Picture { name: "detail", keys: &["Enter"], shows: "Timeline" },
    Picture { name: "conversation", keys: &["Escape", "4"], shows: "WHAT" },
    Picture { name: "hosts", keys: &["3"], shows: "NOT REACHED BY" },
];

/// Takes all pictures and writes them beside the documentation; or, to check, fails where one of them differs from the one there.
pub fn pictures(check: bool) -> Result<()> {
    ensure!(find("tmux").is_some(), "tmux takes the pictures, and it is not here: apt-get install tmux");
    run(cargo().args(["build", "--locked", "--package", "rosprobe"]))?;
    let terminal = Terminal::open()?;
    for picture in PICTURES {
        for key in picture.keys {
            output(terminal.tmux().args(["send-keys", key]))?;
        }
        let path = workspace().join("rosprobe/docs/pictures").join(picture.name).with_extension("svg");
        let name = path.display();
        if check {
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            // A screen is drawn piece by piece, and may stand still half drawn where others are at work.
            let advice = format!("{name} is not what the program draws now: cargo xtask pictures takes it anew");
            terminal.wait(&advice, || Ok(terminal.picture()? == committed))?;
            eprintln!("{name} is what the program draws");
        } else {
            terminal.wait_for(picture.shows)?;
            files::write(&path, terminal.picture()?)?;
            eprintln!("{name}");
        }
    }
    Ok(())
}

/// How much memory the program takes differs from machine to machine, and from moment to moment: a picture shows `20MB`.
fn with_round_memory(screen: &str) -> String {
    let Some(unit) = screen.find("MB") else { return screen.to_owned() };
    let number = screen[..unit].trim_end_matches(|character: char| character.is_ascii_digit()).len();
    if number == unit { screen.to_owned() } else { format!("{}20{}", &screen[..number], &screen[unit..]) }
}

/// A terminal in which the program runs, ended when dropped.
struct Terminal {
    server: String,
}

impl Terminal {
    fn open() -> Result<Self> {
        let terminal = Self { server: format!("rosprobe-pictures-{}", std::process::id()) };
        let (columns, rows) = (COLUMNS.to_string(), ROWS.to_string());
        let program = workspace().join("target/debug/rosprobe");
        let demo = format!("env TZ=UTC NO_COLOR= ROSPROBE_THEME=dark {} demo", program.display());
        let size = ["-x", &columns, "-y", &rows];
        output(terminal.tmux().args(["-f", "/dev/null", "new-session", "-d"]).args(size).arg(demo))?;
        Ok(terminal)
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.env_remove("TMUX").args(["-L", &self.server]);
        tmux
    }

    /// The text on the screen.
    fn screen(&self) -> Result<String> {
        output(self.tmux().args(["capture-pane", "-p"]))
    }

    /// The screen with its colours, drawn.
    fn picture(&self) -> Result<String> {
        let screen = output(self.tmux().args(["capture-pane", "-e", "-p", "-N"]))?;
        Ok(svg::draw(&with_round_memory(&screen), COLUMNS, ROWS))
    }

    /// Waits until the screen shows a text and stands still.
    fn wait_for(&self, text: &str) -> Result<()> {
        let mut before = String::new();
        self.wait(&format!("the screen does not show {text:?}"), || {
            let screen = self.screen()?;
            let stands = screen == before;
            before = screen;
            Ok(stands && before.contains(text))
        })
    }

    /// Waits until something is so; `otherwise` says what is wrong when it never is.
    fn wait(&self, otherwise: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !is_so()? {
            ensure!(Instant::now() < deadline, "{otherwise} (after {LIMIT:?}); the screen:\n{}", self.screen()?);
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server may have ended with the program.
        let _ = self.tmux().arg("kill-server").output();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_round_number() {
        for (screen, expected) in
            [("\u{1b}[2m23MB\u{1b}[0m sock", "\u{1b}[2m20MB\u{1b}[0m sock"), ("no memory", "no memory"), ("MB", "MB")]
        {
            assert_eq!(with_round_memory(screen), expected);
        }
    }
}
