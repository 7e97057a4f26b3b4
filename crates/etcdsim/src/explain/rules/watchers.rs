//! Watchers: each receives every change of its keys from its first revision on, once and in order, and hears of progress
//! only up to what it was sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::inner::{Group, Queued, Row, Said, WatcherCause, WatcherMove};
use record::{Fact, Inner, MemberId, Nanos};
use verify::describe;

use crate::explain::evidence::{Evidence, What};
use crate::explain::rules::state;
use crate::explain::wrong::{Subject, Wrong, time};

/// How often a pass may take the same watcher again while another waits. Twice can happen in a correct member: the
/// rotation begins anew at the end of the list.
const TURNS: usize = 3;

/// A watcher in words: "watcher 3 of client 2's stream 17 (k4 from revision 265)".
pub(in crate::explain) fn name(evidence: &Evidence, watcher: &WatcherMove) -> String {
    let WatcherMove { stream, id, keys, start, .. } = watcher;
    let span = describe::span(&keys.0, &keys.1);
    let from = match start {
        0 => "from its creation on".to_string(),
        start => format!("from revision {start}"),
    };
    format!("watcher {id} of {} ({span} {from})", of_stream(evidence, *stream))
}

/// A stream in words.
fn of_stream(evidence: &Evidence, stream: u64) -> String {
    match evidence.history().watches.get(stream as usize) {
        Some(watch) => format!("client {}'s stream {stream}", watch.client),
        None => "the member's own lock service".to_string(),
    }
}

/// A group in a word.
pub(in crate::explain) const fn group(group: Group) -> &'static str {
    match group {
        Group::Synced => "synced",
        Group::Unsynced => "unsynced",
        Group::Victim => "victim",
        Group::Cancelled => "cancelled",
    }
}

/// A watcher's place in words.
pub(in crate::explain) fn place((group, next): (Group, i64)) -> String {
    format!("{}, next revision {next}", self::group(group))
}

/// A member and one of its watchers.
type Key = (MemberId, u64, i64);

fn key(member: MemberId, watcher: &WatcherMove) -> Key {
    (member, watcher.stream, watcher.id)
}

/// A wrong step with a watcher.
fn wrong(at: Nanos, member: MemberId, watcher: &WatcherMove, says: String) -> Wrong {
    Wrong::new(at, member, says)
        .change(place(watcher.from), place(watcher.to))
        .about(Subject::Watcher(watcher.stream, watcher.id))
}

/// The next revision of a watcher moves over exactly the changes that it was sent.
pub(super) fn moves(evidence: &Evidence) -> Vec<Wrong> {
    let mut changes: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    let mut applied = 0;
    // What each watcher was sent since it moved last.
    let mut sent: BTreeMap<Key, BTreeSet<(&[u8], i64)>> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Inner(Inner::Applied(entry)) if entry.index > applied => {
                applied = entry.index;
                for row in &entry.rows {
                    changes.entry(row.at.0).or_default().push(row);
                }
            }
            What::Inner(Inner::Queued(queued)) => {
                if let Said::Events(events) = &queued.what {
                    let list = sent.entry((member, queued.stream, queued.id)).or_default();
                    list.extend(events.iter().map(|(key, revision, _)| (&key[..], *revision)));
                }
            }
            What::Inner(Inner::Watcher(moved)) => {
                let got = sent.remove(&key(member, moved)).unwrap_or_default();
                if moved.why != WatcherCause::Ended {
                    found.extend(judge(evidence, at, member, moved, &got, &changes));
                }
            }
            _ => {}
        }
    }
    found
}

