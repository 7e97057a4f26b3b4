//! Whole runs that break nothing, and the run of etcd-io/raft's issue 456.

use record::step::{Call, Change, Entries, EntryKind, MemberChange, SnapshotHead, Transition};
use record::{MessageKind, Role};

use super::super::reached::Reached;
use super::super::rule::Rule;
use super::rig::{Rig, change, entries, id, ids};

/// How often a run reached a way through an action.
fn reached(rig: &Rig, way: Reached) -> u64 {
    rig.spec.reached().of(way)
}

#[test]
fn a_cluster_elects_replicates_reads_and_transfers() {
    let mut rig = Rig::led();
    (0..3).for_each(|_| rig.does(1, Rig::propose()));
    rig.does(2, Rig::propose());
    rig.quiet();
    rig.tick(1, 1);
    rig.quiet();
    assert_eq!((1..=3).map(|member| rig.node(member).state.applied).collect::<Vec<_>>(), [8, 8, 8]);
    rig.does(3, Rig::read(1));
    rig.does(1, Rig::read(2));
    rig.quiet();
    rig.does(1, Call::TransferLeader { to: id(3) });
    rig.quiet();
    assert_eq!((rig.node(3).state.role, rig.node(1).state.role), (Role::Leader, Role::Follower));
    for way in [
        Reached::PreVoteWon,
        Reached::Elected,
        Reached::ProposalForwarded,
        Reached::AckCommits,
        Reached::ReadConfirmed,
        Reached::ReadAnswered,
        Reached::TransferOrdered,
        Reached::CampaignTransfer,
        Reached::TransferOverLease,
    ] {
        assert!(reached(&rig, way) > 0, "{way:?} was not reached");
    }
}

#[test]
fn a_configuration_changes_by_one_and_by_a_joint_configuration() {
    let mut rig = Rig::led();
    rig.join(4);
    let call = rig.propose_change(1, change(MemberChange::Learner, 4));
    rig.does(1, call);
    rig.quiet();
    rig.tick(1, 1);
    rig.quiet();
    let both = Change {
        transition: Transition::Auto,
        changes: vec![(MemberChange::Voter, id(4)), (MemberChange::Remove, id(2))],
    };
    let call = rig.propose_change(1, both);
    rig.does(1, call);
    rig.quiet();
    // The leader leaves the joint configuration; a heartbeat's answer makes it send the entry.
    (0..3).for_each(|_| {
        rig.tick(1, 1);
        rig.quiet();
    });
    assert_eq!(rig.node(1).configuration.voters, ids(&[1, 3, 4]));
    assert_eq!(rig.node(3).configuration, rig.node(1).configuration);
    for way in [Reached::ChangedSimply, Reached::JointEntered, Reached::JointLeaves, Reached::JointEnded] {
        assert!(reached(&rig, way) > 0, "{way:?} was not reached");
    }
}

#[test]
fn a_removed_leader_steps_down() {
    let mut rig = Rig::led();
    let call = rig.propose_change(1, change(MemberChange::Remove, 1));
    rig.does(1, call);
    rig.quiet();
    assert_eq!((rig.node(1).state.role, reached(&rig, Reached::RemovedLeader)), (Role::Follower, 1));
}

#[test]
fn a_log_of_a_deposed_leader_is_cut() {
    let mut rig = Rig::led();
    rig.cut_off.insert(id(1));
    (0..2).for_each(|_| rig.does(1, Rig::propose()));
    rig.wire.clear();
    // Member 3 must have given up its leader before it lets another one win.
    rig.tick(3, 10);
    rig.wire.clear();
    rig.campaigns(2);
    assert_eq!(rig.node(2).state.role, Role::Leader);
    rig.cut_off.clear();
    (0..3).for_each(|_| {
        rig.tick(2, 1);
        rig.quiet();
    });
    assert_eq!(rig.node(1).log.last(), rig.node(2).log.last());
    assert!(reached(&rig, Reached::AppendCuts) > 0);
}

/// Messages arrive until none is left; member 3 does not hear that anything after entry 4 is committed.
fn quiet_with_late_third(rig: &mut Rig) {
    loop {
        rig.quiet_but(|message| message.to == id(3));
        if rig.held.is_empty() {
            return;
        }
        for mut message in std::mem::take(&mut rig.held) {
            message.commit = message.commit.min(4);
            rig.arrives(message);
        }
    }
}

