//! A subscriber that is told addresses which it cannot reach.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::xmlrpc::{Client, request, serve, string};

/// First of the ports on which nobody listens, in a namespace of our own.
const CLOSED_PORTS: u16 = 2000;
/// Between two of them, so that each is a finding of its own moment.
const PAUSE: Duration = Duration::from_millis(300);

/// For each topic: asks a master of our own, is told a publisher, connects to it and is refused. Prints the topic, and when `connect()`
/// had failed, in nanoseconds of `CLOCK_MONOTONIC`.
pub fn failing(count: u32) -> anyhow::Result<()> {
    for number in 0..u16::try_from(count)? {
        let port = CLOSED_PORTS + number;
        let uri = format!("http://127.0.0.1:{port}/");
        let master = serve(0, &format!("<array><data><value>{}</value></data></array>", string(&uri)))?;
        let topic = format!("/bench/failing_{number}");
        let params = ["/bench", &topic, "std_msgs/String", "http://127.0.0.1:3000/"].map(string);
        Client::connect(master)?.call(&request("registerSubscriber", &params.each_ref().map(String::as_str)))?;
        thread::sleep(PAUSE);
        match TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            other => anyhow::bail!("connect() to port {port} gave {other:?} and should have been refused"),
        }
        let failed = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
        println!("{}", json!({ "topic": topic, "failed_ns": u64::try_from(failed.as_nanos())? }));
        thread::sleep(PAUSE);
    }
    Ok(())
}
