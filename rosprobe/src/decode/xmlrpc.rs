//! XML-RPC documents (<http://xmlrpc.com/spec.md>) as rospy, roscpp and others write them, on quick-xml.
//!
//! Document type definitions are passed over: no entity of theirs is ever expanded.

mod plain;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead as _;

use quick_xml::Reader;
use quick_xml::events::Event;

use self::plain::Room;
use super::limits::Limits;
use crate::observation::Value;

/// A whole XML-RPC document.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// `<methodCall>`.
    Call {
        /// The method's name.
        method: String,
        /// Its arguments.
        params: Vec<Value>,
    },
    /// `<methodResponse>` with a value; nil when there is none.
    Response(Value),
    /// `<methodResponse>` with a `<fault>`.
    Fault {
        /// `faultCode`.
        code: i64,
        /// `faultString`.
        message: String,
    },
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at byte {at} of the XML")]
pub struct XmlRpcError {
    /// Position in the document, in bytes.
    pub at: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a document. Text from it is cut at 40 characters and has no control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The parser's word.
    #[error("the XML is not well-formed: {0}")]
    Xml(String),
    /// The declared encoding is not one of those that are decoded.
    #[error("the encoding {0:?} is not decoded")]
    Encoding(String),
    /// An entity that XML itself does not define.
    #[error("the entity {0:?} is not defined")]
    Entity(String),
    /// Another document.
    #[error("<{0}> stands where <methodCall> or <methodResponse> should")]
    Root(String),
    /// Another element than expected.
    #[error("<{found}> stands where {expected} should")]
    Element {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// Text between elements.
    #[error("the text {found:?} stands where {expected} should")]
    Text {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// The document ends too early.
    #[error("it ends where {0} should stand")]
    End(&'static str),
    /// The content of an element is not of its type.
    #[error("{found:?} is no {expected}")]
    Content {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A fault without code or text.
    #[error("the fault is no struct with faultCode and faultString")]
    Fault,
    /// Nested deeper than the limit.
    #[error("values are nested deeper than {0}")]
    Depth(usize),
    /// More values than the limit.
    #[error("there are more than {0} values")]
    Values(usize),
}

/// Reads a document. The bytes are UTF-8 unless it says otherwise; bytes that are not become U+FFFD.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Document, XmlRpcError> {
    let text = text::decode(bytes).map_err(|problem| XmlRpcError { at: 0, problem })?;
    let mut parser = Parser::new(&text, limits);
    parser.document().map_err(|problem| XmlRpcError { at: parser.position(), problem })
}

/// The method's name of a call of which only the beginning was seen.
pub fn method_of_prefix(bytes: &[u8]) -> Option<String> {
    let text = text::decode(bytes).ok()?;
    let limits = Limits::default();
    let mut parser = Parser::new(&text, &limits);
    parser.open("methodCall", "<methodCall>").ok()?;
    parser.method_name().ok()
}

enum Token<'a> {
    Open(Cow<'static, str>),
    Close,
    Text(Cow<'a, str>),
    End,
}

struct Parser<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    not_xml: bool,
    /// Values before this position are not all written plainly.
    not_plain: usize,
    depth: usize,
    values: usize,
    limits: &'a Limits,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        // roscpp passes over a bare `&`, so it gets as far as that.
        config.allow_dangling_amp = true;
        Self { text, reader, not_xml: false, not_plain: 0, depth: 0, values: 0, limits }
    }

    fn position(&self) -> usize {
        let position = if self.not_xml { self.reader.error_position() } else { self.reader.buffer_position() };
        usize::try_from(position).unwrap_or(usize::MAX)
    }

    fn next(&mut self) -> Result<Token<'a>, Problem> {
        loop {
            return Ok(match self.reader.read_event() {
                Ok(Event::Start(start) | Event::Empty(start)) => Token::Open(known(start.name().into_inner())),
                Ok(Event::End(_)) => Token::Close,
                Ok(Event::Text(text)) => Token::Text(line_ends(text.into_inner())),
                Ok(Event::CData(data)) => Token::Text(line_ends(data.into_inner())),
                Ok(Event::GeneralRef(entity)) => Token::Text(resolve(&entity)?),
                Ok(Event::Eof) => Token::End,
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => continue,
                Err(error) => {
                    self.not_xml = true;
                    return Err(Problem::Xml(cut(&error.to_string(), 120)));
                }
            });
        }
    }

    /// The text right behind a start tag, up to the next tag. The parser makes an event of each reference, and a robot description is
    /// full of them. `None` where there is more to it than the references of XML itself: nothing is consumed then.
    fn simple_text(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.unread()?;
        let length = rest.find('<')?;
        let text = text::resolved(rest.get(..length)?)?;
        self.reader.stream().consume(length);
        Some(line_ends(text))
    }

    /// What the parser has not read, behind a tag; `None` behind an empty element, whose end it has yet to tell.
    fn unread(&self) -> Option<&'a str> {
        let at = self.text.len().checked_sub(self.reader.get_ref().len())?;
        let (before, rest) = self.text.split_at_checked(at)?;
        (!before.ends_with("/>")).then_some(rest)
    }

