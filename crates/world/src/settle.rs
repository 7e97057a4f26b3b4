//! The end of a run. When the chaos phase is over, the faults are healed. After the calm phase, in which the workload
//! goes on, the cluster must come to rest within a bounded time, the *settle phase*. This is how a run checks liveness:
//! that the cluster does not stay stuck.
//!
//! A plan may heal only a *core*: a quorum of members and the links between them. The other members stay as
//! broken as they are. This finds clusters that can be stopped by a single member that works only in part.
//!
//! The cluster has settled when
//! - every operation under way has ended,
//! - no configuration is joint,
//! - the members of the core agree on a leader,
//! - what the members owe has ended (of etcd: leases of up to 20 s that no client renews, unless the alarm CORRUPT is
//!   on, which keeps etcd from revoking them),
//! - the callers have what they wait for (of etcd: a linearizable read of all keys was answered, which also shows the
//!   judge which writes took effect, and watches at members of the core have received everything), and
//! - the members of the core have applied the same index and have the same state.
//!
//! One exception: a member outside the core may still be leader, with a quorum that it can reach. Raft promises
//! nothing to a follower that has no connection to this leader (Raft's paper, section 5.4: a leader commits
//! with a majority, and a follower that receives heartbeats does not campaign). So a member of the core need neither
//! agree nor catch up if its link to such a leader is cut, or loses more than half of the messages. The cluster as a
//! whole must serve clients all the same.

use contract::{Status, Watched};
use keyed::{Domain, Keyed};
use schedule::{Part, Plan};
use trace::{Kept, KeptByMember, MemberEnd, MemberId, Members, Nanos};

use crate::callers::{Callers, Waiting};
use crate::clock::MILLISECOND;
use crate::deeds::Orders;
use crate::machine::{Stage, State};
use crate::network::Party;
use crate::process::Process;
use crate::progress::Configuration;
use crate::system::System;
use crate::view::View;

/// The domain in which the core is drawn.
const CORE: Domain = Domain::new("world core");
/// Time between two checks whether the cluster has settled; our choice.
pub(crate) const CHECK_INTERVAL: Nanos = 50 * MILLISECOND;

/// The state of the settle phase.
pub(crate) struct Settle {
    /// When the settle phase began.
    begun: Option<Nanos>,
    /// For each member, whether it is in the core, and so required to work again.
    core: Members<bool>,
    /// Whether every member that can run was healed, not only a core.
    all_healed: bool,
    /// What had not settled when the time was over, one sentence each; empty if everything had.
    pub(crate) unsettled: Vec<String>,
}

impl Settle {
    pub(crate) fn new<P: Part>(plan: &Plan<P>) -> Settle {
        let core = Members::new(plan.most_members(), |_| true);
        Settle { begun: None, core, all_healed: false, unsettled: Vec::new() }
    }

    /// The members that are required to work again.
    fn core_members(&self) -> Vec<MemberId> {
        self.core.iter().filter(|(_, expected)| **expected).map(|(member, _)| member).collect()
    }

    /// The state of a member at the end of the run, for the record.
    pub(crate) fn end_of<S: System>(&self, process: &Process<S>) -> MemberEnd {
        let status = process.node.as_ref().and_then(Watched::status);
        MemberEnd {
            member: process.machine.id,
            running: process.machine.state == State::Running,
            core: self.core[process.machine.id],
            applied: status.as_ref().map_or(0, |status| status.applied),
            revision: status.as_ref().map_or(0, |status| status.revision),
            state_hash: status.as_ref().map_or(0, |status| status.state_hash),
        }
    }

    /// What the members keep now.
    pub(crate) fn kept<S: System>(&self, view: &View<'_, S>, settled: bool) -> Kept {
        let by_member = |process: &Process<S>| {
            let node = process.node.as_ref().filter(|_| process.machine.state == State::Running)?;
            let (installed, installed_at) = view.progress.installed(process.machine.id);
            Some(KeptByMember {
                member: process.machine.id,
                core: self.core[process.machine.id],
                incarnation: process.machine.incarnation,
                started: process.machine.started,
                applied: node.status().map_or(0, |status| status.applied),
                installed,
                installed_at,
                inbox: process.inbox.len() as u64,
                behind: process.machine.times_behind(view.now),
                receipts: u64::from(process.machine.receipts),
                files: process.machine.disk.files(),
                counts: node.keeps(),
            })
        };
        // Packets held for a member that left the cluster stay held: faults end only between healed parties.
        let is_there = |party| match party {
            Party::Member(member) => {
                let machine = &view.processes[member].machine;
                !machine.gone && machine.stage == Stage::Member
            }
            Party::Client(_) => true,
        };
        let Configuration { index, voters, learners, .. } = view.configuration();
        Kept {
            time: view.now,
            settled,
            all_healed: self.all_healed,
            configured: voters.iter().chain(learners).copied().collect(),
            configured_at: *index,
            leader_since: view.progress.leader_since(view.now),
            held_packets: view.network.held(is_there) as u64,
            members: view.processes.values().filter_map(by_member).collect(),
        }
    }

