//! `rosprobe demo`.

use std::io::{self, Write};

use super::Verdict;
use super::screen;
use crate::lines::{Paint, Style};
use crate::trace::{self, FileError};

/// What a fault looks like: a recorded one, without root and without ROS
///
/// Three hosts; the talker on the router advertises an address that `rostopic echo` on the outer host has no route to. The trace is of
/// a real run and built into this program. Where standard output is no terminal, its findings are printed as text.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// A recording of `rosprobe watch --record` in the lab of the live tests; `demo/README.md` says how it was made.
const TRACE: &[u8] = include_bytes!("../../demo/no-route.json.gz");
const NAME: &str = "a recorded fault (demo)";

pub fn run(_: &Arguments) -> anyhow::Result<Verdict> {
    if screen::is_possible() {
        let options = screen::options(NAME, "", false);
        return screen::show(0, "rosprobe demo | cat", options, |_| {
            trace::open_bytes(TRACE).map_err(|source| FileError { path: NAME.into(), source })
        });
    }
    let session = trace::open_bytes(TRACE)?.session;
    let mut out = io::stdout().lock();
    let style = Style { paint: Paint::for_stream(&out), zone: jiff::tz::TimeZone::system() };
    for finding in session.findings() {
        write!(out, "{}", style.finding(finding))?;
    }
    Ok(screen::verdict(&session))
}
