//! Changes to a history and its evidence: a lie, such as a wrong answer, or an omission, such as an answer that a
//! client did not get.

use revision::{
    Answer, Change, Evidence, History, Kind, Operation, Response, Seen, Step, Target, Transaction, UNKNOWN,
    Wide,
};

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

#[derive(Clone)]
enum Item {
    Point(Operation),
    Wide(Wide),
}

impl Item {
    /// Call, return and revision.
    fn header(&mut self) -> (&mut u64, &mut u64, &mut u32) {
        match self {
            Item::Point(operation) => (&mut operation.call, &mut operation.returned, &mut operation.revision),
            Item::Wide(wide) => (&mut wide.call, &mut wide.returned, &mut wide.revision),
        }
    }
}

fn items(history: &History) -> Vec<Item> {
    let item = |operation: &Operation| {
        history.wide(operation).map_or(Item::Point(*operation), |wide| Item::Wide(wide.clone()))
    };
    history.operations().iter().map(item).collect()
}

/// A history of these operations. Those that no history accepts are left out.
fn history(base: u32, items: Vec<Item>) -> History {
    let mut history = History::new(base);
    for item in items {
        match item {
            Item::Wide(wide) => drop(history.push_wide(wide)),
            Item::Point(operation) => {
                // These answers show nothing.
                let is_blank = matches!(operation.kind, Kind::Put | Kind::Delete) || operation.changed;
                let seen = if is_blank { Seen::ABSENT } else { operation.seen };
                history.push(Operation { seen, ..operation }).expect("the times are in order");
            }
        }
    }
    history
}

/// Turns some reads into serializable ones, which may show an older revision.
pub fn serializable(given: &History, evidence: &Evidence, random: &mut Random) -> History {
    let mut all = items(given);
    for item in &mut all {
        if random.below(4) > 0 {
            continue;
        }
        match item {
            Item::Point(operation) if operation.kind == Kind::Get && operation.returned != UNKNOWN => {
                let behind = operation.revision.saturating_sub(random.below(3) as u32).max(given.base());
                (operation.kind, operation.revision) = (Kind::GetSerializable, behind);
                operation.seen = held(evidence, operation.key, behind);
            }
            Item::Wide(wide) if !wide.request.is_write() => wide.serializable = true,
            _ => {}
        }
    }
    history(given.base(), all)
}

/// The same history with only two values, so that operations often have the same effect on different conditions.
pub fn with_few_values(given: &History, evidence: &Evidence) -> (History, Evidence) {
    let mut all = items(given);
    for item in &mut all {
        match item {
            Item::Point(operation) => {
                operation.value = few(operation.value);
                fewer(&mut operation.seen);
            }
            Item::Wide(wide) => {
                fewer_in_request(&mut wide.request);
                fewer_in_response(&mut wide.response);
            }
        }
    }
    let few_of = |change: &Change| Change { value: change.value.map(few), ..*change };
    let changes: Vec<Change> = evidence.changes().iter().map(few_of).collect();
    let evidence = Evidence::from(changes).made_by_store(evidence.store_made().to_vec());
    (history(given.base(), all), evidence)
}

fn few(value: u32) -> u32 {
    1 + value % 2
}

fn fewer(seen: &mut Seen) {
    if seen.modified > 0 {
        seen.value = few(seen.value);
    }
}

fn fewer_in_request(request: &mut Transaction) {
    for compare in &mut request.compares {
        if let Target::Value(value) = &mut compare.target {
            *value = few(*value);
        }
    }
    for step in request.success.iter_mut().chain(&mut request.failure) {
        match step {
            Step::Put { value: Some(value), .. } => *value = few(*value),
            Step::Nested(nested) => fewer_in_request(nested),
            _ => {}
        }
    }
}

fn fewer_in_response(response: &mut Response) {
    for answer in &mut response.answers {
        match answer {
            Answer::Range { pairs, .. } | Answer::Delete { previous: Some(pairs), .. } => {
                pairs.iter_mut().for_each(|(_, seen)| fewer(seen));
            }
            Answer::Put(Some(seen)) => fewer(seen),
            Answer::Nested(nested) => fewer_in_response(nested),
            _ => {}
        }
    }
}

/// What a key held at a revision.
fn held(evidence: &Evidence, key: u32, revision: u32) -> Seen {
    let changes = evidence.changes().iter().filter(|change| change.key == key && change.revision <= revision);
    changes.fold(Seen::ABSENT, |holds, change| match change.value {
        None => Seen::ABSENT,
        Some(value) if holds.version == 0 => Seen::new(value, change.revision, change.revision, 1),
        Some(value) => Seen::new(value, change.revision, holds.created, holds.version + 1),
    })
}

