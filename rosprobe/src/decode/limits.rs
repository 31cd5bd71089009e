//! How much a decoder keeps and believes.

use std::time::Duration;

/// Bounds on what a [`Decoder`](super::Decoder) keeps of bytes that anybody on the network may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest body of an HTTP message and longest TCPROS header, in bytes as they travel (`--payload-limit`).
    pub message: usize,
    /// Longest body after decompression, in bytes: the answer to compression bombs.
    pub content: usize,
    /// Longest HTTP head, in bytes.
    pub head: usize,
    /// XML-RPC values in one message.
    pub values: usize,
    /// Depth of nested XML-RPC values. Each is two levels of JSON, and JSON readers give up at 128.
    pub depth: usize,
    /// Bytes held in one direction of one stream because earlier ones are missing.
    pub out_of_order: usize,
    /// How long missing bytes are waited for before they count as a gap. A retransmission takes at least 200 ms on Linux.
    pub patience: Duration,
    /// Calls of one connection that wait for their answers.
    pub outstanding: usize,
    /// Sockets known at the same moment; the one that was quiet longest is forgotten first.
    pub sockets: usize,
    /// Bytes of unfinished messages of all sockets together; beyond it those of the quietest sockets are dropped.
    pub buffered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 20,
            content: 8 << 20,
            head: 64 << 10,
            values: 200_000,
            depth: 48,
            out_of_order: 256 << 10,
            patience: Duration::from_secs(1),
            outstanding: 256,
            sockets: 16_384,
            buffered: 64 << 20,
        }
    }
}
