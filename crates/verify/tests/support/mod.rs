//! Generates random histories of a correct server with some answers lost, and changes them so that something is
//! wrong.

use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::*;
use api::{Error, Request, Response};
use bytes::Bytes;
use etcdsim_verify::model::Model;
use record::{Applied, History, MemberId, Nanos, Operation, Outcome};

/// A small generator of numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True with this probability.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// What a random history is made of.
#[derive(Clone, Copy)]
pub struct Shape {
    pub operations: usize,
    pub clients: u32,
    pub keys: u64,
    /// Percent of writes whose answer is lost.
    pub unknown: u64,
    /// Whether there are compactions.
    pub compactions: bool,
    /// Whether there are leases.
    pub leases: bool,
    /// Percent of reads that are serializable; each client reads its own member, and members lag.
    pub serializable: u64,
    /// How many ticks a request or an answer takes at most.
    pub delay: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            operations: 8,
            clients: 3,
            keys: 2,
            unknown: 20,
            compactions: true,
            leases: false,
            serializable: 0,
            delay: 3,
        }
    }
}

/// A history of a correct server, and what it applied.
pub fn history(random: &mut Random, shape: &Shape) -> (History, Vec<Applied>) {
    struct Planned {
        client: u32,
        call: Nanos,
        point: Option<Nanos>,
        returned: Option<Nanos>,
        request: Request,
    }
    let mut free: Vec<Nanos> = (0..u64::from(shape.clients)).collect();
    let mut planned = Vec::new();
    for number in 0..shape.operations {
        let client = random.below(free.len() as u64) as usize;
        let request = request(random, shape, number);
        let call = free[client] + 1 + random.below(2);
        let point = call + random.below(shape.delay);
        let returned = point + random.below(shape.delay);
        let lost = random.percent(shape.unknown);
        let happens = !lost || random.percent(60);
        // A lost operation may happen long after its client moved on.
        let point = if lost { point + random.below(4 * shape.delay) } else { point };
        planned.push(Planned {
            client: client as u32,
            call,
            point: happens.then_some(point),
            returned: (!lost).then_some(returned),
            request,
        });
        free[client] = returned.max(call + 1);
    }
    planned.sort_by_key(|planned| planned.call);

    let mut points: Vec<(Nanos, u64, usize)> = Vec::new();
    for (number, planned) in planned.iter().enumerate() {
        if let Some(point) = planned.point {
            points.push((point, random.next(), number));
        }
    }
    points.sort_unstable();
    let mut model = Model::default();
    // The state of each member.
    let mut members: Vec<Model> = vec![model.clone(); shape.clients as usize];
    let mut results: Vec<Option<Result<Response, Error>>> = vec![None; planned.len()];
    let mut applied = Vec::new();
    for (index, (time, _, number)) in points.into_iter().enumerate() {
        let before = model.revision();
        let request = &planned[number].request;
        let member = &mut members[planned[number].client as usize];
        if matches!(request, Request::Range(range) if range.serializable) {
            if random.percent(30) {
                member.clone_from(&model);
            }
            results[number] = Some(member.apply(request));
            continue;
        }
        results[number] = Some(model.apply(request));
        if shape.serializable > 0 {
            member.clone_from(&model);
        }
        if !matches!(request, Request::Range(_)) {
            applied.push(Applied {
                internal: None,
                index: index as u64 + 1,
                operation: Some(number as u64),
                revision: model.revision() as u64,
                mutated: model.revision() > before,
                time,
            });
        }
    }

    let operations = planned.into_iter().zip(results).map(|(planned, result)| {
        let outcome = match (planned.returned, result) {
            (Some(at), Some(Ok(response))) => Outcome::Answer { at, response },
            (Some(at), Some(Err(error))) => Outcome::Error { at, error },
            _ => Outcome::Unknown { gave_up: planned.call + 9 },
        };
        Operation {
            client: planned.client,
            member: MemberId::new(planned.client + 1),
            user: None,
            request: planned.request,
            streamed: false,
            call: planned.call,
            outcome,
        }
    });
    (History { operations: operations.collect(), ..History::default() }, applied)
}

/// Ends a history with a quiet read of everything, as the world does.
pub fn read_everything(history: &mut History, applied: &[Applied]) {
    let mut model = Model::default();
    for entry in applied {
        let number = entry.operation.expect("every entry is a client's") as usize;
        let _ = model.apply(&history.operations[number].request);
    }
    let all = Bytes::from_static(b"\0");
    let request = RangeRequest { key: all.clone(), range_end: all, ..RangeRequest::default() }.into();
    let response = model.apply(&request).expect("a read of everything");
    let call =
        history.operations.iter().map(|one| one.returned().unwrap_or(one.call)).max().unwrap_or(0) + 100;
    let outcome = Outcome::Answer { at: call + 1, response };
    history.operations.push(Operation {
        client: 99,
        member: MemberId::new(1),
        user: None,
        request,
        streamed: false,
        call,
        outcome,
    });
}

