//! Bytes over loopback that are not ROS.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use super::repeat::{repeat, repeat_long};

/// Bytes of a ping and of a pong.
const PING: usize = 32;
/// Bytes of a write of the bulk transfer.
const BULK: usize = 64 * 1024;
/// Nobody listens there in a namespace of our own.
const CLOSED_PORT: u16 = 1;

/// Two ends of a connection.
pub fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// A send and the receive of it, by one thread.
pub fn tcp_pair(time: Duration) -> io::Result<f64> {
    let (mut near, mut far) = pair()?;
    let mut bytes = [0; PING];
    repeat(time, || {
        near.write_all(&bytes)?;
        far.read_exact(&mut bytes)
    })
}

/// A ping and its pong between two threads.
pub fn tcp_ping_pong(time: Duration) -> io::Result<f64> {
    let (mut near, mut far) = pair()?;
    let echo = thread::spawn(move || {
        let mut bytes = [0; PING];
        while far.read_exact(&mut bytes).is_ok() && far.write_all(&bytes).is_ok() {}
    });
    let mut bytes = [0; PING];
    let result = repeat(time, || {
        near.write_all(&bytes)?;
        near.read_exact(&mut bytes)
    });
    drop(near);
    drop(echo.join());
    result
}

/// A write of 64 KiB that another thread reads.
pub fn tcp_bulk(time: Duration) -> io::Result<f64> {
    let (mut near, mut far) = pair()?;
    let sink = thread::spawn(move || {
        let mut bytes = vec![0; BULK];
        while far.read(&mut bytes).is_ok_and(|count| count > 0) {}
    });
    let bytes = vec![0; BULK];
    let result = repeat_long(time, || near.write_all(&bytes));
    drop(near);
    drop(sink.join());
    result
}

/// A datagram and its answer between two threads.
pub fn udp_ping_pong(time: Duration) -> io::Result<f64> {
    let (near, far) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    near.connect(far.local_addr()?)?;
    far.connect(near.local_addr()?)?;
    let echo = thread::spawn(move || {
        let mut bytes = [0; PING];
        // An empty datagram ends it.
        while far.recv(&mut bytes).is_ok_and(|count| count > 0) && far.send(&bytes).is_ok() {}
    });
    let mut bytes = [0; PING];
    let result = repeat(time, || {
        near.send(&bytes)?;
        near.recv(&mut bytes).map(drop)
    });
    near.send(&[])?;
    drop(echo.join());
    result
}

/// A sample of RTPS user data, sent and received: a header, `INFO_TS`, and DATA with 100 bytes.
pub fn rtps_sample(time: Duration) -> io::Result<f64> {
    let (near, far) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    let mut sample = b"RTPS\x02\x03\x01\x10rosprobe-a-b".to_vec();
    sample.extend(b"\x09\x01\x08\0\x01\0\0\0\0\0\0\0");
    // Flags, length, offset of what follows the head, reader, writer, sequence number.
    sample.extend(b"\x15\x05\x7c\0\0\0\x10\0\0\0\0\0\0\0\x01\x03\0\0\0\0\x01\0\0\0");
    sample.extend([0, 1, 0, 0]);
    sample.extend([0; 100]);
    let (target, mut room) = (far.local_addr()?, [0; 256]);
    repeat(time, || {
        near.send_to(&sample, target)?;
        far.recv(&mut room).map(drop)
    })
}

/// A connect that is refused, and the close of its socket.
pub fn connect_refused(time: Duration) -> io::Result<f64> {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, CLOSED_PORT));
    repeat(time, || match TcpStream::connect(nobody) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("somebody listens on port 1")),
    })
}
