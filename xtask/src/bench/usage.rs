//! What a process uses, from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Processor time of all threads of a process that live now, in seconds.
pub fn processor_seconds(pid: u32) -> Result<f64> {
    let folder = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&folder).with_context(|| format!("process {pid} is gone"))?;
    // The first number is nanoseconds on a processor; the ticks of /proc/PID/stat are too coarse for a process that rests.
    let ran = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    Ok(threads.flatten().filter_map(ran).sum::<f64>() / 1e9)
}

/// Memory that a process holds, in megabytes of 10^6 bytes: all, and what no file stands behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// `VmRSS`.
    pub resident: f64,
    /// `RssAnon`.
    pub anonymous: f64,
}

/// Memory of a process now.
pub fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').split_whitespace().next()?.parse::<f64>().ok()? * 1024.0 / 1e6)
    };
    let resident = field("VmRSS").with_context(|| format!("/proc/{pid}/status has no VmRSS"))?;
    Ok(Memory { resident, anonymous: field("RssAnon").unwrap_or(0.0) })
}

/// Share of a processor that a process uses during `work`, in percent.
pub fn processor_percent<T>(pid: u32, work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let (begin, used) = (Instant::now(), processor_seconds(pid)?);
    let result = work()?;
    let percent = (processor_seconds(pid)? - used) / begin.elapsed().as_secs_f64() * 100.0;
    Ok((percent, result))
}

/// Lets time pass: what is measured is how little happens.
pub fn pass(time: Duration) {
    std::thread::sleep(time);
}
