//! Linearizable reads: a quorum confirms the leader after the read arrived, and the member applies the confirmed index
//! before it answers.

use std::collections::BTreeMap;

use api::Request;
use api::etcdserverpb::TxnRequest;
use api::etcdserverpb::request_op::Request as Op;
use record::{EtcdFact, Fact, Inner, MemberId, Nanos};
use verify::describe;

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Subject, Wrong, time};

/// A linearizable read is answered only once its read index is confirmed and applied.
pub(super) fn waits(evidence: &Evidence) -> Vec<Wrong> {
    let mut confirmed: BTreeMap<(MemberId, u64), (Nanos, u64)> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        match &happened.what {
            What::Fact(Fact::Own(EtcdFact::ReadIndexConfirmed { context, index })) => {
                confirmed.insert((happened.member, *context), (happened.time, *index));
            }
            What::Inner(Inner::Reads { operation, request, context, applied })
                if is_linearizable(request) =>
            {
                let member = happened.member;
                let who = match evidence.history().operations.get(*operation as usize) {
                    Some(operation) => {
                        format!("client {}'s linearizable `{}`", operation.client, describe::request(request))
                    }
                    None => format!("a linearizable `{}` of its own", describe::request(request)),
                };
                let index = context.and_then(|context| confirmed.get(&(member, context)));
                let says = match (context, index) {
                    (None, _) => format!(
                        "Member {member} answered {who} from its own store at {}, without asking the leader for a read index: no quorum confirmed that its state, applied up to entry {applied}, was current.",
                        time(happened.time)
                    ),
                    (Some(_), Some((at, index))) if index > applied => format!(
                        "Member {member} answered {who} at {} with its store applied only up to entry {applied}, although the read index confirmed for it at {} is {index}: it did not wait until that entry was applied.",
                        time(happened.time),
                        time(*at)
                    ),
                    _ => continue,
                };
                let rule = "A linearizable read is answered once a quorum has confirmed the leader after the read arrived (ReadIndex) and the confirmed index is applied.";
                found.push(
                    Wrong::new(happened.time, member, says).rule(rule).about(Subject::Operation(*operation)),
                );
            }
            _ => {}
        }
    }
    found
}

/// The bit that marks the stream number of a streamed range; the rest of the number is that of the operation.
const RANGE: u64 = 1 << 59;

/// All chunks of a streamed range are read at the revision of the first.
pub(super) fn stays(evidence: &Evidence) -> Vec<Wrong> {
    // When the first chunk was read, and at which revision.
    let mut begun: BTreeMap<(MemberId, u64), (Nanos, i64)> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let What::Inner(Inner::Chunk { stream, revision, first }) = &happened.what else { continue };
        let (at, member) = (happened.time, happened.member);
        if *first {
            begun.insert((member, *stream), (at, *revision));
            continue;
        }
        let Some((since, of)) = begun.get(&(member, *stream)).filter(|(_, of)| of != revision) else {
            continue;
        };
        let operation = stream & !RANGE;
        let who = evidence.history().operations.get(operation as usize).map_or(String::new(), |operation| {
            format!(" of client {}'s streamed `{}`", operation.client, describe::request(&operation.request))
        });
        let says = format!(
            "Member {member} read a chunk{who} at revision {revision} at {}, although it read the first chunk at revision {of} at {}: what was written in between is in one part of the answer and not in the other.",
            time(at),
            time(*since)
        );
        found.push(
            Wrong::new(at, member, says)
                .rule("All chunks of a streamed range are of the revision of the first one.")
                .change(
                    format!("the range is one of revision {of}"),
                    format!("it goes on at revision {revision}"),
                )
                .about(Subject::Operation(operation)),
        );
    }
    found
}

/// Whether a read must be linearizable.
fn is_linearizable(request: &Request) -> bool {
    match request {
        Request::Range(range) => !range.serializable,
        Request::Txn(txn) => !is_serializable(txn),
        Request::MemberList(list) => list.linearizable,
        _ => false,
    }
}

/// Whether all ranges of a transaction are serializable.
fn is_serializable(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).all(|op| match &op.request {
        Some(Op::RequestRange(range)) => range.serializable,
        Some(Op::RequestTxn(txn)) => is_serializable(txn),
        _ => true,
    })
}
