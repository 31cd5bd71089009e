//! rosprobe: why a ROS topic is listed but nothing arrives.
//!
//! One direction, one currency: [`capture`] yields [events](event), [`decode`] turns them into
//! [observations](observation), [`graph`] folds those into nodes, topics and links, [`diagnosis`] reads findings off the
//! graph, and everything a person sees is drawn from these. Imports run down that list and never up.

pub mod capture;
pub mod check;
pub mod commands;
pub mod decode;
pub mod diagnosis;
pub mod doctor;
pub mod domain;
pub mod errno;
pub mod event;
pub mod filter;
pub mod graph;
pub mod invoker;
pub mod lines;
pub mod observation;
pub mod printable;
pub mod privileges;
pub mod reach;
pub mod session;
pub mod trace;
pub mod tui;
pub mod watch;
