//! The clocks of this machine. The member and everything else of the server read them only here.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a server lives in real time")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contract::Now;

/// The clocks, counted from the start of the process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that shows one second now, so that no reading is mistaken for "never".
    pub fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Both readings, as a member gets them.
    pub fn now(&self) -> Now {
        let clock = Duration::from_secs(1) + self.start.elapsed();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { clock: clock.as_nanos() as u64, wall: wall.as_nanos() as i64 }
    }
}