    /// The chaos phase ends. Returns which members are healed.
    pub(crate) fn heal<S: System>(&mut self, view: &View<'_, S>) -> Members<bool> {
        let healed = choose_healed(view);
        self.all_healed =
            view.members().iter().all(|member| healed[*member] || view.processes[*member].machine.gone);
        self.core =
            healed.iter().map(|(member, healed)| *healed && !view.nemesis.is_damaged(member)).collect();
        healed
    }

    /// The settle phase begins.
    pub(crate) fn begin<S: System>(&mut self, view: &View<'_, S>) {
        self.begun = Some(view.now);
    }

    /// Checks whether the cluster has settled. Returns whether the run is over: because it has, or because the time is
    /// over.
    pub(crate) fn check<S: System>(
        &mut self,
        view: &View<'_, S>,
        callers: &mut dyn Callers<S>,
        orders: &mut Orders<S>,
    ) -> bool {
        let begun = self.begun.expect("the settle phase has begun when it is checked");
        // Members of the core may have been removed since, or may have refused to start.
        for (member, process) in view.processes.iter() {
            let able = !process.machine.gone && process.machine.stage == Stage::Member;
            self.core[member] &= able;
            // A member that was added joins the core.
            if self.all_healed && able && process.machine.added {
                self.core[member] = !view.nemesis.is_damaged(member);
            }
        }
        let missing = self.not_settled(view, callers, orders);
        if !missing.is_empty() && view.now < begun + view.plan.phases.settle {
            return false;
        }
        self.unsettled = missing;
        true
    }

    /// What has not settled yet, one sentence each. The callers order what they need once everything that is checked
    /// before them has settled.
    fn not_settled<S: System>(
        &self,
        view: &View<'_, S>,
        callers: &mut dyn Callers<S>,
        orders: &mut Orders<S>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for Waiting { client, call, member } in callers.waiting() {
            missing.push(format!("Client {client} still waits for operation {call} at member {member}."));
        }
        let mut core = self.core_members();
        let voters = &view.configuration().voters;
        let quorum = voters.len() / 2 + 1;
        let able = core.iter().filter(|member| voters.contains(member)).count();
        if able < quorum {
            missing.push(format!(
                "Only {able} of {} voters can run, too few for a quorum of {quorum}.",
                voters.len()
            ));
            return missing;
        }
        if view.is_joint() {
            missing.push("The cluster is still in a joint configuration.".to_string());
        }
        for member in &core {
            if view.processes[*member].machine.state != State::Running {
                let why = view.processes[*member].machine.why_it_does_not_run();
                let stop = if why.ends_with('.') { "" } else { "." };
                missing.push(format!("Member {member} does not run: {why}{stop}"));
            }
        }
        if !missing.is_empty() {
            return missing;
        }
        // The exception that the head of this file describes: the leader is outside the core.
        let outsider = view.leader().filter(|leader| !self.core[*leader]);
        core.retain(|member| {
            outsider.is_none_or(|leader| !view.unreliable(Party::Member(*member), Party::Member(leader)))
        });
        if core.is_empty() {
            missing.push("The leader is cut off from every member of the core.".to_string());
            return missing;
        }
        let node = |id: &MemberId| view.processes[*id].node.as_ref().expect("it runs");
        let statuses: Vec<Status> = core.iter().filter_map(|id| node(id).status()).collect();
        let leaders: Vec<MemberId> = statuses.iter().map(|status| status.leader).collect();
        let agreed = leaders.iter().all(|leader| *leader == leaders[0] && !leader.is_none());
        if !agreed {
            missing.push(format!(
                "The members do not agree on a leader: they follow {leaders:?} (0 is nobody)."
            ));
        }
        if let Some(owed) = core.iter().find_map(|id| node(id).owes()) {
            missing.extend(owed);
            if !missing.is_empty() {
                return missing;
            }
        }
        let all = self.core_members();
        if !callers.settling(view, (&all, &core), &mut missing, orders) {
            return missing;
        }
        if statuses.iter().any(|status| status.applied != statuses[0].applied) {
            let applied: Vec<u64> = statuses.iter().map(|status| status.applied).collect();
            missing
                .push(format!("The members have not caught up with each other: they applied {applied:?}."));
        } else if statuses.iter().any(|status| status.state_hash != statuses[0].state_hash) {
            missing.push(format!(
                "The members applied the same index {} but hold different states.",
                statuses[0].applied
            ));
        }
        missing
    }
}

/// Chooses the members that are healed: all that can run, or as many of them as the plan says, by keyed
/// draws. Members with damaged disks come last, and are not required to work.
fn choose_healed<S: System>(view: &View<'_, S>) -> Members<bool> {
    let mut able: Vec<MemberId> =
        (view.members().into_iter()).filter(|member| !view.processes[*member].machine.gone).collect();
    // While the membership is changing, a core might not have a quorum afterwards.
    let changing = view.is_joint() || !view.configuration().learners.is_empty();
    if let Some(wanted) = view.plan.phases.core.filter(|_| !changing) {
        let voters = &view.configuration().voters;
        let quorum = voters.len() / 2 + 1;
        Keyed::new(view.seed, CORE).draw(0, 0).shuffle(&mut able);
        // Members with undamaged disks first, and of these the voters first.
        able.sort_by_key(|member| (view.nemesis.is_damaged(*member), !voters.contains(member)));
        able.truncate((wanted as usize).max(quorum));
    }
    view.processes.ids().map(|member| able.contains(&member)).collect()
}
