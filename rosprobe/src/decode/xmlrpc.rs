//! XML-RPC documents (<http://xmlrpc.com/spec.md>) as rospy, roscpp and others write them, on quick-xml.
//!
//! Document type definitions are passed over: no entity of theirs is ever expanded.

mod plain;
mod problem;
mod scalar;
mod text;
mod tokens;

use std::borrow::Cow;
use std::collections::BTreeMap;

use self::plain::Room;
use self::problem::cut;
pub use self::problem::{Problem, XmlRpcError};
use self::scalar::{boolean, double, int};
use self::tokens::{Token, Tokens};
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

/// Reads a document. The bytes are UTF-8 unless it says otherwise; bytes that are not become U+FFFD.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Document, XmlRpcError> {
    let text = text::decode(bytes).map_err(|problem| XmlRpcError { at: 0, problem })?;
    let mut parser = Parser::new(&text, limits);
    parser.document().map_err(|problem| XmlRpcError { at: parser.tokens.position(), problem })
}

/// The method's name of a call of which only the beginning was seen.
pub fn method_of_prefix(bytes: &[u8]) -> Option<String> {
    let text = text::decode(bytes).ok()?;
    let limits = Limits::default();
    let mut parser = Parser::new(&text, &limits);
    parser.open("methodCall", "<methodCall>").ok()?;
    parser.method_name().ok()
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    /// A value is tried as a plain one where no more than this is left of the text, in bytes.
    plain_from: usize,
    depth: usize,
    values: usize,
    limits: &'a Limits,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        Self { tokens: Tokens::new(text), plain_from: usize::MAX, depth: 0, values: 0, limits }
    }

    /// The next value, where it is written as nearly all are. `None` otherwise: nothing is consumed then. What had to be left to the
    /// parser is not tried a second time, so that each byte is looked at twice at most.
    fn plain_value(&mut self) -> Option<Value> {
        let unread = self.tokens.unread()?;
        if unread.len() > self.plain_from {
            return None;
        }
        let mut room = Room {
            values: self.limits.values.saturating_sub(self.values),
            depth: self.limits.depth.saturating_sub(self.depth),
        };
        match room.value(unread) {
            Ok((value, rest)) => {
                self.values = self.limits.values.saturating_sub(room.values);
                self.tokens.consume(unread.len() - rest.len());
                Some(value)
            }
            Err(rest) => {
                self.plain_from = rest.len();
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
            match self.tokens.next()? {
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
            match self.tokens.next()? {
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
        let mut text = self.tokens.simple_text().unwrap_or_default();
        loop {
            match self.tokens.next()? {
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
        let mut text = self.tokens.simple_text().unwrap_or_default();
        loop {
            match self.tokens.next()? {
                Token::Text(more) => append(&mut text, more),
                Token::Close => return Ok(text),
                Token::Open(found) => return Err(Problem::Element { found: found.into_owned(), expected }),
                Token::End => return Err(Problem::End(expected)),
            }
        }
    }
}

fn append<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

fn blank(text: &str, expected: &'static str) -> Result<(), Problem> {
    match text.trim() {
        "" => Ok(()),
        found => Err(Problem::Text { found: cut(found, 40), expected }),
    }
}

fn fault(value: Value) -> Result<Document, Problem> {
    let Value::Struct(mut members) = value else { return Err(Problem::Fault) };
    match (members.remove("faultCode"), members.remove("faultString")) {
        (Some(Value::Int(code)), Some(Value::String(message))) => Ok(Document::Fault { code, message }),
        _ => Err(Problem::Fault),
    }
}

#[cfg(test)]
mod tests;
