//! B4: a lost leader is replaced, and a member that lags catches up.
//!
//! A lost leader. Nobody waits for a leader longer than the longest election timeout, 2 e: within 2 e + h + l + d by the
//! slowest clock, some voter campaigns (a late heartbeat comes within l; a save holds up a tick for d). A round may be
//! split. It is not split if one voter's timeout runs out a whole round of questions and saves before all others': 2 (2
//! l + 2 d), for the pre-vote and the vote, in ticks w = 4 (l + d) / h + 2. With n voters, whose timeouts are drawn
//! uniformly from a range of e ticks, the chance of a split is at most s = (n - 1) w / e. Without pre-votes a round is
//! also lost if the voter that begins it has a log too short for the quorum of q; of q voters that run, this holds for
//! q - 1 at most: p = s + (1 - s) (q - 1) / q; else p = s. After r rounds with p^r below one in a million, of 2 e each,
//! somebody leads. One more round allows for voters that still protect the leader that others have lost.
//!
//! A member that lags: a member that is well, under a leader that stays, must apply what the leader had applied when
//! both conditions began to hold. The leader's next heartbeat shows that it can be reached (h); probing finds where the
//! logs agree within a round trip for each term that they differ in (8 are allowed for); then each window of appends
//! takes a round trip: 2 l + 2 d each. A snapshot is made, sent, saved and reported: three seconds for that, because a
//! transport reports a lost one after one second, and raft asks for another with the next heartbeat; twice the saves.
//!
//! Premises: of the first part: all members that run are well, they have a quorum, the voters among them use one
//! configuration, s is at most one half. Of the second part: the cluster is steady, the member is well and in the leader's
//! configuration (a learner, too), and not more than one snapshot was installed; a second one means that the log was
//! compacted while the member caught up. Of both: links between members lose nothing.
//!
//! S has the rule that a snapshot is sent only if the log no longer has what is missing.

use record::{MemberId, Members, Nanos, Role};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::{Set, Setup};
use super::speed::{Speed, Worst};
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The longest that a snapshot takes.
const SNAPSHOT: Nanos = 3_000_000_000;
/// How many terms two logs may differ in.
const TERMS: u64 = 8;

/// A time without a leader, although one is owed.
#[derive(Clone, Copy, Debug)]
struct Leaderless {
    since: Nanos,
    /// Whether somebody has campaigned.
    campaigned: bool,
}

/// A member that catches up.
#[derive(Clone, Copy, Debug)]
struct Lag {
    since: Nanos,
    /// Under which leader and term.
    under: (MemberId, u64),
    /// The index to reach, and how many entries were missing.
    goal: u64,
    missing: u64,
    snapshots: u64,
    /// Whether it has caught up, or was reported.
    over: bool,
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    leaderless: Option<Leaderless>,
    lags: Members<Option<Lag>>,
    pub tally: Tally,
    /// What was reported: no campaign, no leader, a lag.
    reported: [bool; 3],
}

impl Recovery {
    pub fn new(members: u32) -> Recovery {
        Recovery {
            leaderless: None,
            lags: Members::new(members, |_| None),
            tally: Tally::default(),
            reported: [false; 3],
        }
    }

    /// A member has installed a snapshot.
    pub fn installed(&mut self, member: MemberId) {
        if let Some(lag) = self.lags.get_mut(member).and_then(Option::as_mut) {
            lag.snapshots += 1;
        }
    }

    /// A member's role changes.
    pub fn state(&mut self, role: Role) {
        if let Some(leaderless) = &mut self.leaderless {
            leaderless.campaigned |= role != Role::Follower;
        }
    }

    /// Checks what is owed, and what is overdue.
    pub fn poll(&mut self, now: Nanos, known: (&Setup, &Cluster, &Speed), sheet: &mut Sheet) {
        let (setup, cluster, _) = known;
        if !setup.peers_keep {
            return;
        }
        self.replaced(now, known, sheet);
        let members = cluster.members.ids();
        members.for_each(|member| self.caught_up(now, member, known, sheet));
    }

    /// The first part.
    fn replaced(
        &mut self,
        now: Nanos,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        if cluster.has_leader() {
            if self.leaderless.take().is_some() {
                self.tally.judged();
            }
            return;
        }
        let premises = voters_that_wait(cluster);
        let (Ok(voters), since) = (premises, self.leaderless.map_or(now, |leaderless| leaderless.since))
        else {
            if self.leaderless.take().is_some() {
                self.tally.skipped(premises.err().unwrap_or(Premise::Health));
            }
            return;
        };
        let campaigned = cluster.members.values().any(|member| member.up && member.campaigns);
        let leaderless = *self.leaderless.get_or_insert(Leaderless { since, campaigned });
        let worst = speed.worst_now(since, now, cluster);
        let passed = now - since;
        let longest = setup.longest(2 * setup.election_ticks + 1);
        if !leaderless.campaigned && passed > longest + worst.peers + worst.saves && !self.reported[0] {
            self.reported[0] = true;
            let title = "no member campaigns, though none leads";
            self.report(now, since, title, longest, sheet);
        }
        let Some(rounds) = rounds(voters, setup, worst) else { return };
        let bound = rounds * (longest + 4 * (worst.peers + worst.saves));
        if passed > bound && !self.reported[1] {
            self.reported[1] = true;
            self.report(now, since, "no member becomes leader, though a quorum is well", bound, sheet);
        }
    }