    /// The next value, where it is written as nearly all are. `None` otherwise: nothing is consumed then. What had to be left to the
    /// parser is not tried a second time, so that each byte is looked at twice at most.
    fn plain_value(&mut self) -> Option<Value> {
        let unread = self.unread()?;
        let at = self.text.len() - unread.len();
        if at < self.not_plain {
            return None;
        }
        let mut room = Room {
            values: self.limits.values.saturating_sub(self.values),
            depth: self.limits.depth.saturating_sub(self.depth),
        };
        match room.value(unread) {
            Ok((value, rest)) => {
                self.values = self.limits.values.saturating_sub(room.values);
                self.reader.stream().consume(unread.len() - rest.len());
                Some(value)
            }
            Err(rest) => {
                self.not_plain = self.text.len() - rest.len();
                None
            }
        }
    }

    /// The value that comes next, or `None` at the end of the element around it.
    fn next_value(&mut self) -> Result<Option<Value>, Problem> {
        if let Some(value) = self.plain_value() {
            return Ok(Some(value));
        }
        let expected = "<value>";
        match self.element(expected)? {
            None => Ok(None),
            Some(name) if name == "value" => self.value().map(Some),
            Some(found) => Err(Problem::Element { found: found.into_owned(), expected }),
        }
    }

    /// The value that has to come next.
    fn one_value(&mut self) -> Result<Value, Problem> {
        let expected = "<value>";
        self.next_value()?.ok_or_else(|| Problem::Element { found: "an end tag".to_owned(), expected })
    }

