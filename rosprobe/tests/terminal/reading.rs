//! Files that are long to read.

use std::io::Write as _;

use super::{PROGRAM, Terminal, traffic};

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_file_that_is_long_to_read_can_be_left_half_read() {
    let terminal = Terminal::new("reading");
    // One capture's packets over and over: more than anybody waits for.
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ros2/cyc_cyc_d0.pcap");
    let capture = std::fs::read(capture).unwrap();
    let (header, packets) = capture.split_at(24);
    let long = terminal.folder.path().join("long.pcap");
    std::fs::write(&long, [header, &packets.repeat((64 << 20) / packets.len())].concat()).unwrap();
    terminal.run(&format!("{PROGRAM} open long.pcap; echo status $?"));
    terminal.wait_for("Esc stops");
    terminal.press(&["Escape"]);
    terminal.wait_for("Reading was stopped after");
    terminal.wait_for("/chatter");
    terminal.press(&["q"]);
    terminal.wait_for("status ");
    terminal.is_sane();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn a_long_file_shows_how_far_it_is_read() {
    let terminal = Terminal::new("progress");
    let path = terminal.folder.path().join("traffic.pcap");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    traffic::write(&mut out, 200_000_000).unwrap();
    out.flush().unwrap();
    // Everything that is written to the terminal: the bar may be gone before anybody looks.
    let said = terminal.folder.path().join("said");
    terminal.tmux(&["pipe-pane", "-o", &format!("cat > {}", said.display())]);
    terminal.run(&format!("{PROGRAM} report traffic.pcap; echo status $?"));
    terminal.wait_for("status 0");
    let said = String::from_utf8_lossy(&std::fs::read(&said).unwrap()).into_owned();
    let bar = said.find("traffic.pcap █").unwrap_or_else(|| panic!("no progress bar: {said}"));
    assert!(said[bar..].contains(" %  ") && said[bar..].contains(" MB/s"), "{said}");
    let last = said.rfind(" MB/s").unwrap();
    assert!(said[last..].starts_with(" MB/s\r\u{1b}[K"), "it is cleared before the report: {said}");
    assert!(!terminal.screen().contains("MB/s"));
    terminal.is_sane();
}
