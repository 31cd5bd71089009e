//! How closely rows and findings follow what comes in.

use std::time::Duration;

/// With so many links, at once.
pub const FEW_LINKS: usize = 500;
/// With more, after this long.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(250);
