//! Tests the request `MoveLeader`, sent to every member: only the leader carries it out.

use api::{Error, Request};
use record::{Outcome, Record};

use super::raft_loop::run;

const SECOND: u64 = 1_000_000_000;

/// The outcome of every transfer, with the time that it took.
fn outcomes(record: &Record) -> Vec<(u64, Result<(), Error>)> {
    let outcome = |operation: &record::Operation| {
        let took = operation.returned().expect("every request is answered") - operation.call;
        match &operation.outcome {
            Outcome::Error { error, .. } => (took, Err(*error)),
            _ => (took, Ok(())),
        }
    };
    let operations = record.history.operations.iter();
    operations.filter(|operation| matches!(operation.request, Request::MoveLeader(_))).map(outcome).collect()
}

/// A client for each of the first three members that asks it to transfer leadership, 2 s apart.
fn asks(targets: [u64; 3]) -> String {
    let client = |(at, target): (u64, u64)| {
        let at = at + 1;
        format!(
            "[[client]]\nendpoints = [{at}]\nfailover = 'pinned'\ntimeout = '10s'\n\
             operations = ['{}s call MoveLeader {{\"targetID\":\"{target}\"}}']\n",
            10 + 2 * at
        )
    };
    (0..).zip(targets).map(client).collect::<String>() + "[run]\nchaos = '20s'\n"
}

#[test]
fn a_transfer_to_the_leader_is_answered_at_once() {
    for seed in 0..5 {
        let outcomes = outcomes(&run(&asks([1, 2, 3]), seed));
        let done: Vec<_> = outcomes.iter().filter(|(_, result)| result.is_ok()).collect();
        assert_eq!(done.len(), 1, "seed {seed}: one member leads: {outcomes:?}");
        assert!(done[0].0 < SECOND / 10, "seed {seed}: {outcomes:?}");
        let others = outcomes.iter().filter(|(_, result)| *result == Err(Error::NotLeader));
        assert_eq!(others.count(), 2, "seed {seed}: {outcomes:?}");
    }
}

#[test]
fn leadership_goes_only_to_a_voter() {
    let learner = "[[fault]]\nkind = 'add-member'\nat = '6s'\npromote = false\n";
    for target in [4, 77, 0] {
        let outcomes = outcomes(&run(&format!("{learner}{}", asks([target; 3])), 1));
        let bad = outcomes.iter().filter(|(_, result)| *result == Err(Error::BadLeaderTransferee));
        assert_eq!(bad.count(), 1, "the leader: {outcomes:?}");
        let others = outcomes.iter().filter(|(_, result)| *result == Err(Error::NotLeader));
        assert_eq!(others.count(), 2, "a follower says only that it does not lead: {outcomes:?}");
        assert!(outcomes.iter().all(|(took, _)| *took < SECOND / 10), "{outcomes:?}");
    }
}
