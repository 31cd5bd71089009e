//! The real program on a real terminal, typed into and read through tmux: what is on the screen at each step, and that the terminal
//! is afterwards what it was before.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../benches/pcap/traffic.rs"]
mod traffic;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LIMIT: Duration = Duration::from_secs(30);
const PROGRAM: &str = env!("CARGO_BIN_EXE_rosprobe");

/// A shell on a terminal of 100 columns and 30 rows.
struct Terminal {
    /// Name of a tmux server for this terminal alone.
    server: String,
    folder: tempfile::TempDir,
}

impl Terminal {
    fn new(test: &str) -> Self {
        let terminal =
            Self { server: format!("rosprobe-{test}-{}", std::process::id()), folder: tempfile::tempdir().unwrap() };
        let folder = terminal.folder.path().to_str().unwrap();
        // Job control is what Ctrl-Z and fg need.
        let shell = "env LC_ALL=C.UTF-8 PS1='$ ' NO_COLOR= bash --norc --noprofile -i";
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "-c", folder, shell]);
        terminal.wait_for_prompt();
        terminal.run("stty -a > before; echo modes kept");
        terminal.wait_for("\nmodes kept");
        terminal
    }

    /// With the demo on its screen.
    fn with_demo(test: &str) -> Self {
        let terminal = Self::new(test);
        terminal.run(&format!("{PROGRAM} demo"));
        terminal.wait_for("ENETUNREACH");
        terminal
    }

    /// A second window, so that the server outlives the first.
    fn run_elsewhere(&self) {
        self.tmux(&["new-window", "-d", "sleep 60"]);
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        let output = tmux.env_remove("TMUX").args(["-L", &self.server]).args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types keys, named as tmux names them.
    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// A command line of the shell.
    fn run(&self, line: &str) {
        self.types(line);
        self.press(&["Enter"]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("show {text:?}"), |screen| screen.contains(text))
    }

    /// The shell waits for a command: its prompt stands alone on the last line. Commands on the screen begin with the same sign.
    fn wait_for_prompt(&self) {
        self.wait("show the prompt", |screen| screen.trim_end().lines().last().is_some_and(|line| line.trim() == "$"));
    }

    /// A screen is drawn piece by piece: what belongs together is waited for together.
    fn wait_for_all(&self, texts: &[&str]) {
        self.wait(&format!("show {texts:?}"), |screen| texts.iter().all(|text| screen.contains(text)));
    }

    fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "the screen did not {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The program that runs in the shell now.
    fn child(&self) -> Pid {
        let shell = self.tmux(&["display", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let children = std::fs::read_to_string(children).unwrap();
        Pid::from_raw(children.split_whitespace().next().unwrap().parse().unwrap())
    }

    /// Leaves the program, and looks what it leaves behind.
    fn leave(&self) {
        self.press(&["q"]);
        self.wait_for_prompt();
        self.is_sane();
    }

    /// The program has stopped and the shell has its terminal back; goes on with it.
    fn resume(&self, view: &str) {
        self.wait_for("Stopped");
        self.is_sane();
        self.run("clear; fg");
        self.wait_for(view);
    }

    /// Modes, alternate screen, mouse and cursor are what they were.
    fn is_sane(&self) {
        self.run("stty -a > after; echo modes compared");
        self.wait_for("\nmodes compared");
        let modes = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert_eq!(modes("before"), modes("after"));
        let flags = "#{alternate_on} #{mouse_any_flag} #{cursor_flag}";
        assert_eq!(self.tmux(&["display", "-p", flags]).trim(), "0 0 1");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.server, "kill-server"]).status();
    }
}

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
    terminal.run("printf '\\033[?1049l\\033[?25h'; clear; fg");
    terminal.wait_for("ENVIRONMENT");
    terminal.press(&["4"]);
    terminal.wait_for("WHAT");
    terminal.leave();
}

#[test]
#[ignore = "needs tmux: cargo xtask test"]
fn the_finding_reaches_the_clipboard_of_the_terminal() {
    let terminal = Terminal::new("copy");
    terminal.tmux(&["set-option", "-s", "set-clipboard", "on"]);
    terminal.run(&format!("{PROGRAM} demo"));
    terminal.wait_for("ENETUNREACH");
    terminal.press(&["y"]);
    terminal.wait_for("handed to the terminal's clipboard");
    let copied = terminal.tmux(&["show-buffer"]);
    assert!(
        copied.contains("connect() to 10.0.1.1:") && copied.contains("Why  ") && copied.contains("Fix  "),
        "{copied}"
    );
    terminal.leave();
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
fn a_panic_gives_the_terminal_back_before_its_message() {
    let terminal = Terminal::new("panic");
    let myself = std::env::current_exe().unwrap();
    terminal.run(&format!("PANIC=1 {} --ignored --exact --nocapture the_screen_panics", myself.display()));
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
    let _ = rosprobe::tui::show(0, options, |_| panic!("on purpose")).await;
    panic!("on purpose, after the screen");
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
