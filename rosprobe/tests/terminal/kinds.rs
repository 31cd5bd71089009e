//! Terminals of many kinds and sizes, and none at all.

use std::process::Command;

use super::{PROGRAM, Terminal};

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_terminal_of_another_size_is_filled() {
    let terminal = Terminal::with_demo("size");
    terminal.tmux(&["resize-window", "-x", "50", "-y", "10"]);
    terminal.wait_for("is too small");
    terminal.tmux(&["resize-window", "-x", "300", "-y", "80"]);
    terminal.wait("fill 300x80", |screen| screen.lines().nth(79).is_some_and(|line| line.contains("quit")));
    terminal.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    terminal.wait("fill 80x24", |screen| screen.lines().nth(23).is_some_and(|line| line.contains("quit")));
    terminal.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    terminal.wait("fill 100x30", |screen| screen.lines().nth(29).is_some_and(|line| line.contains("quit")));
    terminal.press(&["C-c"]);
    terminal.wait_for_prompt();
    terminal.is_sane();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_terminal_with_less_gets_less() {
    let terminal = Terminal::new("less");
    terminal.run(&format!("LC_ALL=C {PROGRAM} demo"));
    let screen = terminal.wait_for("x /some/topic");
    assert!(screen.is_ascii(), "{screen}");
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    terminal.run(&format!("clear; TERM=dumb {PROGRAM} demo; echo status $?"));
    terminal.wait_for_all(&["Fix: ", "status 1"]);
    terminal.run(&format!("clear; TERM=dumb {PROGRAM} open a.json; echo status $?"));
    terminal.wait_for_all(&["TERM is dumb", "osprobe report a.json", "status 2"]);
    terminal.is_sane();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn the_finding_reaches_the_clipboard_of_the_terminal() {
    let terminal = Terminal::new("copy");
    terminal.tmux(&["set-option", "-s", "set-clipboard", "on"]);
    terminal.run(&format!("{PROGRAM} demo"));
    terminal.wait_for("ENETUNREACH");
    terminal.press(&["y"]);
    terminal.wait_for("tmux set -s set-clipboard on");
    let copied = terminal.tmux(&["show-buffer"]);
    assert!(
        copied.contains("connect() to 10.0.1.1:") && copied.contains("Why  ") && copied.contains("Fix  "),
        "{copied}"
    );
    terminal.leave();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn sixteen_colours_are_asked_for_in_the_way_of_terminals_that_have_sixteen() {
    for (kind, coloured) in [("xterm-16color", true), ("linux", true), ("vt100", false)] {
        let terminal = Terminal::new(&format!("colours-{kind}"));
        let said = terminal.folder.path().join("said");
        terminal.tmux(&["pipe-pane", "-o", &format!("cat > {}", said.display())]);
        terminal.run(&format!("TERM={kind} {PROGRAM} demo"));
        terminal.wait_for("ENETUNREACH");
        terminal.leave();
        let said = String::from_utf8_lossy(&std::fs::read(&said).unwrap()).into_owned();
        assert!(!said.contains("38;5;") && !said.contains("48;5;"), "{kind}: {said:?}");
        assert_eq!(said.contains("\u{1b}[91;49m"), coloured, "light red on {kind}: {said:?}");
    }
}

#[test]
fn without_a_terminal_there_is_no_screen_and_a_word_what_to_do() {
    let output = Command::new(PROGRAM).args(["open", "nothing.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("needs a terminal") && message.contains("rosprobe report nothing.json"), "{message}");
}

#[test]
fn the_demo_tells_the_fault_where_there_is_no_terminal() {
    let output = Command::new(PROGRAM).arg("demo").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["connect-failed", "/some/topic", "10.0.1.1:", "ENETUNREACH", "ROS_IP=192.168.50.1"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
