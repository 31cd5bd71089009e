//! Recordings where the disk has no room, or the folder takes nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use rosprobe::observation::Observation;
use tempfile::TempDir;

use super::{folder, is_the_same_from_the_file, open, program, recording, stranded_listener, text, until_stranded};
use crate::lab::{Lab, SOON, Watch};

/// A file system of its own in memory, unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    fn new(options: &str) -> Self {
        let folder = folder();
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path()).status();
        assert!(status.expect("mount runs").success(), "a tmpfs can be mounted");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever goes wrong here must not hide why the test failed.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_full_disk_is_said_and_what_waited_is_written_when_there_is_space_again() {
    let (lab, disk) = (Lab::new(), Disk::new("size=1m"));
    let (filler, path) = (disk.path("filler"), disk.path("run.jsonl"));
    fs::write(&filler, vec![0; (1 << 20) - 8192]).expect("that much room there is");
    let mut watch = recording(&lab, &path);
    let programs = stranded_listener(&lab);
    let notice = watch.notice("recording waits", SOON);
    assert!(notice.contains("run.jsonl") && notice.contains("free some space"), "{notice}");
    // It opens all the same, as far as it goes.
    let cut = open(&path);
    assert!(!cut.missing.is_empty());
    let printed = watch.observations(|_| true);
    let kept: Vec<&Observation> = cut.session.history().iter().collect();
    assert_eq!(kept, printed.iter().take(kept.len()).collect::<Vec<_>>());
    // The capture goes on.
    until_stranded(&watch);
    drop(programs);
    fs::remove_file(&filler).expect("it is there");
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(1));
    is_the_same_from_the_file(&watch, &{
        // The disk has no room for the exports beside it.
        let elsewhere = disk.0.path().with_extension("copy");
        fs::create_dir_all(&elsewhere).expect("a folder can be made");
        let copy = elsewhere.join("run.jsonl");
        fs::copy(&path, &copy).expect("it can be copied");
        copy
    });
    fs::remove_dir_all(disk.0.path().with_extension("copy")).expect("it is there");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_disk_that_stays_full_ends_in_an_error_and_a_file_that_opens() {
    let (lab, disk) = (Lab::new(), Disk::new("size=64k"));
    let path = disk.path("run.jsonl");
    fs::write(disk.path("filler"), vec![0; (64 << 10) - 8192]).expect("that much room there is");
    let mut watch = recording(&lab, &path);
    let _programs = stranded_listener(&lab);
    watch.notice("recording waits", SOON);
    until_stranded(&watch);
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(2));
    let error = watch.error("run.jsonl", SOON);
    assert!(error.contains("cannot be written") && error.contains("free some space"), "{error}");
    let opened = open(&path);
    assert!(opened.session.history().len() > 1 && !opened.missing.is_empty(), "{:?}", opened.missing);
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_name_that_is_taken_and_a_folder_that_takes_nothing_are_said_at_once() {
    let disk = Disk::new("size=64k");
    let taken = disk.path("taken.jsonl");
    fs::write(&taken, "mine").expect("there is room");
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status();
    assert!(remount.expect("mount runs").success());
    for (path, expected) in [
        (&taken, "a file of that name exists, and is left as it is"),
        (&disk.path("new.jsonl"), "Read-only file system; name a file in a folder that you may write to"),
        (&disk.path("none/new.jsonl"), "make the folder first"),
    ] {
        let output = program(&["watch", "--output", "text", "--duration", "5s", "--record", text(path)]).output();
        let output = output.expect("rosprobe runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected) && error.contains(text(path)), "{error}");
        assert_eq!(output.status.code(), Some(2));
    }
    assert_eq!(fs::read_to_string(&taken).expect("it is there"), "mine");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn sigusr1_in_a_folder_that_takes_nothing_is_said_and_the_watch_goes_on() {
    let (lab, disk) = (Lab::new(), Disk::new("size=64k,ro"));
    let mut command = Watch::command(&lab.hosts(), &[]);
    command.current_dir(disk.0.path());
    let mut watch = Watch::spawn(&lab, command);
    watch.until_begun();
    watch.signal(Signal::SIGUSR1);
    let said = watch.notice("no trace was written", SOON);
    assert!(said.contains("Read-only file system") && said.contains("name a file in a folder"), "{said}");
    let _programs = stranded_listener(&lab);
    until_stranded(&watch);
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(1));
}
