//! Forwards the log output of the raft library, which uses `slog`, to `tracing`, so that it appears with all other log
//! output. A record at a disabled level costs one comparison.

use std::fmt::Write;

use slog::{Drain, KV, Level, Logger, Never, OwnedKVList, Record, Serializer, o};

macro_rules! forward {
    ($level:ident, $record:expr) => {
        if tracing::enabled!(target: "raft", tracing::Level::$level) {
            tracing::event!(target: "raft", tracing::Level::$level, "{}", text_of($record))
        }
    };
}

/// A raft logger that writes to `tracing`, with target `raft`.
pub(crate) fn raft_logger() -> Logger {
    Logger::root(Forward, o!())
}

/// Hands raft's log records to `tracing`.
struct Forward;

impl Drain for Forward {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        // At debug level, raft logs every message. The trace of a run shows messages better, so those records
        // have the level `TRACE` here.
        match record.level() {
            Level::Critical | Level::Error => forward!(ERROR, record),
            Level::Warning => forward!(WARN, record),
            Level::Info => forward!(DEBUG, record),
            Level::Debug | Level::Trace => forward!(TRACE, record),
        }
        Ok(())
    }

    fn is_enabled(&self, level: Level) -> bool {
        match level {
            Level::Critical | Level::Error => tracing::enabled!(target: "raft", tracing::Level::ERROR),
            Level::Warning => tracing::enabled!(target: "raft", tracing::Level::WARN),
            Level::Info => tracing::enabled!(target: "raft", tracing::Level::DEBUG),
            Level::Debug | Level::Trace => tracing::enabled!(target: "raft", tracing::Level::TRACE),
        }
    }
}

/// The message and its key-value pairs in one line.
fn text_of(record: &Record<'_>) -> String {
    let mut text = Pairs(record.msg().to_string());
    // Writing to a string cannot fail.
    let _ = record.kv().serialize(record, &mut text);
    text.0
}

/// Collects the fields of a log record as text.
struct Pairs(String);

impl Serializer for Pairs {
    fn emit_arguments(&mut self, key: slog::Key, value: &std::fmt::Arguments<'_>) -> slog::Result {
        write!(self.0, " {key}={value}")?;
        Ok(())
    }
}
