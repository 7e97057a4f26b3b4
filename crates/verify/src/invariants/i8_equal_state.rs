//! I8: members that have applied up to the same index have the same state: the same revision and the same hash of
//! keys, leases, membership and users. (This checks more than etcd's HashKV, and looks inside the member.)
//!
//! The first execution of each index is the reference. It is compared with every other execution of that index, with
//! a store found at a restart (its consistent index names the index: etcd issues 13766 and 14685 show here, before
//! anything is applied), and with a store that came with a snapshot.
//!
//! Which of two stores is the wrong one, and what in it, is not known here, because there is one hash of everything.
//!
//! Not checked: the time that leases have left, and tokens, which are not part of the state; entries that a replay
//! passes without executing them, when the store is ahead of the index; indexes below the window.

use record::probe::Counts;
use record::{Event, Probe};

use super::i4_state_machine_safety::{Execution, StateMachineSafety};
use super::member::Member;
use super::{Breach, Breaches};
use crate::Oracle;

/// Where a store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The member applied the entry.
    Applied,
    /// The member found it on its disk at its start.
    Recovered,
    /// It came with a snapshot.
    Snapshot,
}

/// A store with everything up to an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    /// The index of the last entry that it has applied.
    pub index: u64,
    pub revision: u64,
    /// The hash of its content.
    pub state_hash: u64,
    /// How the member got it.
    pub origin: Origin,
}

/// Compares a store of `member` with the first execution of the same index.
#[inline]
pub(super) fn store(
    event: &Event,
    member: &Member,
    store: &Store,
    machine: &StateMachineSafety,
    breaches: &mut Breaches,
    probes: &mut Counts,
) {
    let Some(first) = machine.first_execution(store.index) else { return };
    // The first execution is itself handed over once. That is no comparison.
    if (first.member, first.time) != (event.member, event.time) {
        probes[Probe::StoresCompared] += 1;
    }
    if (first.applied.revision, first.applied.state_hash) != (store.revision, store.state_hash) {
        differ(event, member, store, first, breaches);
    }
}

/// Reports that two stores differ.
#[cold]
fn differ(event: &Event, member: &Member, store: &Store, first: &Execution, breaches: &mut Breaches) {
    let (id, there) = (member.id, &first.applied);
    let Store { index, revision, state_hash: hash, origin } = *store;
    breaches.add(Oracle::I8, event, || {
        let how = match origin {
            Origin::Applied => format!("Member {id} applied entry {index}."),
            Origin::Recovered => {
                format!("Member {id} started with a store that claims to hold everything up to entry {index}.")
            }
            Origin::Snapshot => format!("Member {id} installed a snapshot of everything up to entry {index}."),
        };
        let at_first = if first.member == id {
            format!("when it first applied entry {index}")
        } else {
            format!("when member {} applied entry {index}", first.member)
        };
        let what = if there.revision == revision {
            format!("Its store is at revision {revision}, as it was {at_first}, but the content differs: hash {hash:016x}, then {:016x}.", there.state_hash)
        } else {
            format!("Its store is at revision {revision}; {at_first}, the revision was {}.", there.revision)
        };
        let breach = Breach::new(format!("Two different stores after entry {index}"))
            .say(how)
            .say(what)
            .prove([first.event()]);
        if origin == Origin::Recovered { breach.prove(member.restart()) } else { breach }
    });
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, Probe, Stop};

    use crate::Oracle;

    use super::super::script::{Script, applied, entry};

    /// Both members have entries 1 and 2 durable and committed; member 1 applied them.
    fn applied_by_one() -> Script {
        let mut run = Script::new(2);
        for member in 1..=2 {
            run.votes(member, 1, 1);
            run.write(member, &[(1, 1), (2, 1)]);
        }
        (1..=2).for_each(|member| run.commit(member, 2, 1));
        (1..=2).for_each(|index| run.apply(1, index, 1));
        run
    }

    #[test]
    fn another_revision_after_the_same_entry() {
        let mut run = applied_by_one();
        run.report(2, applied(entry(1, 1), (7, 1_001), true));
        let violation = run.broke(
            Oracle::I8,
            "Member 2 applied entry 1. Its store is at revision 7; when member 1 applied entry 1, the revision was 1.",
        );
        assert_eq!(violation.events.len(), 2);
    }

    #[test]
    fn another_content_after_the_same_entry() {
        let mut run = applied_by_one();
        run.report(2, applied(entry(1, 1), (1, 7), true));
        run.broke(
            Oracle::I8,
            "Member 2 applied entry 1. Its store is at revision 1, as it was when member 1 applied entry 1, \
             but the content differs: hash 0000000000000007, then 00000000000003e9.",
        );
    }

    #[test]
    fn a_store_that_is_behind_its_consistent_index() {
        let mut run = applied_by_one();
        run.stop(1, Stop::PowerLoss);
        run.start_with_store(1, 2, (1, 1_001));
        run.broke(
            Oracle::I8,
            "Member 1 started with a store that claims to hold everything up to entry 2. \
             Its store is at revision 1; when it first applied entry 2, the revision was 2.",
        );
    }

    #[test]
    fn a_snapshot_of_something_else() {
        let mut run = applied_by_one();
        run.report(
            2,
            Fact::Own(EtcdFact::SnapshotInstalled { index: 2, term: 1, revision: 3, state_hash: 1_002 }),
        );
        run.broke(
            Oracle::I8,
            "Member 2 installed a snapshot of everything up to entry 2. \
             Its store is at revision 3; when member 1 applied entry 2, the revision was 2.",
        );
    }

    #[test]
    fn equal_stores() {
        let mut run = applied_by_one();
        run.apply(2, 1, 1);
        run.install(2, 2, 1);
        run.stop(1, Stop::Crash);
        run.start(1, 1);
        run.apply(1, 2, 1);
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::StoresCompared], 4);
    }
}
