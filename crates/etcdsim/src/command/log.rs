//! The log of a run: every line with virtual time and the member's name.

use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use verify::describe;

/// Writes the log to stderr from now on. `filter` is as in `RUST_LOG`: `info`, `raft=debug`.
pub(super) fn begin(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(VirtualTime)
        .with_ansi(anstream::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| error.to_string())
}

/// When and on which member the line was written.
struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (time, member) = world::context::current();
        write!(out, "{:>13}  {:<3}", describe::moment(time), describe::actor(member))
    }
}