/// What is wrong with a move.
fn judge(
    evidence: &Evidence,
    at: Nanos,
    member: MemberId,
    moved: &WatcherMove,
    got: &BTreeSet<(&[u8], i64)>,
    changes: &BTreeMap<i64, Vec<&Row>>,
) -> Option<Wrong> {
    let who = name(evidence, moved);
    let ((_, before), (group, after)) = (moved.from, moved.to);
    let WatcherMove { current, compacted, .. } = *moved;
    let when = time(at);
    let (says, rule) = match moved.why {
        WatcherCause::Created if moved.start < 0 => (
            format!(
                "Member {member} accepted a watch from the negative revision {} at {when}: {who} is now {}, and every pass that serves it reads the history from there for all watchers that lag.",
                moved.start,
                place(moved.to)
            ),
            "A watch from a negative revision is refused.",
        ),
        WatcherCause::Notified if after <= current && before <= current => (
            format!(
                "Member {member} sent {who} the changes of revision {current} at {when}, but did not move its next revision, which stays at {after}: after a snapshot it is served again from there."
            ),
            "What a watcher was sent moves its next revision past it.",
        ),
        WatcherCause::CompactedWithoutRoom if group != Group::Unsynced => (
            format!(
                "Member {member} moved {who} to {} at {when}, although it needs the revisions from {before} on and the history is compacted to {compacted}: it had to cancel the watcher, but its stream had no room, and so the watcher skips what was compacted without learning of it.",
                place(moved.to)
            ),
            "A watcher that needs compacted revisions is cancelled, later if its stream has no room now.",
        ),
        WatcherCause::Compacted if group != Group::Cancelled => (
            format!(
                "Member {member} cancelled {who} at {when} because the history is compacted to {compacted}, but left it in the group of those that lag, where each pass finds it again and cancels it again."
            ),
            "A watcher that is cancelled leaves its group.",
        ),
        _ if after < before => (
            format!(
                "Member {member} lowered the next revision of {who} from {before} to {after} at {when}{}: it will be sent changes that it does not want.",
                match moved.why {
                    WatcherCause::Served =>
                        ", when it served it for the first time after a snapshot from the leader was installed",
                    WatcherCause::SnapshotInstalled => ", when a snapshot from the leader was installed",
                    _ => "",
                }
            ),
            "The next revision of a watcher never goes back.",
        ),
        WatcherCause::Served | WatcherCause::Notified if after > before => {
            let missed = missed(moved, got, changes);
            let first = missed.first()?;
            (
                format!(
                    "Member {member} moved the next revision of {who} from {before} to {after} at {when} without sending it {}{}.",
                    state::row(first),
                    match missed.len() {
                        1 => String::new(),
                        many => format!(" and {} later changes of its keys", many - 1),
                    }
                ),
                "The next revision of a watcher moves over exactly the changes that it was sent.",
            )
        }
        _ => return None,
    };
    Some(wrong(at, member, moved, says).rule(rule))
}

/// The changes that a watcher wanted and was not sent when it moved on.
fn missed<'a>(
    moved: &WatcherMove,
    got: &BTreeSet<(&[u8], i64)>,
    changes: &BTreeMap<i64, Vec<&'a Row>>,
) -> Vec<&'a Row> {
    let from = moved.from.1.max(0);
    let wanted = |row: &&&Row| {
        let (puts, deletes) = moved.wants;
        (if row.tombstone { deletes } else { puts }) && contains(&moved.keys, &row.key)
    };
    let due = changes.range(from..moved.to.1).flat_map(|(_, rows)| rows);
    due.filter(wanted).filter(|row| !got.contains(&(&row.key[..], row.at.0))).copied().collect()
}

/// Whether a key is in a range of etcd's.
fn contains((from, end): &(bytes::Bytes, bytes::Bytes), key: &[u8]) -> bool {
    match &end[..] {
        [] => key == &from[..],
        [0] => key >= &from[..],
        end => key >= &from[..] && key < end,
    }
}

/// A pass reads every row once, in the order of revisions.
pub(super) fn passes(evidence: &Evidence) -> Vec<Wrong> {
    let mut commits: BTreeMap<MemberId, (Nanos, u64, u64)> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Inner(Inner::Commits { applied, before, .. }) => {
                commits.insert(member, (at, *before, *applied));
            }
            What::Inner(Inner::Pass(pass)) => {
                let again = pass.rows.windows(2).find(|pair| pair[1] <= pair[0]);
                let Some(&[one, other]) = again else { continue };
                let commit = commits.get(&member).map_or(String::new(), |(since, before, applied)| {
                    let entries = before + 1..=*applied;
                    let mut rows = entries.filter_map(|index| evidence.entry(index)).flat_map(|entry| &entry.rows);
                    let which = if rows.next().is_some_and(|row| row.at == other) { "the first row" } else { "a row" };
                    format!(
                        ": it is {which} of the backend commit of {}, and is found both among the committed rows and in the buffer of that commit",
                        time(*since)
                    )
                });
                let order = if one == other {
                    "returned the row of revision"
                } else {
                    "went back to the row of revision"
                };
                let twice = if one == other { " twice" } else { "" };
                let says = format!(
                    "Member {member}'s store {order} {}{twice} when a pass at {} read the history from revision {} on for the watchers that lag{commit}.",
                    other.0,
                    time(at),
                    pass.from
                );
                let stream = pass.taken.first().copied().unwrap_or_default();
                found.push(
                    Wrong::new(at, member, says)
                        .rule("A read of the history returns each row once, in the order of revisions, whether it is committed or still in a buffer.")
                        .about(Subject::Watcher(stream.0, stream.1)),
                );
            }
            _ => {}
        }
    }
    found
}

