//! The operations that are measured, by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::repeat::repeat;
use super::{transfer, xmlrpc};

/// Runs the loads of these names and prints nanoseconds for one operation of each.
pub fn run(names: &[String], time: Duration) -> anyhow::Result<()> {
    let mut nanoseconds = BTreeMap::new();
    for name in names {
        let one = one(name, time).with_context(|| format!("the load {name}"))?;
        nanoseconds.insert(name, one);
    }
    println!("{}", serde_json::to_string(&nanoseconds)?);
    Ok(())
}

fn one(name: &str, time: Duration) -> anyhow::Result<f64> {
    Ok(match name {
        "getpid" => repeat(time, || {
            std::hint::black_box(nix::unistd::getpid());
            Ok(())
        })?,
        "read-write" => {
            let (mut zero, mut null) = (File::open("/dev/zero")?, File::options().write(true).open("/dev/null")?);
            let mut byte = [0];
            repeat(time, || {
                zero.read_exact(&mut byte)?;
                null.write_all(&byte)
            })?
        }
        "tcp-pair" => transfer::tcp_pair(time)?,
        "tcp-ping-pong" => transfer::tcp_ping_pong(time)?,
        "tcp-bulk" => transfer::tcp_bulk(time)?,
        "udp-ping-pong" => transfer::udp_ping_pong(time)?,
        "rtps-sample" => transfer::rtps_sample(time)?,
        "connect-refused" => transfer::connect_refused(time)?,
        "xml-rpc" => xmlrpc::calls(time)?,
        unknown => bail!("nothing is called {unknown}"),
    })
}
