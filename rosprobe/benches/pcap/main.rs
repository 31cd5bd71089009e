//! A gigabyte of mostly TCPROS data, read by `rosprobe report`: how fast, and in how much memory. `ROSPROBE_BENCH_MB` makes it another
//! size; compressed with gzip it is read once more.

mod traffic;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::resource::{UsageWho, getrusage};

fn main() -> io::Result<()> {
    // cargo test runs benchmarks too, to see that they work.
    let short = !std::env::args().any(|argument| argument == "--bench");
    let megabytes = std::env::var("ROSPROBE_BENCH_MB").ok().and_then(|text| text.parse().ok());
    let length: u64 = megabytes.unwrap_or(if short { 1 } else { 1000 }) * 1_000_000;
    let folder = tempfile::Builder::new().prefix("pcap").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().join("traffic.pcap");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    traffic::write(&mut out, length)?;
    out.flush()?;
    read(&path, length)?;
    let compressed = folder.path().join("traffic.pcap.gz");
    let mut gzip = GzEncoder::new(BufWriter::new(File::create(&compressed)?), Compression::fast());
    io::copy(&mut File::open(&path)?, &mut gzip)?;
    gzip.finish()?.flush()?;
    read(&compressed, length)
}

/// Runs `rosprobe report` on a file and says what that took.
fn read(path: &Path, length: u64) -> io::Result<()> {
    let before = cpu_time()?;
    let begin = Instant::now();
    let mut report = Command::new(env!("CARGO_BIN_EXE_rosprobe"));
    let output = report.args(["report", "--format", "json"]).arg(path).stderr(Stdio::inherit()).output()?;
    let wall = begin.elapsed();
    let cpu = cpu_time()?.saturating_sub(before);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((report["links"]["ok"].as_u64(), output.status.code()), (Some(10), Some(0)), "{report:#}");
    let speed = |time: Duration| length as f64 / 1e6 / time.as_secs_f64();
    // Of the largest child so far: the plain file is read first, and reading gzip takes no less.
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() as f64 / 1024.0;
    println!(
        "{}: {:.0} MB in {:.2} s: {:.0} MB/s ({:.0} MB/s of processor time), {peak:.1} MiB at most",
        path.extension().unwrap_or_default().display(),
        length as f64 / 1e6,
        wall.as_secs_f64(),
        speed(wall),
        speed(cpu),
    );
    Ok(())
}

/// Processor time of all children that have ended.
fn cpu_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    Ok(of(usage.user_time()) + of(usage.system_time()))
}
