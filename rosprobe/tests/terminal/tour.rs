//! A person's way through the screen, from the first look to the file that is left.

use std::path::Path;

use super::{PROGRAM, Terminal};

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn from_the_first_look_to_the_exported_trace() {
    let terminal = Terminal::new("export");
    terminal.run(&format!("{PROGRAM} demo; echo status $?"));
    terminal.wait_for_all(&["/some/topic", "ENETUNREACH", "Why ", "Fix "]);

    terminal.press(&["/"]);
    terminal.types("/some/t");
    terminal.wait_for("/some/t  2 of");
    terminal.press(&["Enter"]);
    terminal.press(&["Down", "Up", "Enter"]);
    terminal.wait_for_all(&["Ladder", "advertised"]);
    terminal.press(&["G"]);
    terminal.wait("scroll to the end", |screen| !screen.contains("Ladder"));
    terminal.press(&["r"]);
    terminal.press(&["G"]);
    terminal.wait_for("</methodResponse>");
    // A key that follows Escape at once would be Alt with that key.
    terminal.press(&["Escape"]);
    terminal.wait_for("OUTCOME");
    for (key, text) in
        [("2", "ENVIRONMENT"), ("3", "ADVERTISED BY"), ("4", "WHAT"), ("5", "SEVERITY"), ("?", "On the screen")]
    {
        terminal.press(&[key]);
        terminal.wait_for(text);
    }
    terminal.press(&["q"]);
    terminal.press(&["e"]);
    terminal.wait_for("export to: rosprobe-");
    terminal.press(&["C-u"]);
    terminal.types("mine.json");
    terminal.press(&["Enter"]);
    terminal.wait_for("observations written to ");
    let trace = terminal.folder.path().join("mine.json");
    let written = std::fs::read(&trace).unwrap();
    assert!(written.starts_with(b"{\"rosprobe_trace\""));

    terminal.press(&["e", "C-u"]);
    terminal.types("mine.json");
    terminal.press(&["Enter"]);
    terminal.wait_for("Overwrite it?");
    terminal.press(&["n"]);
    terminal.wait_for("nothing was written");
    assert_eq!(std::fs::read(&trace).unwrap(), written);

    std::fs::write(&trace, "something else").unwrap();
    terminal.press(&["e", "C-u"]);
    terminal.types("mine.json");
    terminal.press(&["Enter"]);
    terminal.wait_for("Overwrite it?");
    terminal.press(&["y"]);
    terminal.wait_for("observations written to ");
    assert_eq!(std::fs::read(&trace).unwrap(), written);

    terminal.press(&["q"]);
    terminal.wait_for("status 1");
    terminal.is_sane();

    same_screen_from_the_trace(&terminal, &trace);
}

fn same_screen_from_the_trace(terminal: &Terminal, trace: &Path) {
    terminal.run(&format!("clear; {PROGRAM} open {}; echo status $?", trace.display()));
    terminal.wait_for_all(&["/some/topic", "ENETUNREACH", "Fix "]);
    terminal.press(&["q"]);
    terminal.wait_for("status 1");
    terminal.is_sane();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_trace_goes_into_the_home_and_never_onto_a_folder_or_a_device() {
    let terminal = Terminal::new("names");
    let folder = terminal.folder.path();
    std::fs::create_dir(folder.join("home")).unwrap();
    nix::unistd::mkfifo(&folder.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    terminal.run(&format!("env -u SUDO_UID HOME={} {PROGRAM} demo", folder.join("home").display()));
    terminal.wait_for("ENETUNREACH");
    for (name, said) in [
        ("~/mine.json", "home/mine.json"),
        ("home", "home: that is a folder; name a file in it"),
        ("pipe", "pipe: that is a device or a pipe"),
        ("none/a.json", "No such file or directory; make the folder first"),
    ] {
        terminal.press(&["e", "C-u"]);
        terminal.types(name);
        terminal.press(&["Enter"]);
        terminal.wait_for(said);
    }
    assert!(folder.join("home/mine.json").is_file());
    assert!(!folder.join("pipe").metadata().unwrap().is_file());
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    terminal.is_sane();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn two_captures_of_one_fault_are_one_screen() {
    let terminal = Terminal::new("joined");
    let pcap = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ros1/pcap");
    let name = "s02_reject_rst_roscpp";
    terminal.run(&format!("cd {pcap}; {PROGRAM} open {name}-outer.pcap {name}-router.pcap; echo status $?"));
    terminal.wait_for_all(&["/some/topic", "ECONNREFUSED", "Why ", "Fix ", " rosprobe  s02_re"]);
    terminal.press(&["q"]);
    terminal.wait_for("status 1");
    terminal.run(&format!("{PROGRAM} open {name}-outer.pcap nothing.pcap; echo status $?"));
    terminal.wait_for_all(&["nothing.pcap: cannot be read", "status 2"]);
    terminal.run(&format!("clear; cat {name}-outer.pcap | {PROGRAM} open -; echo status $?"));
    terminal.wait_for_all(&["standard input", "/some/topic", "ECONNREFUSED"]);
    terminal.press(&["5"]);
    terminal.wait_for("SEVERITY");
    terminal.press(&["q"]);
    terminal.wait_for("status 1");
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_capture_of_ros2_from_the_first_look_to_the_policy_that_keeps_the_ends_apart() {
    let terminal = Terminal::new("ros2");
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ros2/e7_qos.pcap");
    terminal.run(&format!("{PROGRAM} open {capture}; echo status $?"));
    terminal.wait_for_all(&["/q1", "refused", "Why ", "Fix "]);
    terminal.press(&["/"]);
    terminal.types("rt/q2");
    terminal.wait_for("rt/q2  1 of 5");
    terminal.press(&["Enter", "Enter"]);
    terminal.wait_for_all(&["announced ✓", "matched ✗"]);
    terminal.press(&["NPage"]);
    terminal.wait_for_all(&["✗ durability", "TRANSIENT_LOCAL", "Locators"]);
    terminal.press(&["Escape"]);
    terminal.wait_for("OUTCOME");
    for (key, text) in [("6", "PARTICIPANTS"), ("7", "ADVERTISES"), ("8", "ROLE")] {
        terminal.press(&[key]);
        terminal.wait_for(text);
    }
    terminal.press(&["q"]);
    terminal.wait_for("status 1");
    terminal.is_sane();
}
