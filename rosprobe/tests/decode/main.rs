//! The decoder against real traffic, hostile bytes, and every order of events.

mod feed;
mod messages;
