//! A terminal of its own, typed into and read through tmux.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::host::run;

/// A shell in a terminal of 120 columns and 40 rows.
pub struct Screen {
    /// Name of a tmux server for this screen alone.
    server: String,
}

impl Screen {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let screen = Self { server: format!("rosprobe-{}-{number}", std::process::id()) };
        run(screen.tmux().args(["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "env PS1=$ sh"]));
        screen
    }

    /// Types keys, named as tmux names them.
    pub fn send(&self, keys: &[&str]) {
        run(self.tmux().arg("send-keys").args(keys));
    }

    /// What is on it now.
    pub fn text(&self) -> String {
        run(self.tmux().args(["capture-pane", "-p"]))
    }

    pub fn wait_for(&self, text: &str, limit: Duration) {
        self.wait(limit, &format!("show {text:?}"), |screen| screen.contains(text));
    }

    pub fn wait_for_absence(&self, text: &str, limit: Duration) {
        self.wait(limit, &format!("hide {text:?}"), |screen| !screen.contains(text));
    }

    fn wait(&self, limit: Duration, what: &str, is_so: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + limit;
        while !is_so(&self.text()) {
            assert!(Instant::now() < deadline, "the screen did not {what} within {limit:?}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.server]).env_remove("TMUX");
        tmux
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.tmux().arg("kill-server").status());
    }
}
