//! Compares the stream with the check: both judge the same histories, the stream event by event.

use crate::differential::lies::{Random, mutate, serializable, with_few_values};
use crate::differential::store::by_brute_force;
use revision::generate::{Shape, generate};
use revision::{
    Evidence, History, Reply, Retained, Stream, StreamError, StreamVerdict, Ticket, UNKNOWN, Verdict, check,
};

/// How a history is passed to a stream.
#[derive(Clone, Copy)]
struct Feed {
    /// How many revisions the watch is behind the answers, or ahead of them if negative.
    lag: i64,
    /// How long after its call an operation without an answer is declared lost.
    lost_after: u64,
    /// How long after its call a lost operation is forgotten.
    forgotten_after: u64,
}

/// Passes a whole history to a stream. Returns its verdict, and the maximum of what it retained at a time.
fn feed(history: &History, evidence: &Evidence, how: Feed) -> (StreamVerdict, Retained) {
    let mut stream = Stream::new(history.base());
    let operations = history.operations();
    let mut events: Vec<(u64, u32, usize)> = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        events.push((operation.call, 0, number));
        let end = operation.returned.min(operation.call.saturating_add(how.lost_after));
        events.push((if operation.returned == UNKNOWN { end } else { operation.returned }, 1, number));
    }
    // Calls at the same time come in the order of their indices, which the stream counts too.
    events.sort_unstable();
    let mut tickets: Vec<Option<Ticket>> = operations.iter().map(|_| None).collect();
    let mut watch = evidence.changes().chunk_by(|one, other| one.revision == other.revision).peekable();
    let (mut peak, mut newest) = (Retained::default(), history.base());
    for (time, kind, number) in events {
        let operation = &operations[number];
        if kind == 0 {
            tickets[number] = Some(stream.call(time, *operation).expect("it is of one key"));
        } else {
            let ticket = tickets[number].take().expect("it was called");
            let result = if operation.returned == UNKNOWN {
                stream.until(time).expect("events are sorted");
                stream.lost(ticket)
            } else {
                newest = newest.max(operation.revision);
                let (revision, changed, seen) = (operation.revision, operation.is_change(), operation.seen);
                stream.answer(ticket, time, Reply { revision, changed, seen })
            };
            if result.is_err() {
                return (stream.finish([]), peak);
            }
        }
        let until = i64::from(newest) - how.lag;
        while let Some(changes) = watch.next_if(|changes| i64::from(changes[0].revision) <= until) {
            if show(&mut stream, evidence, changes).is_err() {
                return (stream.finish([]), peak);
            }
        }
        stream.forget(time.saturating_sub(how.forgotten_after));
        peak = most(peak, stream.retained());
    }
    for changes in watch {
        if show(&mut stream, evidence, changes).is_err() {
            break;
        }
    }
    (stream.finish(tickets.into_iter().flatten()), peak)
}

fn show(stream: &mut Stream, evidence: &Evidence, changes: &[revision::Change]) -> Result<(), StreamError> {
    let revision = changes[0].revision;
    if evidence.is_store_made(revision) {
        return stream.shown_made_by_store(revision, changes);
    }
    stream.shown(revision, changes)
}

fn most(one: Retained, other: Retained) -> Retained {
    Retained {
        in_flight: one.in_flight.max(other.in_flight),
        lost: one.lost.max(other.lost),
        waiting: one.waiting.max(other.waiting),
        versions: one.versions.max(other.versions),
    }
}

const NEVER: u64 = u64::MAX;

