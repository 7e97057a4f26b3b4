//! The streams whose clients want a member that knows a leader (`hasleader`). If the member has not known a leader for
//! three election timeouts, it ends them, so that their clients go elsewhere (etcd's `v3rpc/interceptor.go`,
//! `monitorLeader`). A stream that comes while there is no leader is refused at once.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::keeps::{Count, count};
use crate::punctual;

/// For how many election timeouts a member may know no leader (`v3rpc/interceptor.go`, `maxNoLeaderCnt`).
const PATIENCE: u64 = 3;

/// The streams that need a leader. Times are on the member's clock.
#[derive(Debug)]
pub(crate) struct RequireLeader {
    streams: BTreeSet<u64>,
    /// Since when the member knows no leader; `None` while it knows one.
    leaderless: Option<u64>,
    patience: u64,
}

impl RequireLeader {
    /// No streams, and no leader yet.
    pub(crate) fn new(config: &Config, now: u64) -> RequireLeader {
        let patience = PATIENCE * config.settings.election_timeout();
        RequireLeader { streams: BTreeSet::new(), leaderless: Some(now), patience }
    }

    /// The client of this stream wants a leader.
    pub(crate) fn opened(&mut self, stream: u64) {
        self.streams.insert(stream);
    }

    /// A stream is over.
    pub(crate) fn closed(&mut self, stream: u64) {
        self.streams.remove(&stream);
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("streams-that-want-a-leader", self.streams.len())]
    }

    /// When streams are to be ended, unless a leader is known before.
    pub(crate) fn due_at(&self) -> u64 {
        match self.leaderless {
            Some(since) if !self.streams.is_empty() => since + self.patience,
            _ => u64::MAX,
        }
    }

    /// Notes whether there is a leader. Returns the streams to end.
    pub(crate) fn due(&mut self, has_leader: bool, now: u64) -> BTreeSet<u64> {
        if has_leader {
            self.leaderless = None;
        } else {
            self.leaderless.get_or_insert(now);
        }
        if self.due_at() > now {
            return BTreeSet::new();
        }
        punctual::was_due("the end of streams that want a leader", self.due_at());
        std::mem::take(&mut self.streams)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record::MemberId;

    use super::*;

    #[test]
    fn streams_end_when_there_was_no_leader_for_three_election_timeouts() {
        let config = Config::new(MemberId::new(1), Arc::new([]));
        let patience = 3 * config.settings.election_timeout();
        let mut streams = RequireLeader::new(&config, 0);
        assert!(streams.due(true, 1).is_empty());
        streams.opened(5);
        streams.opened(6);
        streams.closed(6);
        assert_eq!(streams.due_at(), u64::MAX);
        assert!(streams.due(false, 10).is_empty());
        assert!(streams.due(true, 20).is_empty() && streams.due(false, 30).is_empty());
        assert_eq!(streams.due_at(), 30 + patience);
        assert!(streams.due(false, 29 + patience).is_empty());
        assert_eq!(streams.due(false, 30 + patience), BTreeSet::from([5]));
        assert_eq!(streams.due_at(), u64::MAX);
    }
}