    /// The next element, or `None` at the end of the one around it.
    fn element(&mut self, expected: &'static str) -> Result<Option<Cow<'static, str>>, Problem> {
        loop {
            match self.next()? {
                Token::Open(name) => return Ok(Some(name)),
                Token::Close => return Ok(None),
                Token::End => return Err(Problem::End(expected)),
                Token::Text(text) => blank(&text, expected)?,
            }
        }
    }

    fn open(&mut self, name: &str, expected: &'static str) -> Result<(), Problem> {
        match self.element(expected)? {
            Some(found) if found == name => Ok(()),
            Some(found) => Err(Problem::Element { found: found.into_owned(), expected }),
            None => Err(Problem::Element { found: "an end tag".to_owned(), expected }),
        }
    }

    fn close(&mut self, expected: &'static str) -> Result<(), Problem> {
        match self.element(expected)? {
            None => Ok(()),
            Some(found) => Err(Problem::Element { found: found.into_owned(), expected }),
        }
    }

    fn document(&mut self) -> Result<Document, Problem> {
        let expected = "<methodCall> or <methodResponse>";
        let document = match self.element(expected)?.as_deref() {
            Some("methodCall") => self.call()?,
            Some("methodResponse") => self.response()?,
            found => return Err(Problem::Root(found.unwrap_or("an end tag").to_owned())),
        };
        let expected = "the end of the document";
        loop {
            match self.next()? {
                Token::End => return Ok(document),
                // Some clients put a NUL behind the document.
                Token::Text(text) => blank(text.trim_matches('\0'), expected)?,
                Token::Open(found) => return Err(Problem::Element { found: found.into_owned(), expected }),
                Token::Close => return Err(Problem::Element { found: "an end tag".to_owned(), expected }),
            }
        }
    }

    fn call(&mut self) -> Result<Document, Problem> {
        let method = self.method_name()?;
        let expected = "<params>";
        let params = match self.element(expected)?.as_deref() {
            Some("params") => {
                let params = self.params()?;
                self.close("</methodCall>")?;
                params
            }
            Some(found) => return Err(Problem::Element { found: found.to_owned(), expected }),
            None => Vec::new(),
        };
        Ok(Document::Call { method, params })
    }

    fn method_name(&mut self) -> Result<String, Problem> {
        self.open("methodName", "<methodName>")?;
        Ok(self.content("</methodName>")?.trim().to_owned())
    }

    fn params(&mut self) -> Result<Vec<Value>, Problem> {
        let expected = "<param>";
        let mut params = Vec::new();
        while let Some(name) = self.element(expected)? {
            if name != "param" {
                return Err(Problem::Element { found: name.into_owned(), expected });
            }
            params.push(self.one_value()?);
            self.close("</param>")?;
        }
        Ok(params)
    }

    fn response(&mut self) -> Result<Document, Problem> {
        let expected = "<params> or <fault>";
        let document = match self.element(expected)?.as_deref() {
            Some("params") => {
                let mut params = self.params()?;
                match (params.pop(), params.is_empty()) {
                    (Some(value), true) => Document::Response(value),
                    (None, _) => Document::Response(Value::Nil),
                    (Some(_), false) => {
                        return Err(Problem::Element {
                            found: "param".to_owned(),
                            expected: "</params> after one value",
                        });
                    }
                }
            }
            Some("fault") => {
                let fault = fault(self.one_value()?)?;
                self.close("</fault>")?;
                fault
            }
            found => return Err(Problem::Element { found: found.unwrap_or("an end tag").to_owned(), expected }),
        };
        self.close("</methodResponse>")?;
        Ok(document)
    }

    /// The value whose start tag was read.
    fn value(&mut self) -> Result<Value, Problem> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(Problem::Values(self.limits.values));
        }
        let mut text = self.simple_text().unwrap_or_default();
        loop {
            match self.next()? {
                Token::Text(more) => append(&mut text, more),
                Token::Close => return Ok(Value::String(text.into_owned())),
                Token::Open(name) => {
                    blank(&text, "the type of a value")?;
                    let value = self.typed(&name)?;
                    self.close("</value>")?;
                    return Ok(value);
                }
                Token::End => return Err(Problem::End("</value>")),
            }
        }
    }

    /// The content of the element of that name, whose start tag was read.
    fn typed(&mut self, name: &str) -> Result<Value, Problem> {
        Ok(match name {
            "string" => Value::String(self.content("</string>")?.into_owned()),
            "int" | "i4" | "i8" | "i1" | "i2" | "short" | "byte" | "long" => {
                int(&self.content("the end of a number")?)?
            }
            "boolean" => boolean(&self.content("</boolean>")?)?,
            "double" | "float" => double(&self.content("</double>")?)?,
            "array" => self.nested(Self::array)?,
            "struct" => self.nested(Self::members)?,
            "base64" => {
                let mut text = self.content("</base64>")?.into_owned();
                // roscpp 1.15 ends its text with a NUL.
                text.retain(|c| !c.is_ascii_whitespace() && c != '\0');
                Value::Base64(text)
            }
            "dateTime.iso8601" | "dateTime" => Value::DateTime(self.content("</dateTime.iso8601>")?.into_owned()),
            "nil" => {
                blank(&self.content("</nil>")?, "</nil>")?;
                Value::Nil
            }
            found => return Err(Problem::Element { found: found.to_owned(), expected: "the type of a value" }),
        })
    }

    fn nested(&mut self, content: fn(&mut Self) -> Result<Value, Problem>) -> Result<Value, Problem> {
        if self.depth == self.limits.depth {
            return Err(Problem::Depth(self.limits.depth));
        }
        self.depth += 1;
        let value = content(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Value, Problem> {
        let mut values = Vec::new();
        match self.element("<data>")?.as_deref() {
            None => return Ok(Value::Array(values)),
            Some("data") => {}
            Some(found) => return Err(Problem::Element { found: found.to_owned(), expected: "<data>" }),
        }
        while let Some(value) = self.next_value()? {
            values.push(value);
        }
        self.close("</array>")?;
        Ok(Value::Array(values))
    }

    fn members(&mut self) -> Result<Value, Problem> {
        let mut members = BTreeMap::new();
        while let Some(name) = self.element("<member>")? {
            if name != "member" {
                return Err(Problem::Element { found: name.into_owned(), expected: "<member>" });
            }
            self.open("name", "<name>")?;
            let name = self.content("</name>")?.into_owned();
            members.insert(name, self.one_value()?);
            self.close("</member>")?;
        }
        Ok(Value::Struct(members))
    }

    /// The text of an element that has no elements in it.
    fn content(&mut self, expected: &'static str) -> Result<Cow<'a, str>, Problem> {
        let mut text = self.simple_text().unwrap_or_default();
        loop {
            match self.next()? {
                Token::Text(more) => append(&mut text, more),
                Token::Close => return Ok(text),
                Token::Open(found) => return Err(Problem::Element { found: found.into_owned(), expected }),
                Token::End => return Err(Problem::End(expected)),
            }
        }
    }
}

/// Line ends as XML 1.0 2.11 has them.
fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text }
}

