//! The XML-RPC exchange of one connection: HTTP messages to calls and answers, each answer with its call.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::content;
use super::context::Context;
use super::http::{Head, Output, Role};
use super::ros1::{self, Called};
use super::stream::Gap;
use super::xmlrpc::{self, Document, Problem};
use crate::event::{Direction, GapCause, Monotonic};
use crate::observation::{Answer, Http, ObservationId, Protocol, What};

/// Calls that wait for their answers, in order.
#[derive(Debug, Default)]
pub struct Exchange {
    waiting: VecDeque<Waiting>,
    pairing: Pairing,
    /// This client sends calls before earlier ones are answered.
    pipelined: bool,
    /// XML-RPC was seen on this connection.
    seen: bool,
}

/// Which answer is whose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pairing {
    /// Answers come in the order of their calls.
    #[default]
    InOrder,
    /// Messages were missed, so that it is not known.
    Unsure,
    /// The connection was open before, and no answer has come on it since: one direction may be seen before the other.
    HalfSeen,
}

#[derive(Debug)]
struct Waiting {
    /// `None` when the call could not be read.
    id: Option<ObservationId>,
    called: Option<Called>,
    since: Monotonic,
    /// Not XML-RPC: its answer is nobody's business.
    foreign: bool,
}

/// Body of a message, decompressed.
enum Content<'a> {
    Xml(Cow<'a, [u8]>),
    Other(Cow<'a, [u8]>),
    Unreadable,
}

impl Exchange {
    /// The connection was open before it was looked at.
    pub fn already_open(&mut self) {
        self.pairing = Pairing::HalfSeen;
    }

    /// True when XML-RPC was seen.
    pub fn seen(&self) -> bool {
        self.seen
    }

    /// Takes what the HTTP reader of a direction found.
    pub fn output(&mut self, output: Output<'_>, role: Role, direction: Direction, context: &mut Context<'_>) {
        match (output, role) {
            (Output::Message { offset, head, body }, Role::Requests) => {
                self.request(Message { offset, head, body, direction }, context);
            }
            (Output::Message { offset, head, body }, Role::Answers) => {
                self.answer(Message { offset, head, body, direction }, context);
            }
            (Output::Incomplete { head, prefix, gap }, role) => {
                self.incomplete(head, prefix, gap, role, direction, context);
            }
            (Output::Malformed { offset, error }, _) => {
                context.malformed(Protocol::Http, direction, offset, error.to_string());
            }
            (Output::LostSync, role) => {
                // Where it is answers that were missed, calls wait for these and not because the client did not.
                self.pipelined |= role == Role::Requests && self.waiting.len() > 1;
                self.waiting.clear();
                self.pairing = Pairing::Unsure;
            }
        }
    }

    fn request(&mut self, message: Message<'_>, context: &mut Context<'_>) {
        let mut waiting = Waiting { id: None, called: None, since: context.now, foreign: true };
        let (direction, offset) = (message.direction, message.offset);
        if message.head.method == "POST" {
            match message.content(context) {
                Content::Xml(xml) => self.call(message, &xml, &mut waiting, context),
                Content::Other(content) if self.seen => {
                    let http = message.http(&content);
                    context.emit(What::HttpOnly { direction, http });
                }
                Content::Other(_) => {}
                Content::Unreadable => waiting.foreign = false,
            }
        }
        self.wait(waiting, direction, offset, context);
    }

    fn call(&mut self, message: Message<'_>, xml: &[u8], waiting: &mut Waiting, context: &mut Context<'_>) {
        match xmlrpc::parse(xml, context.limits) {
            Ok(Document::Call { method, params }) => {
                let call = ros1::call(method, params);
                waiting.called = Some(Called::from(&call));
                let (direction, http) = (message.direction, message.http(xml));
                waiting.id = Some(context.emit(What::Call { direction, call, http }));
            }
            Ok(Document::Response(_) | Document::Fault { .. }) => {
                let reason = "a request holds a methodResponse".to_owned();
                context.malformed(Protocol::XmlRpc, message.direction, message.offset, reason);
            }
            Err(error) if matches!(error.problem, Problem::Root(_)) && !self.seen => return,
            Err(error) => {
                waiting.called = xmlrpc::method_of_prefix(xml).map(|method| Called::method(&method));
                message.malformed(&error, context);
            }
        }
        waiting.foreign = false;
        self.seen = true;
    }

    fn wait(&mut self, waiting: Waiting, direction: Direction, offset: u64, context: &mut Context<'_>) {
        match self.pairing {
            Pairing::Unsure if self.pipelined => return,
            Pairing::Unsure => self.pairing = Pairing::InOrder,
            // No client of ROS calls again before it is answered: the answers to these passed before that direction was looked at.
            Pairing::HalfSeen => self.waiting.retain(|earlier| earlier.since == waiting.since),
            Pairing::InOrder => {}
        }
        if self.waiting.len() == context.limits.outstanding {
            let reason = format!("{} calls wait for their answers: answers are no longer paired", self.waiting.len());
            context.malformed(Protocol::Http, direction, offset, reason);
            self.waiting.clear();
            self.pairing = Pairing::Unsure;
            return;
        }
        self.waiting.push_back(waiting);
    }

    fn answer(&mut self, message: Message<'_>, context: &mut Context<'_>) {
        if self.pairing == Pairing::HalfSeen {
            self.pairing = Pairing::InOrder;
        }
        self.pipelined |= self.waiting.len() > 1;
        let waiting = self.waiting.pop_front();
        if waiting.as_ref().is_some_and(|waiting| waiting.foreign) {
            return;
        }
        match message.content(context) {
            Content::Xml(xml) => self.document(message, &xml, waiting.as_ref(), context),
            Content::Other(content) if self.seen => {
                let (direction, http) = (message.direction, message.http(&content));
                context.emit(What::HttpOnly { direction, http });
            }
            Content::Other(_) | Content::Unreadable => {}
        }
    }

    fn document(&mut self, message: Message<'_>, xml: &[u8], waiting: Option<&Waiting>, context: &mut Context<'_>) {
        let called = waiting.and_then(|waiting| waiting.called.as_ref());
        let answer = match xmlrpc::parse(xml, context.limits) {
            Ok(Document::Response(value)) => ros1::answer(called, value),
            Ok(Document::Fault { code, message }) => Answer::Fault { code, message },
            Ok(Document::Call { .. }) => {
                let reason = "an answer holds a methodCall".to_owned();
                context.malformed(Protocol::XmlRpc, message.direction, message.offset, reason);
                return;
            }
            Err(error) if matches!(error.problem, Problem::Root(_)) => {
                // A page of HTML, for instance.
                if self.seen {
                    let (direction, http) = (message.direction, message.http(xml));
                    context.emit(What::HttpOnly { direction, http });
                }
                return;
            }
            Err(error) => return message.malformed(&error, context),
        };
        self.seen = true;
        let id = waiting.and_then(|waiting| waiting.id);
        let since = waiting.filter(|waiting| waiting.id.is_some()).map(|waiting| waiting.since);
        context.emit(What::Answer {
            direction: message.direction,
            to: id,
            method: called.map(|called| called.method.clone()).unwrap_or_default(),
            after_ns: since.map(|since| context.now.0.saturating_sub(since.0)),
            answer,
            http: message.http(xml),
        });
    }

    fn incomplete(
        &mut self,
        head: &Head,
        prefix: &[u8],
        gap: Option<Gap>,
        role: Role,
        direction: Direction,
        context: &mut Context<'_>,
    ) {
        let compressed = head.get("content-encoding").is_some();
        let xml = is_xml(head, prefix);
        if let Some(gap) = gap.filter(|_| xml || self.seen) {
            let reason = format!(
                "the message {:?} misses bytes {} to {}: {}",
                head.start_line,
                gap.from,
                gap.to,
                why(gap.cause)
            );
            context.malformed(Protocol::XmlRpc, direction, gap.from, reason);
        }
        match role {
            Role::Requests => {
                let method = Some(prefix).filter(|_| !compressed).and_then(xmlrpc::method_of_prefix);
                let called = method.map(|method| Called::method(&method));
                let waiting = Waiting { id: None, called, since: context.now, foreign: !xml && !self.seen };
                self.wait(waiting, direction, gap.map_or(0, |gap| gap.from), context);
            }
            Role::Answers => {
                self.waiting.pop_front();
            }
        }
    }
}

fn why(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Lost => "they were lost on their way to rosprobe",
        GapCause::Limit => {
            "they are beyond what is copied of a message (--payload-limit) or kept of a packet (tcpdump -s)"
        }
        GapCause::Unreadable => "the process's memory could not be read at that moment",
        GapCause::NotCopied => "the kernel side did not copy them",
    }
}

