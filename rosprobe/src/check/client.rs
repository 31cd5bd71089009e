//! A small XML-RPC client: one call, one connection, limits on time and size.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::decode::http::{Output, Reader, Role};
use crate::decode::ros1::{self, Called};
use crate::decode::xmlrpc::{self, Document};
use crate::decode::{Limits, content};
use crate::observation::{AdvertisedUri, Answer};
use crate::reach::{self, ConnectError};

/// How long one step (connect, request and answer) may take.
pub const STEP_LIMIT: Duration = Duration::from_secs(3);

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A string.
    Text(&'a str),
    /// `[["TCPROS"]]`, the protocols of `requestTopic`.
    Tcpros,
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection.
    #[error("{0}")]
    Connect(ConnectError),
    /// The connection broke, or nothing came.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Connected, and nothing came back in time.
    #[error("it accepts connections and does not answer within {} s", STEP_LIMIT.as_secs())]
    NoAnswer,
    /// What came back is no XML-RPC answer.
    #[error("what answers there is no ROS node: {0}")]
    NoNode(String),
}

/// Calls `method` of the server at `address`; `uri` is what it advertises.
pub fn call(
    address: SocketAddr,
    uri: &AdvertisedUri,
    method: &str,
    arguments: &[Argument<'_>],
) -> Result<Answer, CallError> {
    let mut stream = reach::connect(address, STEP_LIMIT).map_err(CallError::Connect)?;
    stream.set_write_timeout(Some(STEP_LIMIT))?;
    stream.write_all(request(uri, method, arguments).as_bytes())?;
    let deadline = Instant::now() + STEP_LIMIT;
    let limits = Limits::default();
    let mut reader = Reader::new(Role::Answers, 0, &limits);
    let mut answer = None;
    let mut buffer = [0; 16 * 1024];
    while answer.is_none() {
        // A zero timeout would mean to wait for ever.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        let length = match stream.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(CallError::NoAnswer),
            Err(error) => return Err(error.into()),
        };
        let mut take = |output: Output<'_>| _ = answer.get_or_insert(read_answer(output, method, &limits));
        if length == 0 {
            reader.close(&mut take);
            break;
        }
        reader.push(&buffer[..length], &mut take);
        if Instant::now() >= deadline && answer.is_none() {
            return Err(CallError::NoAnswer);
        }
    }
    let answer = answer.unwrap_or_else(|| Err("it closed the connection without an answer".to_owned()));
    answer.map_err(CallError::NoNode)
}

fn read_answer(output: Output<'_>, method: &str, limits: &Limits) -> Result<Answer, String> {
    let (head, body) = match output {
        Output::Message { head, body, .. } => (head, body),
        Output::Malformed { error, .. } => return Err(error.to_string()),
        Output::Incomplete { .. } | Output::LostSync => return Err("its answer is not complete".to_owned()),
    };
    if head.status != 200 {
        return Err(format!("it says {}", head.start_line));
    }
    let body =
        content::decode(head.get("content-encoding"), body, limits.message).map_err(|error| error.to_string())?;
    match xmlrpc::parse(&body, limits).map_err(|error| error.to_string())? {
        Document::Response(value) => Ok(ros1::answer(Some(&Called::method(method)), value)),
        Document::Fault { code, message } => Ok(Answer::Fault { code, message }),
        Document::Call { .. } => Err("it answers with a call".to_owned()),
    }
}

fn request(uri: &AdvertisedUri, method: &str, arguments: &[Argument<'_>]) -> String {
    let mut params = String::new();
    for argument in arguments {
        params.push_str("<param><value>");
        match argument {
            Argument::Text(text) => {
                // Writing to a String cannot fail.
                let _ = write!(params, "<string>{}</string>", quick_xml::escape::escape(*text));
            }
            Argument::Tcpros => {
                let list = |inner: &str| format!("<array><data><value>{inner}</value></data></array>");
                params.push_str(&list(&list("<string>TCPROS</string>")));
            }
        }
        params.push_str("</value></param>");
    }
    let body = format!(
        "<?xml version=\"1.0\"?>\n<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>\n"
    );
    format!(
        "POST / HTTP/1.1\r\nHost: {uri}\r\nUser-Agent: rosprobe/{}\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        env!("CARGO_PKG_VERSION"),
        body.len()
    )
}

/// Introduces itself as a subscriber of `topic` on a TCPROS connection and reads the publisher's header, to be sure that it is a
/// publisher that answers there. <https://wiki.ros.org/ROS/TCPROS>
pub fn greet(stream: &mut TcpStream, topic: &str) -> Result<(), String> {
    let limits = [stream.set_read_timeout(Some(STEP_LIMIT)), stream.set_write_timeout(Some(STEP_LIMIT))];
    limits.into_iter().collect::<io::Result<()>>().map_err(|error| error.to_string())?;
    let mut fields = Vec::new();
    for field in [format!("topic={topic}"), "md5sum=*".to_owned(), "type=*".to_owned(), format!("callerid={CALLER}")] {
        fields.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
        fields.extend(field.as_bytes());
    }
    let length = u32::try_from(fields.len()).unwrap_or(u32::MAX).to_le_bytes();
    stream.write_all(&[&length[..], &fields].concat()).map_err(|error| error.to_string())?;
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(format!("it accepts connections and sends no header within {} s", STEP_LIMIT.as_secs()))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err("it closes the connection without a header".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The name under which rosprobe calls others.
pub const CALLER: &str = "/rosprobe_check";
