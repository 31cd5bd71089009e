//! What is wrong with a document.

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

/// The beginning of a text of somebody else's, without control characters.
pub fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