/// If passes cannot take all lagging watchers at once, they take them in turn.
pub(super) fn turns(evidence: &Evidence) -> Vec<Wrong> {
    /// A watcher that lags.
    struct Waits<'a> {
        watcher: &'a WatcherMove,
        since: Nanos,
        passes: usize,
        /// How often others were taken meanwhile.
        taken: BTreeMap<(u64, i64), usize>,
    }
    let mut lag: BTreeMap<Key, Waits<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Fact(Fact::Started { .. }) => lag.retain(|(of, ..), _| *of != member),
            What::Inner(Inner::Watcher(moved)) => {
                let lags = moved.to.0 == Group::Unsynced && moved.why != WatcherCause::Ended;
                if !lags {
                    lag.remove(&key(member, moved));
                } else if !lag.contains_key(&key(member, moved)) || moved.why == WatcherCause::Created {
                    let waits = Waits { watcher: moved, since: at, passes: 0, taken: BTreeMap::new() };
                    lag.insert(key(member, moved), waits);
                }
            }
            What::Inner(Inner::Pass(pass)) => {
                for (&(of, stream, id), waits) in &mut lag {
                    if of != member {
                        continue;
                    }
                    if pass.taken.contains(&(stream, id)) {
                        (waits.passes, waits.taken) = (0, BTreeMap::new());
                        continue;
                    }
                    waits.passes += 1;
                    for other in &pass.taken {
                        *waits.taken.entry(*other).or_default() += 1;
                    }
                    let Some((other, times)) = waits.taken.iter().max_by_key(|(_, times)| **times) else {
                        continue;
                    };
                    if *times != TURNS {
                        continue;
                    }
                    let who = name(evidence, waits.watcher);
                    let says = format!(
                        "Member {member}'s pass over the {} watchers that lag passed over {who} at {} for the {} time since {}, and took the same {} watchers again (watcher {} of {} for the {} time): each pass begins with the same ones, and those behind them are never served.",
                        pass.lag,
                        time(at),
                        nth(waits.passes),
                        time(waits.since),
                        pass.taken.len(),
                        other.1,
                        of_stream(evidence, other.0),
                        nth(*times)
                    );
                    found.push(
                        Wrong::new(at, member, says)
                            .rule("A pass takes the watchers that lag in turn: it begins after the last one of the pass before.")
                            .about(Subject::Watcher(stream, id)),
                    );
                }
            }
            _ => {}
        }
    }
    found
}

/// A number as an ordinal.
fn nth(number: usize) -> String {
    let end = match (number % 10, number % 100) {
        (1, 11) | (2, 12) | (3, 13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// Progress is sent only after the events that it covers, and only once a watcher's first revision is reached.
pub(super) fn progress(evidence: &Evidence) -> Vec<Wrong> {
    let mut places: BTreeMap<Key, &WatcherMove> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Fact(Fact::Started { .. }) => places.retain(|(of, ..), _| *of != member),
            What::Inner(Inner::Watcher(moved)) if moved.why == WatcherCause::Ended => {
                places.remove(&key(member, moved));
            }
            What::Inner(Inner::Watcher(moved)) => _ = places.insert(key(member, moved), moved),
            What::Inner(Inner::Queued(queued)) if queued.what == Said::Progress => {
                let covered = places
                    .range((member, queued.stream, i64::MIN)..=(member, queued.stream, i64::MAX))
                    .map(|(_, moved)| *moved)
                    .filter(|moved| queued.id == -1 || moved.id == queued.id);
                found.extend(judge_progress(evidence, (at, member), queued, covered));
            }
            _ => {}
        }
    }
    found
}

/// What is wrong with a progress notification that covers these watchers.
fn judge_progress<'a>(
    evidence: &Evidence,
    (at, member): (Nanos, MemberId),
    queued: &Queued,
    mut covered: impl Iterator<Item = &'a WatcherMove>,
) -> Option<Wrong> {
    let Queued { stream, revision, waiting, ahead, .. } = queued;
    let when = time(at);
    let rule = "Progress up to a revision follows all events up to it, and is sent only while its watchers have been sent everything and their first revision is reached.";
    if *ahead && *waiting > 0 {
        let says = format!(
            "Member {member} answered the request for progress on {} at {when} with revision {revision} ahead of {} that still waited in the channel of that stream: progress went with the control responses, which overtake events.",
            of_stream(evidence, *stream),
            if *waiting == 1 { "a response".to_string() } else { format!("{waiting} responses") }
        );
        return Some(Wrong::new(at, member, says).rule(rule).about(Subject::Watcher(*stream, queued.id)));
    }
    covered.find_map(|moved| {
        let who = name(evidence, moved);
        let says = match moved.to.0 {
            Group::Unsynced | Group::Victim if moved.to.1 <= *revision || moved.to.0 == Group::Victim => format!(
                "Member {member} sent progress up to revision {revision} at {when} to {who}, which still lags ({}).",
                place(moved.to)
            ),
            Group::Synced if moved.start > *revision => format!(
                "Member {member} sent progress up to revision {revision} at {when} to {who}, which waits for a revision that is not reached yet: a client that resumes from {revision} would receive what it did not want.",
            ),
            _ => return None,
        };
        Some(Wrong::new(at, member, says).rule(rule).about(Subject::Watcher(moved.stream, moved.id)))
    })
}

