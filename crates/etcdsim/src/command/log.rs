//! The log of a run on stderr. Every line begins with the virtual time and the member whose code wrote it.

use std::fmt;

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use verify::describe;

/// The log target of madsim, the async runtime that runs the simulation in builds with `--cfg madsim`.
const MADSIM: &str = "madsim";

/// Starts writing the log to stderr. `filter` is as in `RUST_LOG`, without spans: `info`, `warn,raft=debug`.
pub(super) fn begin(filter: &str) -> Result<(), String> {
    let targets: Targets = filter.parse().map_err(|error: ParseError| error.to_string())?;
    // madsim warns about settings that a user of etcdsim has no way to change.
    let filter =
        if filter.contains(MADSIM) { targets } else { targets.with_target(MADSIM, LevelFilter::OFF) };
    let lines = tracing_subscriber::fmt::layer()
        .with_timer(VirtualTime)
        .with_ansi(anstream::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|error| error.to_string())
}

/// Prefixes a line with its virtual time and its member.
struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (time, member) = world::context::current();
        write!(out, "{:>13}  {:<3}", describe::moment(time), describe::actor(member))
    }
}
