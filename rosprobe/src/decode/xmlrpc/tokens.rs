//! Tags and text, as the parser of XML tells them, without what XML-RPC has no use for.

use std::borrow::Cow;
use std::io::BufRead as _;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::problem::{Problem, cut};
use super::text::{self, line_ends};

/// A tag, or text between two.
pub enum Token<'a> {
    /// A start tag; of an empty element, the end tag follows.
    Open(Cow<'static, str>),
    /// An end tag.
    Close,
    /// Text, or a part of it.
    Text(Cow<'a, str>),
    /// The end of the document.
    End,
}

/// The tokens of a document.
pub struct Tokens<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    not_xml: bool,
}

impl<'a> Tokens<'a> {
    /// Of a document that was decoded.
    pub fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        // roscpp passes over a bare `&`, so it gets as far as that.
        config.allow_dangling_amp = true;
        Self { text, reader, not_xml: false }
    }

    /// Where it is, or what is no XML, in bytes from the beginning.
    pub fn position(&self) -> usize {
        let position = if self.not_xml { self.reader.error_position() } else { self.reader.buffer_position() };
        usize::try_from(position).unwrap_or(usize::MAX)
    }

    /// The next token.
    pub fn next(&mut self) -> Result<Token<'a>, Problem> {
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
    pub fn simple_text(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.unread()?;
        let length = rest.find('<')?;
        let text = text::resolved(rest.get(..length)?)?;
        self.consume(length);
        Some(line_ends(text))
    }

    /// What the parser has not read, behind a tag; `None` behind an empty element, whose end it has yet to tell.
    pub fn unread(&self) -> Option<&'a str> {
        let at = self.text.len().checked_sub(self.reader.get_ref().len())?;
        let (before, rest) = self.text.split_at_checked(at)?;
        (!before.ends_with("/>")).then_some(rest)
    }

    /// Passes over this many bytes of what was unread.
    pub fn consume(&mut self, length: usize) {
        self.reader.stream().consume(length);
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