fn key(random: &mut Random, shape: &Shape) -> Bytes {
    Bytes::from(format!("k{}", random.below(shape.keys)))
}

fn request(random: &mut Random, shape: &Shape, number: usize) -> Request {
    let key = key(random, shape);
    match random.below(100) {
        0..30 => put(random, shape, key, number).into(),
        30..60 => range(random, shape, key).into(),
        60..70 => delete(random, key).into(),
        70..88 => txn(random, shape, number, 1).into(),
        88..94 if shape.compactions => {
            CompactionRequest { revision: random.below(5) as i64, physical: false }.into()
        }
        94.. if shape.leases => match random.below(3) {
            0 => LeaseRevokeRequest { id: 1 + random.below(2) as i64 }.into(),
            _ => LeaseGrantRequest { ttl: 10, id: 1 + random.below(2) as i64 }.into(),
        },
        _ => put(random, shape, key, number).into(),
    }
}

fn put(random: &mut Random, shape: &Shape, key: Bytes, number: usize) -> PutRequest {
    let ignore_value = random.percent(8);
    // Sometimes two writes write the same value.
    let value = if random.percent(70) { format!("v{number}") } else { format!("v{}", random.below(2)) };
    let lease = if shape.leases && random.percent(40) { 1 + random.below(2) as i64 } else { 0 };
    PutRequest {
        key,
        value: if ignore_value { Bytes::new() } else { value.into() },
        lease,
        prev_kv: random.percent(30),
        ignore_value,
        ignore_lease: false,
    }
}

fn range(random: &mut Random, shape: &Shape, key: Bytes) -> RangeRequest {
    let revision = if random.percent(30) { random.below(6) as i64 } else { 0 };
    let all = random.percent(30);
    RangeRequest {
        key: if all { Bytes::from_static(b"\0") } else { key },
        range_end: if all { Bytes::from_static(b"\0") } else { Bytes::new() },
        revision,
        limit: if random.percent(10) { 1 } else { 0 },
        sort_target: if random.percent(10) { 1 } else { 0 },
        serializable: random.percent(shape.serializable),
        ..RangeRequest::default()
    }
}

fn delete(random: &mut Random, key: Bytes) -> DeleteRangeRequest {
    let range_end = if random.percent(30) { Bytes::from_static(b"\0") } else { Bytes::new() };
    DeleteRangeRequest { key, range_end, prev_kv: random.percent(30) }
}

fn txn(random: &mut Random, shape: &Shape, number: usize, depth: usize) -> TxnRequest {
    let on = key(random, shape);
    let bound = random.below(4) as i64;
    let (target, union) = match random.below(3) {
        0 => (2, TargetUnion::ModRevision(bound)),
        1 => (0, TargetUnion::Version(bound)),
        _ => (3, TargetUnion::Value(Bytes::from(format!("v{}", random.below(8))))),
    };
    let compare = Compare {
        result: random.below(4) as i32,
        target,
        key: on.clone(),
        target_union: Some(union),
        ..Compare::default()
    };
    let op = |random: &mut Random| {
        let key = on.clone();
        let op = match random.below(5) {
            0 | 1 => Op::RequestPut(put(random, shape, key, number)),
            2 => Op::RequestDeleteRange(delete(random, key)),
            3 if depth > 0 => Op::RequestTxn(txn(random, shape, number, depth - 1)),
            _ => Op::RequestRange(range(random, shape, key)),
        };
        RequestOp { request: Some(op) }
    };
    TxnRequest { compare: vec![compare], success: vec![op(random)], failure: vec![op(random)] }
}

/// Makes one thing wrong in a history (or leaves it right). The evidence stays the same, except for the numbers of
/// operations.
pub fn spoil(random: &mut Random, history: &mut History, applied: &mut Vec<Applied>) {
    let count = history.operations.len();
    if count < 2 {
        return;
    }
    let (at, other) = (random.below(count as u64) as usize, random.below(count as u64) as usize);
    match random.below(11) {
        0 => move_return(random, &mut history.operations[at]),
        1 => swap_answers(history, at, other),
        2 => {
            history.operations.remove(at);
            applied.retain(|entry| entry.operation != Some(at as u64));
            for entry in applied {
                if let Some(operation) = entry.operation.as_mut().filter(|operation| **operation > at as u64)
                {
                    *operation -= 1;
                }
            }
        }
        3 => stale_answer(random, history, at),
        4 | 5 => shift_revision(random, &mut history.operations[at]),
        6 => {
            let operation = &mut history.operations[at];
            operation.outcome = Outcome::Unknown { gave_up: operation.call + 9 };
        }
        7 => refuse(random, &mut history.operations[at]),
        8 => change_value(random, &mut history.operations[at]),
        9 => change_request(random, &mut history.operations[at]),
        _ => acknowledge(history, at),
    }
}

