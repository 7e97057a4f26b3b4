//! B3: with pre-vote and check-quorum on, a leader that a quorum hears in time is not disturbed: no term grows, no
//! follower becomes a candidate, it stays leader, and members that hear it ask for no pre-votes.
//!
//! Derivation. The leader sends a heartbeat each tick; if a save holds up its loop, at the tick after the save. So a
//! follower whose links are well hears it every max(h, d) + l at most. A follower's answer waits for its own pending
//! save: a leader hears a quorum every max(h, d) + 2 l + d. With 4 l + 2 d below the shortest election timeout by the
//! fastest clock, of which h is at most a fifth, both are shorter than an election timeout: no follower of the base
//! campaigns, and the leader does not step down. Voters that hear a leader refuse pre-votes and votes (etcd-io/raft,
//! `Step`: "inLease"), so a member that would need the vote of one of them does not win even a pre-vote, whatever it
//! has missed; and a term grows only for a candidate, which has won a pre-vote (Ongaro's thesis, 9.6).
//!
//! Premises: the settings; links between members lose nothing; the cluster is steady (`cluster`) and has been for an
//! election timeout, which includes that nobody's term is above the leader's, that no transfer was ordered, and that the
//! configuration has not changed; for every member that runs, the base has a voter in every quorum of the configuration
//! that the member uses; 4 l + 2 d as measured since three election timeouts before.
//!
//! Not judged: pre-votes asked for by members outside the base; their campaigns in the leader's own term or an earlier one,
//! which disturb nobody. A slow process may count grants that reached it before the leader was elected.

use record::{MemberId, Nanos, Role};

use super::cluster::{Cluster, Steady};
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The must.
#[derive(Clone, Debug, Default)]
pub(super) struct NoElection {
    pub tally: Tally,
    /// The term in which it was violated last.
    reported: u64,
}

impl NoElection {
    /// Whether a leader must be left undisturbed now.
    fn premises(now: Nanos, setup: &Setup, cluster: &Cluster, speed: &Speed) -> Result<Steady, Premise> {
        setup.protects_leader()?;
        if !setup.peers_keep {
            return Err(Premise::Links);
        }
        let e = setup.shortest(setup.election_ticks);
        let steady = cluster.steady.ok_or(Premise::Leader)?;
        if now - steady.since < setup.longest(setup.election_ticks) {
            return Err(Premise::Leader);
        }
        let blocked = cluster.members.values().filter(|member| member.up).all(|member| {
            let configuration = &member.configuration;
            steady.base.blocks(configuration.voters)
                || !configuration.outgoing.is_empty() && steady.base.blocks(configuration.outgoing)
        });
        if !blocked {
            return Err(Premise::Membership);
        }
        let worst = speed.worst_now(now.saturating_sub(3 * e), now, cluster);
        if 4 * worst.peers + 2 * worst.saves >= e {
            return Err(Premise::Slow);
        }
        Ok(steady)
    }

    /// Some time has passed.
    pub fn poll(&mut self, now: Nanos, passed: Nanos, setup: &Setup, cluster: &Cluster, speed: &Speed) {
        let premises = NoElection::premises(now, setup, cluster, speed);
        self.tally.time(passed, premises.map(|_| ()));
    }

    /// A member's term, role or leader changes. `cluster` is as it was before.
    pub fn state(
        &mut self,
        now: Nanos,
        (member, term, role): (MemberId, u64, Role),
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        let Some(steady) = cluster.steady else { return };
        let broken = if term > steady.term {
            "is in a higher term"
        } else if role == Role::Candidate && steady.base.has(member) {
            "asks for votes"
        } else if member == steady.leader && role != Role::Leader {
            "leads no more"
        } else if steady.base.has(member) && role == Role::PreCandidate {
            "asks for pre-votes"
        } else {
            return;
        };
        if self.reported >= steady.term || NoElection::premises(now, setup, cluster, speed).is_err() {
            return;
        }
        self.reported = steady.term;
        let worst =
            speed.worst_now(now.saturating_sub(3 * setup.shortest(setup.election_ticks)), now, cluster);
        let violation =
            Violation::new(Oracle::B3, now, format!("member {member} {broken} though a leader is heard"))
                .say(format!(
                    "Member {} has led term {} with a quorum that has been well and followed it since {}.",
                    steady.leader,
                    steady.term,
                    time(steady.since)
                ))
                .say(format!("Now member {member} {broken}: it is {role:?} of term {term}."))
                .say(format!(
                    "An election timeout is {} by the fastest clock; messages took at most {} and saves {}.",
                    time(setup.shortest(setup.election_ticks)),
                    time(worst.peers),
                    time(worst.saves)
                ));
        sheet.add(violation);
    }
}