/// Etcd-io/raft, issue 456: three members become five, by two changes. Member 2 has applied both; member 3 has both in
/// its log, knows that the first is committed, and has applied neither. Member 2 can win term 3 with members 4 and 5. If
/// member 3 could campaign by its old configuration, it could win the same term with member 1.
fn split_brain() -> Rig {
    let mut rig = Rig::led();
    for member in [4, 5] {
        let call = rig.propose_change(1, change(MemberChange::Voter, member));
        rig.does(1, call);
        quiet_with_late_third(&mut rig);
    }
    rig.tick(1, 1);
    quiet_with_late_third(&mut rig);
    assert_eq!(rig.node(2).configuration.voters, ids(&[1, 2, 3, 4, 5]));
    let mut heartbeat = Rig::message(MessageKind::Heartbeat, 1, 3, 2);
    heartbeat.commit = 5;
    rig.call(3, Call::Receive(heartbeat));
    let third = rig.node(3).state;
    assert_eq!((third.last.0, third.commit, third.applied), (6, 5, 4));
    rig
}

#[test]
fn the_run_of_issue_456_is_refused() {
    let mut rig = split_brain();
    // The right step of member 3 is to wait.
    (0..9).for_each(|_| _ = rig.call(3, Call::Tick));
    let waits = rig.right(3, Call::Tick);
    assert_eq!((waits.after.role, waits.after.term), (Role::Follower, 2));
    assert!(rig.judge(id(3), &waits).is_empty());
    // The TLA+ lets it campaign.
    let mut campaigns = waits;
    (campaigns.after.role, campaigns.after.term, campaigns.after.vote) = (Role::Candidate, 3, id(3));
    campaigns.after.leader = record::MemberId::NONE;
    let rules: Vec<Rule> = rig.judge(id(3), &campaigns).iter().map(|finding| finding.rule).collect();
    assert!(rules.contains(&Rule::CampaignGuard), "{rules:?}");
    // Once it has applied the changes, it may; it then needs three votes of five.
    let fourth = Call::ApplyChange(Box::new(change(MemberChange::Voter, 4)));
    rig.call(3, fourth);
    assert_eq!(rig.node(3).configuration.voters, ids(&[1, 2, 3, 4]));
}

#[test]
fn the_only_voter_leads_at_once_and_its_learner_hears_of_it_later() {
    let mut rig = Rig::with_log(&[1], &[2], &Entries::default(), (1, 3, 3));
    rig.does(1, Call::Campaign);
    rig.quiet();
    assert_eq!((rig.node(1).state.role, rig.node(1).state.commit), (Role::Leader, 4));
    assert_eq!(rig.node(2).log.last(), (4, 2));
    rig.does(1, Rig::read(1));
    assert!(reached(&rig, Reached::ElectedAlone) > 0 && reached(&rig, Reached::ReadAlone) > 0);
}

/// An acknowledgement waits for a slow disk. Meanwhile a snapshot of the same leader replaces the log, and covers what
/// was acknowledged.
#[test]
fn an_acknowledgement_may_leave_after_a_snapshot_has_covered_it() {
    let mut rig = Rig::with_log(&[1, 2, 3], &[], &entries(4, &[2, 2], EntryKind::Data), (2, 4, 4));
    let mut append = Rig::message(MessageKind::Append, 1, 2, 2);
    (append.index, append.log_term, append.commit) = (5, 2, 5);
    append.entries = entries(6, &[2], EntryKind::Data);
    rig.call(2, Call::Receive(append));
    let ready = rig.takes_ready(2);
    let configuration = rig.node(2).configuration.clone();
    let mut snapshot = Rig::message(MessageKind::Snapshot, 1, 2, 2);
    (snapshot.index, snapshot.log_term) = (9, 2);
    snapshot.snapshot = Some(Box::new(SnapshotHead { index: 9, term: 2, configuration }));
    rig.call(2, Call::Receive(snapshot));
    // Before the entry is durable, the acknowledgement must wait.
    let mut too_early = rig.right(2, Call::Tick);
    too_early.call = Call::Release { numbers: vec![1], durable: 0 };
    let rules: Vec<Rule> = rig.judge(id(2), &too_early).iter().map(|finding| finding.rule).collect();
    assert!(rules.contains(&Rule::DurableBeforeSent), "{rules:?}");
    rig.synced(2, ready.job.expect("an entry is saved"));
    rig.call(2, Call::Persisted { number: ready.number });
    let in_time = rig.right(2, Call::Release { numbers: vec![1], durable: ready.number });
    assert!(rig.judge(id(2), &in_time).is_empty());
}

#[test]
fn the_number_of_a_read_is_new_once() {
    let mut rig = Rig::led();
    let mut is_new = |context| rig.node_mut(1).is_new_context(context);
    assert_eq!([7, 3, 3, 7, 9].map(&mut is_new), [true, true, false, false, true]);
}
