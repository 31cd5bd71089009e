//! Where events come from: the kernel, `/proc`, or a packet capture.

mod backlog;
mod bounded;
mod btf;
mod calibration;
mod capture_error;
mod counters;
mod datagram;
mod existing;
mod holders;
mod hook;
mod identity;
mod kernel;
mod kernel_log;
mod library;
mod listening;
pub mod live;
mod losses;
mod mode;
mod namespace;
mod object;
mod options;
pub mod pcap;
mod peek;
mod process;
mod record;
mod ring;
mod search;
mod start;
mod statistics;
mod tcp_table;
mod timer;
mod writers;

pub use self::capture_error::CaptureError;
pub use self::identity::ENVIRONMENT;
#[doc(hidden)]
pub use self::kernel::Misplaced;
pub use self::live::LiveCapture;
pub use self::mode::CaptureMode;
#[doc(hidden)]
pub use self::object::Object;
pub use self::options::{Description, Options};
pub use self::process::ProcessTable;
pub use self::statistics::Statistics;
