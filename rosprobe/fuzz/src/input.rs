//! What the bytes of one input mean where a target needs more than one piece: frames of a tag, a length and that many bytes.

/// One frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What to do with it; each target has its own meaning.
    pub tag: u8,
    /// The bytes; fewer than the length said where the input ends.
    pub bytes: &'a [u8],
}

/// The frames of an input. Every input is some sequence of frames.
pub fn frames(mut input: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (&[tag, low, high], rest) = input.split_first_chunk()?;
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes([low, high]))));
        input = rest;
        Some(Frame { tag, bytes })
    })
}

/// Appends a frame; its bytes are cut at what its length can say.
pub fn push_frame(input: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    input.push(tag);
    input.extend(length.to_le_bytes());
    input.extend(&bytes[..usize::from(length)]);
}
