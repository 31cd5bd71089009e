//! The decoder against real traffic, hostile bytes, and every order of events.

mod captures;
mod feed;
mod hostile;
mod malformed;
mod messages;
mod sockets;
mod splits;
mod streams;