/// The history and the evidence with one lie or omission.
pub fn mutate(given: &History, evidence: &Evidence, random: &mut Random) -> (History, Evidence) {
    let mut all = items(given);
    let at = random.below(all.len());
    let other = random.below(all.len());
    match random.below(14) {
        0 => nudge(random, all[at].header().2),
        1 => {
            let taken = *all[other].header().2;
            *all[other].header().2 = std::mem::replace(all[at].header().2, taken);
        }
        2 | 3 => {
            let shift = random.below(6) as u64;
            let (call, returned, _) = all[at].header();
            if *returned != UNKNOWN {
                *returned = returned.saturating_sub(shift).max(*call);
            }
        }
        4 => {
            let shift = random.below(6) as u64;
            let (call, returned, _) = all[at].header();
            *call = (*call + shift).min(if *returned == UNKNOWN { *call } else { *returned });
        }
        5 => {
            let (_, returned, revision) = all[at].header();
            (*returned, *revision) = (UNKNOWN, 0);
            if let Item::Point(operation) = &mut all[at] {
                operation.seen = Seen::ABSENT;
            }
        }
        6 => drop(all.remove(at)),
        7 | 8 => return (history(given.base(), all), mutate_evidence(evidence, random)),
        _ => {
            let shown = shown(&all[other]);
            match &mut all[at] {
                Item::Point(operation) => mutate_point(operation, shown, random),
                Item::Wide(wide) => mutate_response(&mut wide.response, shown, random),
            }
        }
    }
    (history(given.base(), all), evidence.clone())
}

fn nudge(random: &mut Random, number: &mut u32) {
    *number = if random.below(2) == 0 { *number + 1 } else { number.saturating_sub(1) };
}

/// Something that an answer shows.
fn shown(item: &Item) -> Seen {
    let Item::Wide(wide) = item else {
        let Item::Point(operation) = item else { return Seen::ABSENT };
        return operation.seen;
    };
    let first = |pairs: &[(u32, Seen)]| pairs.first().map(|(_, seen)| *seen);
    let seen = wide.response.answers.iter().find_map(|answer| match answer {
        Answer::Range { pairs, .. } | Answer::Delete { previous: Some(pairs), .. } => first(pairs),
        Answer::Put(previous) => *previous,
        _ => None,
    });
    seen.unwrap_or(Seen::ABSENT)
}

fn mutate_point(operation: &mut Operation, other: Seen, random: &mut Random) {
    match random.below(5) {
        0 => nudge(random, &mut operation.seen.modified),
        1 => nudge(random, &mut operation.seen.version),
        2 => operation.seen = other,
        3 => operation.changed = operation.is_write() && !operation.changed,
        _ => operation.key = random.below(2) as u32,
    }
}

fn mutate_response(response: &mut Response, other: Seen, random: &mut Random) {
    if response.answers.is_empty() || random.below(6) == 0 {
        response.succeeded = !response.succeeded;
        return;
    }
    let at = random.below(response.answers.len());
    match &mut response.answers[at] {
        Answer::Range { pairs, complete, count, more } => match random.below(7) {
            0 => *complete = false,
            1 => *count = None,
            2 => *more = None,
            3 => *more = more.map(|more| !more),
            4 => count.iter_mut().for_each(|count| nudge(random, count)),
            _ => mutate_pairs(pairs, other, random),
        },
        Answer::Put(None) => {}
        Answer::Put(previous) => match random.below(3) {
            0 => *previous = None,
            1 => *previous = Some(other),
            _ => previous.iter_mut().for_each(|seen| nudge(random, &mut seen.modified)),
        },
        Answer::Delete { deleted, previous } => match random.below(4) {
            0 => *previous = None,
            1 => nudge(random, deleted),
            _ => previous.iter_mut().for_each(|pairs| mutate_pairs(pairs, other, random)),
        },
        Answer::Nested(nested) => mutate_response(nested, other, random),
    }
}

fn mutate_pairs(pairs: &mut Vec<(u32, Seen)>, other: Seen, random: &mut Random) {
    let at = random.below(pairs.len());
    match random.below(5) {
        0 => pairs.push((random.below(3) as u32, other)),
        _ if pairs.is_empty() => {}
        1 => drop(pairs.remove(at)),
        2 => nudge(random, &mut pairs[at].1.modified),
        3 => nudge(random, &mut pairs[at].1.value),
        _ => pairs.reverse(),
    }
}

fn mutate_evidence(evidence: &Evidence, random: &mut Random) -> Evidence {
    let mut changes = evidence.changes().to_vec();
    let mut store_made = evidence.store_made().to_vec();
    let at = random.below(changes.len());
    let last = changes.last().map_or(1, |change| change.revision);
    match random.below(8) {
        0 => store_made.push(2 + random.below(last as usize) as u32),
        1 if !store_made.is_empty() => drop(store_made.remove(0)),
        2 => changes.push(Change::delete(2 + random.below(last as usize) as u32, random.below(3) as u32)),
        _ if changes.is_empty() => {}
        3 => nudge(random, &mut changes[at].key),
        4 => changes[at].value = changes[random.below(at + 1)].value,
        5 => nudge(random, &mut changes[at].revision),
        _ => drop(changes.remove(at)),
    }
    changes.iter_mut().for_each(|change| change.key = change.key.min(super::store::KEYS as u32 - 1));
    Evidence::from(changes).made_by_store(store_made)
}
