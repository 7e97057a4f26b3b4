//! Tasks of operators, such as adding a member: not faults of a machine, but scheduled like faults.

use record::FaultEffect;
use schedule::field::{Form, count};
use schedule::kinds::{Alone, Lasts, Whom};
use schedule::{family, of};

use crate::FaultKind;

family! {
    /// What operators do: people and their tools. Not a fault of a machine, but scheduled like one.
    Task: OperatorTask {
        "An operator adds a member on a new machine and starts it."
        AddMember { learner: bool, promote: bool } => {
            number: 34,
            name: "add-member",
            whom: Whom::Nobody,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::ADDS_MEMBER,
            source: "etcd's robustness suite (memberAdd); Jepsen's etcd test (nemesis: grow).",
            fields: of! {
                "learner" Form::Switch => OperatorTask::AddMember { learner, .. } => *learner, "Whether it joins as a learner. Left out: true.";
                "promote" Form::Switch => OperatorTask::AddMember { promote, .. } => *promote, "Whether a learner is promoted once it has caught up. Left out: true.";
            },
            new: |_| OperatorTask::AddMember { learner: true, promote: true },
        }

        "An operator removes the target from the cluster permanently."
        RemoveMember => {
            number: 35,
            name: "remove-member",
            whom: Whom::One,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 2,
            effect: FaultEffect::REMOVES_MEMBER,
            source: "Jepsen's etcd test (nemesis: shrink).",
            fields: &[],
            new: |_| OperatorTask::RemoveMember,
        }

        "An operator removes the target and adds a member on a new machine in its place."
        ReplaceMember { joint: bool } => {
            number: 36,
            name: "replace-member",
            whom: Whom::One,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 2,
            effect: FaultEffect::REPLACES_MEMBER,
            source: "etcd's robustness suite (memberReplace). The joint change is our own.",
            fields: of! {
                "joint" Form::Switch => OperatorTask::ReplaceMember { joint } => *joint, "Whether both happen in one change, by a joint configuration. Left out: false.";
            },
            new: |_| OperatorTask::ReplaceMember { joint: false },
        }

        "An operator changes the target's peer URL to another name of the same machine."
        UpdateMember => {
            number: 37,
            name: "update-member",
            whom: Whom::One,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own; etcd issue 21737.",
            fields: &[],
            new: |_| OperatorTask::UpdateMember,
        }

        "An operator asks the leader to transfer leadership to the target."
        MoveLeader => {
            number: 38,
            name: "move-leader",
            whom: Whom::One,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 2,
            effect: FaultEffect::NONE,
            source: "Our own: what `etcdctl move-leader` does before maintenance.",
            fields: &[],
            new: |_| OperatorTask::MoveLeader,
        }

        "An operator makes the target defragment its backend."
        Defragment => {
            number: 39,
            name: "defragment",
            whom: Whom::Members,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "etcd's robustness suite (traffic: Defragment).",
            fields: &[],
            new: |_| OperatorTask::Defragment,
        }

        "An operator compacts the store."
        Compact { keep: u64, physical: bool } => {
            number: 40,
            name: "compact",
            whom: Whom::Nobody,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "etcd's robustness suite (traffic: Compact); Kubernetes compacts every five minutes.",
            fields: of! {
                "keep" count(0, 1_000_000_000) => OperatorTask::Compact { keep, .. } => *keep, "How many revisions below the newest. Left out: 10.";
                "physical" Form::Switch => OperatorTask::Compact { physical, .. } => *physical, "Whether it waits until the old revisions are gone from the disk. Left out: false.";
            },
            new: |_| OperatorTask::Compact { keep: 10, physical: false },
        }

        "An operator compacts, defragments one member after another and disarms all alarms."
        ReclaimSpace => {
            number: 41,
            name: "reclaim-space",
            whom: Whom::Nobody,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "etcd's documentation of the space quota.",
            fields: &[],
            new: |_| OperatorTask::ReclaimSpace,
        }
    }
}

impl From<OperatorTask> for FaultKind {
    fn from(task: OperatorTask) -> FaultKind {
        FaultKind::Task(task)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schedule::Link;
    use schedule::kinds::{Kinds, Usual, shapes};

    use super::*;
    use crate::NAMES;

    #[test]
    fn every_row_makes_its_own_task() {
        for row in OperatorTask::rows() {
            let made = (row.new)(Usual { link: Link::default(), point: 0 });
            assert!(std::ptr::eq(made.row(), row), "the row {:?} makes {made:?}", row.kind);
        }
    }

    #[test]
    fn no_two_kinds_share_a_number_or_a_name() {
        let all = shapes::<OperatorTask>(NAMES);
        let numbers: BTreeSet<u64> = all.iter().map(|shape| shape.kind.number).collect();
        let names: BTreeSet<&str> = all.iter().map(|shape| shape.kind.name).collect();
        assert_eq!((numbers.len(), names.len()), (all.len(), all.len()));
    }
}