fn append<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

/// Names that XML-RPC and its extensions know are no allocation.
fn known(name: &str) -> Cow<'static, str> {
    macro_rules! names {
        ($($known:literal)*) => {
            // Apache's extensions have a prefix of their own: `ex:nil`.
            match name.strip_prefix("ex:").unwrap_or(name) {
                $($known => Cow::Borrowed($known),)*
                _ => Cow::Owned(cut(name, 40)),
            }
        };
    }
    names! {
        "value" "string" "int" "i1" "i2" "i4" "i8" "byte" "short" "long" "boolean" "double" "float" "nil" "base64"
        "dateTime.iso8601" "dateTime" "array" "data" "struct" "member" "name" "param" "params" "methodCall" "methodName"
        "methodResponse" "fault"
    }
}

fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Result<Cow<'static, str>, Problem> {
    let undefined = || Problem::Entity(cut(entity, 40));
    Ok(match &**entity {
        "lt" => Cow::Borrowed("<"),
        "gt" => Cow::Borrowed(">"),
        "amp" => Cow::Borrowed("&"),
        "quot" => Cow::Borrowed("\""),
        "apos" => Cow::Borrowed("'"),
        _ => Cow::Owned(entity.resolve_char_ref().ok().flatten().ok_or_else(undefined)?.to_string()),
    })
}

fn blank(text: &str, expected: &'static str) -> Result<(), Problem> {
    match text.trim() {
        "" => Ok(()),
        found => Err(Problem::Text { found: cut(found, 40), expected }),
    }
}

fn int(text: &str) -> Result<Value, Problem> {
    text.trim().parse().map(Value::Int).map_err(|_| Problem::Content { found: cut(text.trim(), 40), expected: "<int>" })
}

fn boolean(text: &str) -> Result<Value, Problem> {
    match text.trim() {
        "1" | "true" => Ok(Value::Bool(true)),
        "0" | "false" => Ok(Value::Bool(false)),
        found => Err(Problem::Content { found: cut(found, 40), expected: "<boolean>" }),
    }
}

fn double(text: &str) -> Result<Value, Problem> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Double(number)),
        Ok(_) => Ok(Value::NonFinite(text.trim().to_owned())),
        Err(_) => Err(Problem::Content { found: cut(text.trim(), 40), expected: "<double>" }),
    }
}

fn fault(value: Value) -> Result<Document, Problem> {
    let Value::Struct(mut members) = value else { return Err(Problem::Fault) };
    match (members.remove("faultCode"), members.remove("faultString")) {
        (Some(Value::Int(code)), Some(Value::String(message))) => Ok(Document::Fault { code, message }),
        _ => Err(Problem::Fault),
    }
}

/// The beginning of a text of somebody else's, without control characters.
fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests;
