//! B2, the stop: a member that is told to stop ends, and a leader hands leadership over before.
//!
//! Derivation. A leader that is not the only voter orders a transfer and waits until another member leads, for at most
//! an election timeout by its own clock (`docs/member.md`; etcd, `TransferLeadership` of `server.go`, waits for its
//! request timeout). Every member then takes no more messages. It waits for the saves under way and queued (2 d), for the
//! backend's job, and for a last commit: an orderly end leaves nothing to be replayed. Saves may hold up the wait for
//! the successor (2 d). The time of commits is in no fact. They are given five seconds, our choice, and 2 d each for their
//! syncs: e + 10 d + 5 s, with a little for the checks. A process that has not ended by then waits for something that does
//! not come, until it is killed, after 10 s.
//!
//! Whoever leads may end before e only if another member leads, or if it has nobody to hand over to.
//!
//! Premises: the process has received a message, so it has started and can be told. From then on until it ends, no other
//! fault of it, its disk or its clock is active. It needs nobody else to end. The successor: the member leads a steady cluster, another voter serves, and no other fault
//! begins.

use record::{MemberId, Members, Nanos, Stop};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::{Setup, Touches};
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The fault that tells a process to stop.
const GRACEFUL: &str = "graceful-restart";

/// The longest that the last commits of the backend take, without their syncs.
const COMMITS: Nanos = 5_000_000_000;

/// A process that was told to stop.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Nanos,
    /// Whether it has to hand leadership over.
    hands_over: bool,
    /// Whether another fault of the member has begun since.
    disturbed: bool,
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    told: Members<Option<Told>>,
}

impl Ending {
    pub fn new(members: u32) -> Ending {
        Ending { told: Members::new(members, |_| None) }
    }

    /// A fault begins, and strikes this member or no particular one. `cluster` does not know that yet.
    pub fn fault(
        &mut self,
        now: Nanos,
        member: MemberId,
        (what, touches): (&str, Touches),
        cluster: &Cluster,
        tally: &mut Tally,
    ) {
        let of_processes = matches!(touches, Touches::Members | Touches::Damages);
        for (id, told) in cluster.members.ids().zip(self.told.values_mut()) {
            let Some(told) = told else { continue };
            let other = told.at < now || what != GRACEFUL;
            told.hands_over &= !other;
            told.disturbed |= other && of_processes && (member.is_none() || member == id);
        }
        if what != GRACEFUL || !cluster.members.get(member).is_some_and(|member| member.up) {
            return;
        }
        if !cluster.has_heard(member) || cluster.free_until(member, now).is_none() {
            return tally.skipped(Premise::Health);
        }
        let others = || cluster.members.ids().filter(|id| *id != member);
        let hands_over = cluster.steady.is_some_and(|steady| {
            steady.leader == member
                && others().any(|id| steady.base.has(id) && cluster.serves_since(id).is_some())
        });
        self.told[member] = Some(Told { at: now, hands_over, disturbed: false });
    }

    /// A process has ended. `cluster` does not know that yet.
    pub fn stopped(
        &mut self,
        now: Nanos,
        member: MemberId,
        stop: &Stop,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let Some(told) = self.told.get_mut(member).and_then(Option::take) else { return };
        if told.disturbed {
            return tally.skipped(Premise::Health);
        }
        let took = now - told.at;
        match stop {
            Stop::Graceful => {
                tally.judged();
                let still_leads =
                    told.hands_over && cluster.members[member].leads && !self.succeeded(member, cluster);
                if still_leads && took < setup.shortest(setup.election_ticks) {
                    let sentence = format!(
                        "Member {member} led the cluster and was told to stop at {}. It ended at {}, before another member \
                         led and before an election timeout was over, although another voter was well and had caught up.",
                        time(told.at),
                        time(now)
                    );
                    let title = format!("member {member} ends without handing leadership over");
                    sheet.add(Violation::new(Oracle::B2, now, title).say(sentence));
                }
            }
            // It was killed because it did not end.
            Stop::Crash => {
                let worst = speed.worst_now(told.at, now, cluster);
                let bound = setup.longest(setup.election_ticks) + 10 * worst.saves + COMMITS + super::LOOK;
                if took <= bound {
                    return tally.skipped(Premise::Patience);
                }
                tally.judged();
                let sentence = format!(
                    "Member {member} was told to stop at {}, and was still running at {}, when it was killed. As fast as its \
                     disk was, it had to end within {}.",
                    time(told.at),
                    time(now),
                    time(bound)
                );
                let title = format!("member {member} does not stop");
                sheet.add(Violation::new(Oracle::B2, now, title).say(sentence));
            }
            _ => {}
        }
    }

    /// Whether another member leads a later term than this one.
    fn succeeded(&self, member: MemberId, cluster: &Cluster) -> bool {
        let term = cluster.members[member].term;
        cluster.members.values().any(|other| other.leads && other.term > term)
    }
}
