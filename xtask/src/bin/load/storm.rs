//! Many calls, and many processes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::xmlrpc::{Client, request, serve, string};

/// Processes that run at the same moment.
const PROCESSES_AT_ONCE: usize = 16;

/// XML-RPC calls at a rate.
#[derive(clap::Args)]
pub struct Calls {
    /// Calls a second, of all connections together.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// For so many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Bytes of the text that each call carries.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// Connections that stay open; 0: a connection for each call.
    #[arg(long, default_value_t = 0)]
    connections: u32,
}

/// Makes them, and prints how many were made in how many seconds.
pub fn calls(calls: &Calls) -> anyhow::Result<()> {
    let server = serve(0, "<int>0</int>")?;
    let text = "x".repeat(calls.bytes);
    let request = request("setParam", &[&string("/bench"), &string("/bench/parameter"), &string(&text)]);
    let workers = calls.connections.max(1);
    let begin = Instant::now();
    let end = Duration::from_secs(calls.seconds.into());
    let each = Duration::from_secs(1) * workers / calls.rate.max(1);
    let fresh = calls.connections == 0;
    let made = thread::scope(|scope| {
        let worker = |number| {
            let request = &request;
            scope.spawn(move || one_after_another(server, request, fresh, begin + each * number / workers, each, end))
        };
        let workers: Vec<_> = (0..workers).map(worker).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked"))))
            .sum::<io::Result<u64>>()
    })?;
    println!("{}", json!({ "calls": made, "seconds": begin.elapsed().as_secs_f64() }));
    Ok(())
}

fn one_after_another(
    server: SocketAddr,
    request: &[u8],
    fresh: bool,
    begin: Instant,
    each: Duration,
    time: Duration,
) -> io::Result<u64> {
    let mut client = if fresh { None } else { Some(Client::connect(server)?) };
    let mut due = begin;
    let mut made = 0;
    while begin.elapsed() < time {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match &mut client {
            Some(client) => client.call(request)?,
            None => Client::connect(server)?.call(request)?,
        }
        made += 1;
        due += each;
    }
    Ok(made)
}

/// Starts `count` processes, a few at a time, of which each makes a call, and waits for them.
pub fn processes(count: u32) -> anyhow::Result<()> {
    let port = serve(0, "<int>0</int>")?.port().to_string();
    let program = std::env::current_exe()?;
    let begin = Instant::now();
    let mut running: Vec<Child> = Vec::new();
    for _ in 0..count {
        if running.len() == PROCESSES_AT_ONCE {
            running.remove(0).wait()?;
        }
        running.push(Command::new(&program).args(["call", &port]).stdin(Stdio::null()).spawn()?);
    }
    for mut child in running {
        child.wait()?;
    }
    println!("{}", json!({ "processes": count, "seconds": begin.elapsed().as_secs_f64() }));
    Ok(())
}

/// One call.
pub fn call(port: u16) -> anyhow::Result<()> {
    let request = request("getPid", &[&string("/bench")]);
    Ok(Client::connect((Ipv4Addr::LOCALHOST, port).into())?.call(&request)?)
}
