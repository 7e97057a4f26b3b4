//! Names of the states that a search should have reached.

macro_rules! probes {
    ($($name:ident = $text:literal;)+) => {
        $(pub(super) const $name: &str = $text;)+

        /// Every probe of the hub.
        #[cfg(test)]
        pub(crate) const PROBES: &[&str] = &[$($name),+];
    };
}

probes! {
    VICTIM = "watch-victim";
    VICTIM_AT_SNAPSHOT = "watch-victim-at-snapshot";
    VICTIM_STILL_LAGS = "watch-victim-still-lags";
    UNSYNCED_AT_SNAPSHOT = "watch-unsynced-at-snapshot";
    FUTURE_AT_SNAPSHOT = "watch-future-at-snapshot";
    FUTURE_REACHED = "watch-future-reached";
    CANCELLED_BY_COMPACTION = "watch-cancelled-by-compaction";
    COMPACTION_CANCEL_DELAYED = "watch-compaction-cancel-delayed";
    SEVERAL_BATCHES = "watch-several-batches";
    SEVERAL_PASSES = "watch-several-passes";
    FRAGMENTED = "watch-fragmented";
    PREV_KV_COMPACTED = "watch-prev-kv-compacted";
    DROPPED_AFTER_CANCEL = "watch-dropped-after-cancel";
    PROGRESS_HELD_BACK = "watch-progress-held-back";
    PROGRESS_BEFORE_START = "watch-progress-before-start";
    PROGRESS_PERIODIC = "watch-progress-periodic";
}