#[test]
fn small_histories_and_lies() {
    let count = std::env::var("REVISION_HISTORIES").ok().and_then(|count| count.parse().ok());
    let count: u64 = count.unwrap_or(60_000);
    let mut random = Random(3);
    let (mut good, mut bad, mut differ) = (0, 0, 0);
    for seed in 0..count {
        let shape = Shape {
            clients: 1 + random.below(4) as u32,
            keys: 1 + random.below(2) as u32,
            operations: 2 + random.below(7) as u32,
            unknown: [0, 200, 400][random.below(3)],
            wide: 0,
            stale: random.below(4) == 0,
            seed,
        };
        let (mut history, mut evidence) = generate(&shape);
        if random.below(4) == 0 {
            (history, evidence) = with_few_values(&history, &evidence);
        }
        let mut history = serializable(&history, &evidence, &mut random);
        for _ in 0..random.below(3) {
            if !history.operations().is_empty() {
                (history, evidence) = mutate(&history, &evidence, &mut random);
            }
        }
        // A stream can get a revision that the store made only with its changes.
        let store_made: Vec<u32> = evidence.store_made().to_vec();
        let shown = store_made.into_iter().filter(|revision| !evidence.of(*revision).is_empty());
        let evidence = Evidence::from(evidence.changes().to_vec()).made_by_store(shown);
        let how = Feed {
            lag: random.below(5) as i64 - 2,
            lost_after: [0, 3, NEVER][random.below(3)],
            forgotten_after: NEVER,
        };
        let (judged, _) = feed(&history, &evidence, how);
        let verdict = check(&history, &evidence);
        let details =
            || format!("seed {seed}: {verdict:?}, {judged:?}, lag {}\n{evidence:?}\n{history:#?}", how.lag);
        match (&verdict, &judged) {
            (Verdict::Linearizable(_), StreamVerdict::Linearizable) => good += 1,
            (Verdict::Violation(_), StreamVerdict::Violation(_)) => bad += 1,
            // A stream does not check answers about a store it does not know, and does not retain old states.
            (Verdict::Linearizable(_), StreamVerdict::Undecided(undecided)) => {
                assert!(undecided.forgotten > 0, "{}", details());
                differ += 1;
            }
            (Verdict::Violation(_), StreamVerdict::Undecided(undecided)) => {
                assert!(undecided.forgotten > 0 || undecided.count > 0, "{}", details());
                differ += 1;
            }
            (Verdict::Undecided(_), StreamVerdict::Undecided(_)) => {}
            // A stream knows better which operations were called in time to have made a revision.
            (Verdict::Undecided(undecided), judged) if undecided.ambiguous => {
                let is_good = *judged == StreamVerdict::Linearizable;
                assert_eq!(is_good, by_brute_force(&history, &evidence), "{}", details());
            }
            _ => panic!("{}", details()),
        }
    }
    println!("{good} linearizable, {bad} not, {differ} undecided only by the stream");
    assert!(good > count / 3 && bad > count / 10 && differ < count / 20);
}

fn long(operations: u32, unknown: u32, stale: bool) -> (History, Evidence) {
    generate(&Shape { clients: 25, keys: 100, operations, unknown, wide: 0, stale, seed: 1 })
}

#[test]
fn long_histories() {
    for (unknown, stale, lag) in [(0, false, 0), (0, true, 40), (30, false, 7), (30, true, -20)] {
        let (history, evidence) = long(20_000, unknown, stale);
        let how = Feed { lag, lost_after: 1000, forgotten_after: NEVER };
        let (judged, _) = feed(&history, &evidence, how);
        assert_eq!(matches!(judged, StreamVerdict::Violation(_)), stale, "{judged:?}");
        assert!(stale || judged == StreamVerdict::Linearizable, "{judged:?}");
    }
}

#[test]
fn what_is_retained_does_not_grow() {
    let peak = |operations| {
        let (history, evidence) = long(operations, 10, false);
        let how = Feed { lag: 10, lost_after: 1000, forgotten_after: 20_000 };
        let (judged, peak) = feed(&history, &evidence, how);
        assert_eq!(judged, StreamVerdict::Linearizable);
        peak
    };
    let (short, long) = (peak(100_000), peak(1_000_000));
    println!("{short:?} of a hundred thousand, {long:?} of a million");
    // What is in flight at a time varies a little.
    let sum = |held: Retained| held.in_flight + held.lost + held.waiting + held.versions;
    assert!(sum(long) < sum(short) * 2, "{short:?}, {long:?}");
    assert!(sum(long) < 10_000, "{long:?}");
}