/// The operation returns at another time.
fn move_return(random: &mut Random, operation: &mut Operation) {
    let call = operation.call;
    if let Outcome::Answer { at, .. } | Outcome::Error { at, .. } = &mut operation.outcome {
        *at = call + random.below(8);
    }
}

/// Two operations of the same kind get each other's answer.
fn swap_answers(history: &mut History, at: usize, other: usize) {
    let (one, two) =
        (history.operations[at].response().cloned(), history.operations[other].response().cloned());
    let same = history.operations[at].request.rpc_name() == history.operations[other].request.rpc_name();
    if let (Some(one), Some(two), true) = (one, two, same) {
        for (at, new) in [(at, two), (other, one)] {
            if let Outcome::Answer { response, .. } = &mut history.operations[at].outcome {
                *response = new;
            }
        }
    }
}

/// The answer that an earlier operation of the same kind got.
fn stale_answer(random: &mut Random, history: &mut History, at: usize) {
    let name = history.operations[at].request.rpc_name();
    let earlier: Vec<_> = history.operations[..at]
        .iter()
        .filter(|operation| operation.request.rpc_name() == name)
        .filter_map(|operation| operation.response().cloned())
        .collect();
    if earlier.is_empty() {
        return;
    }
    let stale = random.pick(&earlier).clone();
    if let Outcome::Answer { response, .. } = &mut history.operations[at].outcome {
        *response = stale;
    }
}

/// A revision or version in the answer changes by one.
fn shift_revision(random: &mut Random, operation: &mut Operation) {
    let by = *random.pick(&[-1, 1]);
    let Outcome::Answer { response, .. } = &mut operation.outcome else { return };
    if random.percent(50)
        && let Response::Range(range) = response
        && let Some(kv) = range.kvs.first_mut()
    {
        match random.below(3) {
            0 => kv.mod_revision += by,
            1 => kv.create_revision += by,
            _ => kv.version += by,
        }
    } else if let Some(header) = response.header_mut() {
        header.revision += by;
    }
}

/// The answer becomes an error.
fn refuse(random: &mut Random, operation: &mut Operation) {
    let errors =
        [Error::Compacted, Error::FutureRev, Error::KeyNotFound, Error::Timeout, Error::TooManyRequests];
    let error = *random.pick(&errors);
    if let Outcome::Answer { at, .. } | Outcome::Error { at, .. } = operation.outcome {
        operation.outcome = Outcome::Error { at, error };
    }
}

/// A value or number in the answer changes.
fn change_value(random: &mut Random, operation: &mut Operation) {
    let value = Bytes::from(format!("v{}", random.below(8)));
    match &mut operation.outcome {
        Outcome::Answer { response: Response::Range(range), .. } => match range.kvs.first_mut() {
            Some(kv) => kv.value = value,
            None => range.count += 1,
        },
        Outcome::Answer { response: Response::DeleteRange(delete), .. } => {
            delete.deleted = 1 - delete.deleted.min(1)
        }
        Outcome::Answer { response: Response::Txn(txn), .. } => txn.succeeded = !txn.succeeded,
        _ => {}
    }
}

/// The request sets another value.
fn change_request(random: &mut Random, operation: &mut Operation) {
    if let Request::Put(put) = &mut operation.request
        && !put.ignore_value
    {
        put.value = Bytes::from(format!("v{}", random.below(8)));
    }
}

/// An operation without an answer gets one that is at least of the right kind.
fn acknowledge(history: &mut History, at: usize) {
    let newest = history
        .operations
        .iter()
        .filter_map(|one| one.response()?.header())
        .map(|header| header.revision)
        .max();
    let operation = &mut history.operations[at];
    if let (Outcome::Unknown { .. }, Request::Put(put)) = (&operation.outcome, &operation.request)
        && !put.prev_kv
    {
        let header = Some(ResponseHeader { revision: newest.unwrap_or(1) + 1, ..ResponseHeader::default() });
        let response = PutResponse { header, prev_kv: None }.into();
        operation.outcome = Outcome::Answer { at: operation.call + 3, response };
    }
}
