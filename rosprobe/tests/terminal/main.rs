//! The real program on a real terminal, typed into and read through tmux: what is on the screen at each step, and that the terminal
//! is afterwards what it was before.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod giving_back;
mod kinds;
mod reading;
mod tour;
#[path = "../../benches/pcap/traffic.rs"]
mod traffic;

use std::process::Command;
use std::time::{Duration, Instant};

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
