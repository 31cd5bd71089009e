//! The terminal is given back, however the screen ends or stops.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::{LIMIT, PROGRAM, Terminal};

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn sigterm_gives_the_terminal_back() {
    let terminal = Terminal::new("sigterm");
    terminal.run(&format!("{PROGRAM} demo; echo status $?"));
    terminal.wait_for("ENETUNREACH");
    kill(terminal.child(), Signal::SIGTERM).unwrap();
    terminal.wait_for("status 1");
    terminal.is_sane();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_terminal_that_goes_away_ends_it() {
    let terminal = Terminal::with_demo("hangup");
    let program = procfs::process::Process::new(terminal.child().as_raw()).unwrap();
    terminal.run_elsewhere();
    terminal.tmux(&["kill-pane", "-t", ":0"]);
    let deadline = Instant::now() + LIMIT;
    while program.stat().is_ok_and(|stat| stat.state != 'Z') {
        assert!(Instant::now() < deadline, "it goes on without a terminal");
        std::thread::sleep(Duration::from_millis(30));
    }
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn ctrl_z_stops_and_fg_resumes() {
    let terminal = Terminal::with_demo("suspend");
    terminal.press(&["C-z"]);
    terminal.resume("ENETUNREACH");
    terminal.press(&["4"]);
    terminal.wait_for("WHAT");
    terminal.leave();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_signal_from_outside_stops_and_resumes_like_ctrl_z() {
    let terminal = Terminal::with_demo("tstp");
    let program = terminal.child();
    kill(program, Signal::SIGTSTP).unwrap();
    terminal.resume("ENETUNREACH");
    terminal.press(&["2"]);
    terminal.wait_for("ENVIRONMENT");
    // SIGSTOP cannot be seen coming: what the shell did to the terminal meanwhile is undone when we go on.
    kill(program, Signal::SIGSTOP).unwrap();
    terminal.wait_for("Stopped");
    terminal.run("printf '\\033[?1049l\\033[?25h'; clear; echo the screen is gone");
    terminal.wait("be the shell's again", |screen| {
        screen.contains("\nthe screen is gone") || screen.starts_with("the screen is gone")
    });
    terminal.run("clear; fg");
    terminal.wait_for("ENVIRONMENT");
    terminal.press(&["4"]);
    terminal.wait_for("WHAT");
    terminal.leave();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_panic_gives_the_terminal_back_before_its_message() {
    let terminal = Terminal::new("panic");
    let myself = std::env::current_exe().unwrap();
    terminal.run(&format!("PANIC=1 {} --ignored --exact --nocapture giving_back::the_screen_panics", myself.display()));
    terminal.wait_for("on purpose");
    terminal.wait_for("test result: FAILED");
    terminal.is_sane();
}

/// Run on a terminal by the test above; by itself it does nothing.
#[tokio::test]
#[ignore = "run by a_panic_gives_the_terminal_back_before_its_message"]
async fn the_screen_panics() {
    if std::env::var_os("PANIC").is_none() {
        return;
    }
    let options = rosprobe::tui::Options {
        source: rosprobe::tui::Source::File("nothing".to_owned()),
        filter: String::new(),
        failures: false,
        theme: rosprobe::tui::Theme::Dark,
        zone: jiff::tz::TimeZone::UTC,
    };
    let _ = Box::pin(rosprobe::tui::show(0, options, |_| panic!("on purpose"))).await;
    panic!("on purpose, after the screen");
}
