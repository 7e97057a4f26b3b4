//! What a member remembers about its leaders and from whom it hears, to choose the text of a timeout's error
//! and to notice that nobody talks to it any more.

use std::collections::BTreeMap;

use api::Error;
use record::MemberId;

use crate::config::Config;
use crate::keeps::{Count, count};

/// What the member remembers about leaders. Times are on its own clock.
#[derive(Debug)]
pub(crate) struct Leadership {
    own: MemberId,
    /// The last known leader; none if there was none yet.
    leader: MemberId,
    /// When this member learned of that leader.
    since: u64,
    /// When each peer was last heard from.
    heard: BTreeMap<MemberId, u64>,
    /// When this member last greeted the others.
    greeted_at: u64,
    election_timeout: u64,
}

impl Leadership {
    /// The memory of a member that starts now.
    pub(crate) fn new(config: &Config, now: u64) -> Leadership {
        Leadership {
            own: config.id,
            leader: MemberId::NONE,
            since: 0,
            heard: BTreeMap::new(),
            greeted_at: now,
            election_timeout: config.settings.election_timeout(),
        }
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("members-heard", self.heard.len())]
    }

    /// A raft message came from this member.
    pub(crate) fn heard(&mut self, from: MemberId, now: u64) {
        self.heard.insert(from, now);
    }

    /// Forgets when it last heard from members that have left the cluster, except from the last leader.
    pub(crate) fn forget(&mut self, has_left: impl Fn(MemberId) -> bool) {
        let leader = self.leader;
        self.heard.retain(|id, _| !has_left(*id) || *id == leader);
    }

    /// Raft names this leader, or none. Returns whether it is a new one.
    pub(crate) fn led_by(&mut self, leader: MemberId, now: u64) -> bool {
        if leader.is_none() || leader == self.leader {
            return false;
        }
        (self.leader, self.since) = (leader, now);
        true
    }

    /// The error that etcd gives for a proposal that timed out (`v3_server.go`, `parseProposeCtxErr`): it
    /// names a failed leader or a lost connection if one may be the cause. `started` is when the request
    /// arrived; `voters` are those of a member that leads, as raft names them, and `None` on others.
    pub(crate) fn why_late(&self, started: u64, voters: Option<&[u64]>) -> Error {
        let election = self.election_timeout;
        if started >= self.since.saturating_sub(2 * election) && started <= self.since {
            return Error::TimeoutDueToLeaderFail;
        }
        let connected = |peer: MemberId| self.heard.get(&peer).is_some_and(|heard| *heard >= started);
        let cut_off = match voters {
            Some(voters) => {
                let heard = voters.iter().copied().map(MemberId::from_raft);
                let heard = heard.filter(|voter| *voter == self.own || connected(*voter));
                heard.count() <= voters.len() / 2
            }
            None => !connected(self.leader),
        };
        if cut_off { Error::TimeoutDueToConnectionLost } else { Error::Timeout }
    }

    /// Whether this member, which does not lead, should greet the others: it has not heard from its leader
    /// for two election timeouts, and has not greeted them for as long. Remembers that it does so now.
    pub(crate) fn greets(&mut self, now: u64) -> bool {
        let due = now >= self.greets_at();
        if due {
            self.greeted_at = now;
        }
        due
    }

    /// The earliest time at which [`Leadership::greets`] is true.
    pub(crate) fn greets_at(&self) -> u64 {
        let heard = self.heard.get(&self.leader).copied().unwrap_or(0);
        heard.max(self.greeted_at) + 2 * self.election_timeout
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn member(id: u64) -> MemberId {
        MemberId::from_raft(id)
    }

    fn leadership() -> (Leadership, u64) {
        let config = Config::new(member(1), Arc::new([]));
        let election = config.settings.election_timeout();
        (Leadership::new(&config, 0), election)
    }

    #[test]
    fn the_error_names_the_likely_cause() {
        let (mut leadership, election) = leadership();
        assert!(leadership.led_by(member(2), 10 * election));
        assert!(!leadership.led_by(member(2), 11 * election) && !leadership.led_by(MemberId::NONE, 11));
        assert_eq!(leadership.why_late(9 * election, None), Error::TimeoutDueToLeaderFail);
        let started = 20 * election;
        assert_eq!(leadership.why_late(started, None), Error::TimeoutDueToConnectionLost);
        leadership.heard(member(2), started);
        assert_eq!(leadership.why_late(started, None), Error::Timeout);
        // A leader needs to have heard from a majority.
        assert_eq!(leadership.why_late(started, Some(&[1, 2, 3])), Error::Timeout);
        assert_eq!(leadership.why_late(started, Some(&[1, 3, 4])), Error::TimeoutDueToConnectionLost);
    }

    #[test]
    fn those_who_have_left_are_forgotten_but_not_the_leader() {
        let (mut leadership, _) = leadership();
        leadership.led_by(member(2), 0);
        for id in 2..=4 {
            leadership.heard(member(id), 1);
        }
        leadership.forget(|id| id != member(3));
        assert_eq!(leadership.heard.keys().copied().collect::<Vec<_>>(), [member(2), member(3)]);
    }

    #[test]
    fn a_member_greets_when_its_leader_is_silent() {
        let (mut leadership, election) = leadership();
        leadership.led_by(member(2), 0);
        leadership.heard(member(2), election);
        assert!(!leadership.greets(3 * election - 1));
        assert!(leadership.greets(3 * election) && !leadership.greets(3 * election));
        assert_eq!(leadership.greets_at(), 5 * election);
    }
}
