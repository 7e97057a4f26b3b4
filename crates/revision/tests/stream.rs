//! The stream against the check: the same histories, event by event.

use crate::differential::lies::{Random, mutate, serializable, with_few_values};
use crate::differential::store::by_brute_force;
use revision::generate::{Shape, generate};
use revision::{Evidence, Held, History, Judged, Reply, Stream, Ticket, UNKNOWN, Verdict, check};

/// How a history is fed.
#[derive(Clone, Copy)]
struct Feed {
    /// How many revisions the watch is behind what was answered, or ahead of it if negative.
    lag: i64,
    /// How long after its call an operation is known to be lost, and how long until it is forgotten.
    lost_after: u64,
    forgotten_after: u64,
}

/// Feeds all of a history to a stream; returns what came of it and the most that it held at a time.
fn feed(history: &History, evidence: &Evidence, how: Feed) -> (Judged, Held) {
    let mut stream = Stream::new(history.base());
    let operations = history.operations();
    let mut events: Vec<(u64, u32, usize)> = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        events.push((operation.call, 0, number));
        let end = operation.ret.min(operation.call.saturating_add(how.lost_after));
        events.push((if operation.ret == UNKNOWN { end } else { operation.ret }, 1, number));
    }
    // Calls of one time come in the order of their numbers, which is that of their counting.
    events.sort_unstable();
    let mut tickets: Vec<Option<Ticket>> = operations.iter().map(|_| None).collect();
    let mut watch = evidence.changes().chunk_by(|one, other| one.revision == other.revision).peekable();
    let (mut peak, mut newest) = (Held::default(), history.base());
    for (time, kind, number) in events {
        let operation = &operations[number];
        if kind == 0 {
            tickets[number] = Some(stream.call(time, *operation).expect("it is of one key"));
        } else {
            let ticket = tickets[number].take().expect("it was called");
            let result = if operation.ret == UNKNOWN {
                stream.until(time);
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
        peak = most(peak, stream.held());
    }
    for changes in watch {
        if show(&mut stream, evidence, changes).is_err() {
            break;
        }
    }
    (stream.finish(tickets.into_iter().flatten()), peak)
}

fn show(
    stream: &mut Stream,
    evidence: &Evidence,
    changes: &[revision::Change],
) -> Result<(), Box<revision::Violation>> {
    let revision = changes[0].revision;
    if evidence.is_nobodys(revision) {
        return stream.shown_by_nobody(revision, changes);
    }
    stream.shown(revision, changes)
}

fn most(one: Held, other: Held) -> Held {
    Held {
        flying: one.flying.max(other.flying),
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
        // What nobody made can only be told to a stream with what it was.
        let nobodys: Vec<u32> = evidence.nobodys().to_vec();
        let shown = nobodys.into_iter().filter(|revision| !evidence.of(*revision).is_empty());
        let evidence = Evidence::from(evidence.changes().to_vec()).by_nobody(shown);
        let how = Feed {
            lag: random.below(5) as i64 - 2,
            lost_after: [0, 3, NEVER][random.below(3)],
            forgotten_after: NEVER,
        };
        let (judged, _) = feed(&history, &evidence, how);
        let verdict = check(&history, &evidence);
        let told =
            || format!("seed {seed}: {verdict:?}, {judged:?}, lag {}\n{evidence:?}\n{history:#?}", how.lag);
        match (&verdict, &judged) {
            (Verdict::Linearizable(_), Judged::Linearizable) => good += 1,
            (Verdict::Violation(_), Judged::Violation(_)) => bad += 1,
            // A stream holds no answer against a store it does not know, and does not keep old states.
            (Verdict::Linearizable(_), Judged::Undecided(undecided)) => {
                assert!(undecided.forgotten > 0, "{}", told());
                differ += 1;
            }
            (Verdict::Violation(_), Judged::Undecided(undecided)) => {
                assert!(undecided.forgotten > 0 || undecided.count > 0, "{}", told());
                differ += 1;
            }
            (Verdict::Undecided(_), Judged::Undecided(_)) => {}
            // A stream knows better who was asked in time to have made a revision.
            (Verdict::Undecided(undecided), judged) if undecided.ambiguous => {
                let is_good = *judged == Judged::Linearizable;
                assert_eq!(is_good, by_brute_force(&history, &evidence), "{}", told());
            }
            _ => panic!("{}", told()),
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
        assert_eq!(matches!(judged, Judged::Violation(_)), stale, "{judged:?}");
        assert!(stale || judged == Judged::Linearizable, "{judged:?}");
    }
}

#[test]
fn what_is_held_does_not_grow() {
    let peak = |operations| {
        let (history, evidence) = long(operations, 10, false);
        let how = Feed { lag: 10, lost_after: 1000, forgotten_after: 20_000 };
        let (judged, peak) = feed(&history, &evidence, how);
        assert_eq!(judged, Judged::Linearizable);
        peak
    };
    let (short, long) = (peak(100_000), peak(1_000_000));
    println!("{short:?} of a hundred thousand, {long:?} of a million");
    // What is in flight at a time varies a little.
    let sum = |held: Held| held.flying + held.lost + held.waiting + held.versions;
    assert!(sum(long) < sum(short) * 2, "{short:?}, {long:?}");
    assert!(sum(long) < 10_000, "{long:?}");
}