    fn report(&mut self, now: Nanos, since: Nanos, title: &str, bound: Nanos, sheet: &mut Sheet) {
        self.tally.judged();
        let sentence = format!(
            "Since {} no member leads, though all members that run are well and have a quorum. It was due within \
             {}, and has not happened at {}.",
            time(since),
            time(bound),
            time(now)
        );
        sheet.add(Violation::new(Oracle::B4, now, title).say(sentence));
    }

    /// The second part, for one member.
    fn caught_up(
        &mut self,
        now: Nanos,
        member: MemberId,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        let state = &cluster.members[member];
        let owed = cluster.steady.filter(|steady| {
            let configuration = &cluster.members[steady.leader].configuration;
            let belongs = configuration.voters.has(member) || configuration.learners.has(member);
            state.well_since.is_some() && belongs && member != steady.leader
        });
        let Some(steady) = owed else {
            if self.lags[member].take().is_some_and(|lag| !lag.over) {
                self.tally.skipped(if cluster.steady.is_some() { Premise::Health } else { Premise::Leader });
            }
            return;
        };
        let under = (steady.leader, steady.term);
        let lag = match &mut self.lags[member] {
            Some(lag) if lag.under == under => lag,
            lag => {
                let goal = cluster.members[steady.leader].applied;
                let missing = goal.saturating_sub(state.applied);
                lag.insert(Lag { since: now, under, goal, missing, snapshots: 0, over: missing == 0 })
            }
        };
        if lag.over {
            return;
        }
        if state.applied >= lag.goal {
            lag.over = true;
            return self.tally.judged();
        }
        if lag.snapshots > 1 {
            lag.over = true;
            return self.tally.skipped(Premise::ShortLog);
        }
        let worst = speed.worst_now(lag.since, now, cluster);
        let rounds = TERMS + lag.missing.div_ceil(setup.max_inflight.max(1)) + 2;
        let bound = setup.longest(4) + rounds * 2 * (worst.peers + worst.saves) + SNAPSHOT + 2 * worst.saves;
        if now - lag.since <= bound {
            return;
        }
        lag.over = true;
        self.tally.judged();
        if self.reported[2] {
            return;
        }
        self.reported[2] = true;
        let sentence = format!(
            "Member {member} is well and belongs to the configuration of member {}, which has led term {} since before \
             {}. It lacked {} entries then. It should have applied entry {} within {}, and has applied {}.",
            steady.leader,
            steady.term,
            time(lag.since),
            lag.missing,
            lag.goal,
            time(bound),
            state.applied
        );
        let title = format!("member {member} does not catch up");
        sheet.add(Violation::new(Oracle::B4, now, title).say(sentence));
    }
}

/// The voters that wait for a leader, if one is owed.
fn voters_that_wait(cluster: &Cluster) -> Result<Set, Premise> {
    let mut running = Set::default();
    for (id, member) in cluster.members.iter().filter(|(_, member)| member.up) {
        if member.well_since.is_none() {
            return Err(Premise::Health);
        }
        running.add(id);
    }
    let configurations = || {
        let voting = cluster.members.iter().filter(|(id, member)| {
            member.up && !member.configuration.voters.is_empty() && member.configuration.voters.has(*id)
        });
        voting.map(|(_, member)| member.configuration)
    };
    let first = configurations().next().ok_or(Premise::Membership)?;
    if !first.outgoing.is_empty() || configurations().any(|other| other != first) {
        return Err(Premise::Membership);
    }
    running.is_quorum_of(first.voters).then_some(first.voters).ok_or(Premise::Health)
}

/// The number of rounds after which somebody leads, except once in a million times; `None` if more than one round in
/// two may be split.
fn rounds(voters: Set, setup: &Setup, worst: Worst) -> Option<u64> {
    let window = 4 * (worst.peers + worst.saves) / setup.shortest(1).max(1) + 2;
    let (voters, quorum) = (u64::from(voters.len()), u64::from(voters.len() / 2 + 1));
    // In thousandths.
    let split = (voters.saturating_sub(1) * window * 1_000 / setup.election_ticks).max(1);
    let lost =
        if setup.pre_vote { split } else { split + (1_000 - split.min(1_000)) * (quorum - 1) / quorum };
    // p^r < 10^-6.
    let mut chance = 1_000_000_000_u64;
    (split <= 500).then(|| {
        let mut rounds = 2;
        while chance > 1_000 {
            chance = chance * lost / 1_000;
            rounds += 1;
        }
        rounds
    })
}