/// An HTTP message with where it came.
struct Message<'a> {
    offset: u64,
    head: Head,
    body: &'a [u8],
    direction: Direction,
}

impl<'a> Message<'a> {
    fn content(&self, context: &mut Context<'_>) -> Content<'a> {
        let coding = self.head.get("content-encoding");
        match content::decode(coding, self.body, context.limits.content) {
            Ok(content) if is_xml(&self.head, &content) => Content::Xml(content),
            Ok(content) => Content::Other(content),
            Err(error) => {
                context.malformed(Protocol::Gzip, self.direction, self.offset, error.to_string());
                Content::Unreadable
            }
        }
    }

    fn malformed(&self, error: &xmlrpc::XmlRpcError, context: &mut Context<'_>) {
        // In a compressed body a place of the content is no place of the stream.
        let plain = self.head.get("content-encoding").is_none() && self.head.get("transfer-encoding").is_none();
        let at = if plain { error.at as u64 } else { 0 };
        context.malformed(Protocol::XmlRpc, self.direction, self.offset + at, error.to_string());
    }

    fn http(self, content: &[u8]) -> Http {
        Http {
            start_line: self.head.start_line,
            headers: self.head.headers,
            body: cut(content),
            body_bytes: content.len() as u64,
        }
    }
}

fn is_xml(head: &Head, content: &[u8]) -> bool {
    let begins = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content).trim_ascii_start().first() == Some(&b'<');
    begins || head.get("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("xml"))
}

/// The beginning of a body that observations keep.
fn cut(content: &[u8]) -> String {
    let beginning = &content[..content.len().min(Http::BODY_LIMIT)];
    let valid = match std::str::from_utf8(beginning) {
        Ok(text) => return text.to_owned(),
        // A character that the limit cuts in two.
        Err(error) if error.error_len().is_none() => &beginning[..error.valid_up_to()],
        Err(_) => beginning,
    };
    let mut text = String::from_utf8_lossy(valid).into_owned();
    text.truncate(text.floor_char_boundary(Http::BODY_LIMIT));
    text
}
