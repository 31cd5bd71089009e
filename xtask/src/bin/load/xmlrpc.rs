//! XML-RPC as rospy writes it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::repeat::repeat;

/// Longest body that is read, in bytes.
const BODY_LIMIT: usize = 16 << 20;

/// A call with a body of about `body` bytes.
pub fn request(method: &str, params: &[&str]) -> Vec<u8> {
    let param = |param: &&str| ["<param>\n<value>", param, "</value>\n</param>\n"].concat();
    let params: String = params.iter().map(param).collect();
    let body = format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>\n{params}</params>\n</methodCall>\n"
    );
    let head = format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost:11311\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\nUser-Agent: \
         Python-xmlrpc/3.11\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

/// A text as a value.
pub fn string(text: &str) -> String {
    format!("<string>{text}</string>")
}

/// An answer with this value.
pub fn response(value: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n<value><int>1</int></value>\n\
         <value><string></string></value>\n<value>{value}</value>\n</data></array></value>\n</param>\n</params>\n</methodResponse>\n"
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\nDate: Sat, 21 Nov 2026 11:11:11 GMT\r\nContent-type: \
         text/xml\r\nContent-length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

/// Reads one message and gives its body; `None` at the end of the stream.
pub fn read_message(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let field = line.trim_end().to_ascii_lowercase();
        if field.is_empty() {
            break;
        }
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; std::cmp::min(length, BODY_LIMIT)];
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

/// A server that answers every call on every connection in the same way, for as long as the process lives.
pub fn serve(port: u16, value: &str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let answer = response(value);
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || answer_all(stream, &answer));
        }
    });
    Ok(address)
}

fn answer_all(stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while read_message(&mut stream)?.is_some() {
        stream.get_mut().write_all(answer)?;
    }
    Ok(())
}

/// A connection to a server.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a call and waits for its answer.
    pub fn call(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(request)?;
        match read_message(&mut self.stream)? {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Calls over one connection, one after another.
pub fn calls(time: Duration) -> io::Result<f64> {
    let mut client = Client::connect(serve(0, "<int>42</int>")?)?;
    let request = request("getPid", &[&string("/bench")]);
    repeat(time, || client.call(&request))
}