/// What leaves the queue of a stream is what was put into it.
pub(super) fn unchanged(evidence: &Evidence) -> Vec<Wrong> {
    let mut queues: BTreeMap<(MemberId, u64), VecDeque<(Nanos, &Queued)>> = BTreeMap::new();
    let mut passes: BTreeMap<MemberId, Vec<Nanos>> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Fact(Fact::Started { .. }) => queues.retain(|(of, _), _| *of != member),
            What::Inner(Inner::Pass(_)) => passes.entry(member).or_default().push(at),
            What::Inner(Inner::Queued(queued)) if !queued.ahead => {
                queues.entry((member, queued.stream)).or_default().push_back((at, queued));
            }
            What::Inner(Inner::HandedOut(sent)) => {
                let queue = queues.entry((member, sent.stream)).or_default();
                let it = |queued: &Queued| {
                    (queued.id, queued.serial, queued.revision) == (sent.id, sent.serial, sent.revision)
                };
                // Responses for watchers that are gone are dropped.
                let mut same = None;
                while let Some((since, queued)) = queue.pop_front() {
                    if it(queued) {
                        same = Some((since, queued));
                        break;
                    }
                }
                let Some((since, queued)) = same.filter(|(_, queued)| queued.what != sent.what) else {
                    continue;
                };
                let between = passes
                    .get(&member)
                    .and_then(|all| all.iter().rfind(|pass| **pass > since && **pass <= at));
                let by = between.map_or(String::new(), |pass| {
                    format!(
                        ": the pass over lagging watchers at {} overwrote the events of a response that still waited for a slow client",
                        time(*pass)
                    )
                });
                let says = format!(
                    "The response that member {member} queued at {} for watcher {} of {} with {} had {} in their place when it left at {}{by}.",
                    time(since),
                    queued.id,
                    of_stream(evidence, sent.stream),
                    events(&queued.what),
                    events(&sent.what),
                    time(at)
                );
                found.push(
                    Wrong::new(at, member, says)
                        .rule("A response that waits for its client does not change.")
                        .change(events(&queued.what), events(&sent.what))
                        .about(Subject::Watcher(sent.stream, sent.id)),
                );
            }
            _ => {}
        }
    }
    found
}

/// What a response says, in words.
pub(in crate::explain) fn events(said: &Said) -> String {
    let one = |(key, revision, deleted): &(bytes::Bytes, i64, bool)| {
        format!("{} {} at {revision}", if *deleted { "delete" } else { "put" }, describe::key(key))
    };
    match said {
        Said::Progress => "progress".to_string(),
        Said::Compacted(revision) => format!("a cancellation, compacted at {revision}"),
        Said::Control => "a control response".to_string(),
        Said::Events(events) => match &events[..] {
            [] => "no events".to_string(),
            few if few.len() <= 3 => few.iter().map(one).collect::<Vec<_>>().join(", "),
            [first, .., last] => {
                format!("{} events ({} to {})", events.len(), one(first), one(last))
            }
            _ => String::new(),
        },
    }
}
