//! Many topics at once: a TCPROS connection for each, with both of its ends.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use super::transfer::pair;

/// Open files that a process may need besides.
const SPARE: u64 = 256;

/// Makes the connections, says `ready`, and holds them until standard input ends.
pub fn links(count: u16) -> anyhow::Result<()> {
    let wanted = u64::from(count) * 2 + SPARE;
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, wanted, wanted)?;
    let mut held = Vec::new();
    for number in 0..count {
        held.push(link(number)?);
    }
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn link(number: u16) -> io::Result<(TcpStream, TcpStream)> {
    let (mut subscriber, mut publisher) = pair()?;
    let topic = format!("topic=/bench/topic_{number}");
    let common = ["type=std_msgs/String", "md5sum=992ce8a1687cec8c8bd883ec73ca41d1", &topic];
    let asked = header(&[&["callerid=/bench/subscriber", "tcp_nodelay=0"], &common[..]].concat());
    let answered = header(&[&["callerid=/bench/publisher", "latching=0"], &common[..]].concat());
    subscriber.write_all(&asked)?;
    publisher.read_exact(&mut vec![0; asked.len()])?;
    publisher.write_all(&answered)?;
    subscriber.read_exact(&mut vec![0; answered.len()])?;
    // A message, so that it is a link on which something arrives.
    let message = [9_u32.to_le_bytes(), 5_u32.to_le_bytes()].concat();
    publisher.write_all(&message)?;
    publisher.write_all(b"hello")?;
    subscriber.read_exact(&mut [0; 13])?;
    Ok((subscriber, publisher))
}

/// A connection header: its length, then each field with its length.
fn header(fields: &[&str]) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes(), bytes].concat();
    with_length(&fields.iter().flat_map(|field| with_length(field.as_bytes())).collect::<Vec<u8>>())
}
