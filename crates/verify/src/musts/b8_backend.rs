//! B8, of the backend: what has to be written to it is, in time.
//!
//! Derivation. Three things must be in the next commit, which must begin in time:
//!
//! - A change (an applied entry, a batch of removed rows): when it is `backend-interval` old (etcd, `batchInterval`).
//! - A leader's snapshot: at once. Until then the backend holds a state from before it, and a start has to install the
//!   snapshot from its file again (`docs/member.md`).
//! - The end of a compaction for which a client waits (`physical`): at once. The client gets its answer when that commit is
//!   durable (etcd, `applyCompaction`, waits for `scheduleCompaction`).
//!
//! While a commit is under way, the next one waits for its end. A marker that is being written to the log comes before it
//! (two saves, 2 d). A second, our choice, and 2 d more are allowed.
//!
//! A compaction removes rows in batches of at most `compaction-batch`, with a `compaction-pause` after a full one by the
//! fastest clock (etcd, `scheduleCompaction`).
//!
//! Premises: no fault of the member, its disk or its clock is active from then until the bound. The member works on no
//! defragmentation, whose copies are in no fact. For batches: the same, from one to the next.

use api::Request;
use record::{MemberId, Members, Nanos, Record};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::requests::{Requests, Taken};
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// How long a member may take to look after it: our choice.
const LOOKS: Nanos = 1_000_000_000;

/// What has to be in the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Change,
    Snapshot,
    /// The end of a compaction.
    Compaction(Done),
}

/// A compaction that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    revision: i64,
    /// The index that the member had applied by then.
    applied: u64,
    /// Since when it had applied all entries itself.
    since: Nanos,
}

/// Something that has to be in the next commit.
#[derive(Clone, Copy, Debug)]
struct Debt {
    member: MemberId,
    what: What,
    at: Nanos,
    /// When no commit was under way any more; `None` if one still is.
    ready: Option<Nanos>,
    /// When the next commit began; `None` if none has.
    began: Option<Nanos>,
    /// When it was durable.
    durable: Option<Nanos>,
}

/// What is known of a member's backend.
#[derive(Clone, Debug, Default)]
struct Backend {
    /// Whether a commit is under way.
    commits: bool,
    /// The first of each kind that no commit has begun to write: a change, a snapshot, a compaction.
    waits: [Option<Debt>; 3],
    /// Where the debts are, in the list of those that are over, that the commit under way writes.
    written: std::ops::Range<usize>,
    /// When it installed a leader's snapshot last.
    installed: Nanos,
    /// How many rows the batch of the compaction has removed so far, and when it did last.
    batch: (u64, Nanos),
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct BackendDebts {
    members: Members<Backend>,
    over: Vec<Debt>,
    batches_reported: bool,
}

impl BackendDebts {
    pub fn new(members: u32) -> BackendDebts {
        let members = Members::new(members, |_| Backend::default());
        BackendDebts { members, over: Vec::new(), batches_reported: false }
    }

    fn owes(&mut self, at: Nanos, member: MemberId, slot: usize, what: What) {
        let Some(backend) = self.members.get_mut(member) else { return };
        if backend.waits[slot].is_none() {
            let ready = (!backend.commits).then_some(at);
            backend.waits[slot] = Some(Debt { member, what, at, ready, began: None, durable: None });
        }
    }

    /// A member has applied an entry.
    #[inline]
    pub fn applied(&mut self, at: Nanos, member: MemberId) {
        self.owes(at, member, 0, What::Change);
    }

    /// A member has installed a leader's snapshot.
    pub fn installed(&mut self, at: Nanos, member: MemberId) {
        self.owes(at, member, 1, What::Snapshot);
        if let Some(backend) = self.members.get_mut(member) {
            // The rows are others now.
            (backend.installed, backend.batch) = (at, (0, 0));
        }
    }

    /// A member removes rows; all compactions up to the revision `finished` are done.
    pub fn scrubs(
        &mut self,
        at: Nanos,
        member: MemberId,
        (rows, finished): (u64, Option<i64>),
        (setup, cluster): (&Setup, &Cluster),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        self.owes(at, member, 0, What::Change);
        if let Some(revision) = finished {
            let applied = cluster.members.get(member).map_or(0, |member| member.applied);
            let since = self.members.get(member).map_or(0, |backend| backend.installed);
            self.owes(at, member, 2, What::Compaction(Done { revision, applied, since }));
        }
        let Some(backend) = self.members.get_mut(member) else { return };
        let (most, pause) = setup.scrub;
        let (removed, last) = backend.batch;
        let paused = at - last >= setup.shortest_of(pause) || !cluster.was_free(member, last, at);
        let so_far = if paused { 0 } else { removed };
        backend.batch = (if finished.is_some() { 0 } else { so_far + rows }, at);
        tally.judged();
        if so_far + rows > most.max(1) && !std::mem::replace(&mut self.batches_reported, true) {
            let sentence = format!(
                "Member {member} removed {} rows of compacted revisions without a pause up to {}; a batch has at most {most}.",
                so_far + rows,
                time(at)
            );
            let title = format!("member {member} compacts without pauses");
            sheet.add(Violation::new(Oracle::B8, at, title).say(sentence));
        }
    }

    /// A member's commit begins.
    pub fn commits(&mut self, at: Nanos, member: MemberId) {
        let Some(backend) = self.members.get_mut(member) else { return };
        backend.commits = true;
        let first = self.over.len();
        let began = backend.waits.iter_mut().filter_map(Option::take);
        self.over.extend(began.map(|debt| Debt { began: Some(at), ..debt }));
        backend.written = first..self.over.len();
    }

    /// It is durable.
    #[inline]
    pub fn durable(&mut self, at: Nanos, member: MemberId) {
        let Some(backend) = self.members.get_mut(member) else { return };
        backend.commits = false;
        for debt in &mut self.over[std::mem::take(&mut backend.written)] {
            debt.durable = Some(at);
        }
        for debt in backend.waits.iter_mut().flatten() {
            debt.ready.get_or_insert(at);
        }
    }

    /// A process has ended: its next start does what it has left.
    pub fn stopped(&mut self, member: MemberId) {
        if let Some(backend) = self.members.get_mut(member) {
            *backend = Backend::default();
        }
    }

    /// Judges all debts.
    pub fn judge(
        &self,
        record: &Record,
        requests: &Requests,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let judge = Judge {
            over: record.stats.virtual_ns,
            setup,
            cluster,
            speed,
            asked: Asked::of(record, requests),
        };
        let waiting = self.members.values().flat_map(|backend| backend.waits.iter().flatten());
        let mut late = None;
        for debt in self.over.iter().chain(waiting) {
            for judged in [judge.begins(debt), judge.answers(debt)] {
                match judged {
                    Ok(None) => tally.judged(),
                    Ok(Some(violation)) => {
                        tally.judged();
                        late.get_or_insert(violation);
                    }
                    Err(Some(premise)) => tally.skipped(premise),
                    Err(None) => {}
                }
            }
        }
        sheet.add_all(late);
    }
}

/// The requests that a backend works for.
struct Asked {
    /// Defragmentations.
    defragmentations: Vec<Taken>,
    /// Compactions whose clients wait for the rows, with their revisions and the indices of their entries.
    compactions: Vec<(Taken, i64, u64)>,
}

impl Asked {
    fn of(record: &Record, requests: &Requests) -> Asked {
        let mut asked = Asked { defragmentations: Vec::new(), compactions: Vec::new() };
        let entry_of = |number: usize| {
            let mut all = record.applied.iter();
            all.find(|entry| entry.operation == Some(number as u64)).map(|entry| entry.index)
        };
        for (number, operation) in record.history.operations.iter().enumerate() {
            match &operation.request {
                Request::Defragment(_) => asked.defragmentations.extend(requests.get(number)),
                Request::Compact(compact) if compact.physical => {
                    let known = requests.get(number).zip(entry_of(number));
                    asked.compactions.extend(known.map(|(taken, index)| (taken, compact.revision, index)));
                }
                _ => {}
            }
        }
        asked
    }

    /// The compactions whose clients waited at a member, at a time at which one was done that includes them. A member that
    /// has not applied a request itself, but a snapshot, knows nothing of it. One that is refused has its answer at once.
    fn waiting(&self, member: MemberId, at: Nanos, done: Done) -> impl Iterator<Item = Taken> {
        let waits = move |(taken, revision, index): &&(Taken, i64, u64)| {
            taken.member == member
                && taken.over.is_none_or(|over| over > at)
                && *revision <= done.revision
                && *index <= done.applied
                && taken.at > done.since
        };
        self.compactions.iter().filter(waits).map(|(taken, _, _)| *taken)
    }

    /// Whether a member works on a defragmentation between two times.
    fn defragments(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        self.defragmentations.iter().any(|taken| {
            taken.member == member && taken.at <= to && taken.over.is_none_or(|over| over >= from)
        })
    }
}

/// What a debt is judged by.
struct Judge<'a> {
    over: Nanos,
    setup: &'a Setup,
    cluster: &'a Cluster,
    speed: &'a Speed,
    asked: Asked,
}

/// What was found, or why nothing was judged; `Err(None)` if nothing was owed.
type Judged = Result<Option<Violation>, Option<Premise>>;

impl Judge<'_> {
    /// Whether the commit began in time.
    fn begins(&self, debt: &Debt) -> Judged {
        let Debt { member, what, at, ready, began, .. } = *debt;
        let (ready, what) = match (ready, what) {
            (None, _) => return Err(Some(Premise::Patience)),
            (Some(ready), What::Change) => {
                (ready.max(at + self.setup.longest_of(self.setup.backend_interval)), "a change")
            }
            (Some(ready), What::Snapshot) => (ready, "a leader's snapshot"),
            (Some(ready), What::Compaction(done)) => {
                if self.asked.waiting(member, at, done).next().is_none() {
                    return Err(None);
                }
                (ready, "the end of a compaction for which a client waits")
            }
        };
        let end = began.unwrap_or(self.over);
        if began.is_some() && end <= ready + LOOKS {
            return Ok(None);
        }
        let due = ready + self.setup.longest_of(LOOKS) + 4 * self.speed.worst(ready, end.max(ready)).saves;
        if began.is_none() && end <= due {
            return Err(Some(Premise::Patience));
        }
        self.premises(member, at, due)?;
        Ok((end > due).then(|| {
            let was = match began {
                Some(began) => format!("it began to at {}", time(began)),
                None => "it never began to".to_string(),
            };
            let sentence = format!(
                "Member {member} had {what} to write to its backend from {} on, and from {} on nothing kept it from that; it \
                 ran freely and had to begin by {}, but {was}.",
                time(at),
                time(ready),
                time(due)
            );
            let title = format!("member {member} does not write its backend in time");
            Violation::new(Oracle::B8, due, title).say(sentence)
        }))
    }

    /// Whether those that waited for the commit got their answers.
    fn answers(&self, debt: &Debt) -> Judged {
        let Debt { member, what: What::Compaction(done), at, durable: Some(durable), .. } = *debt else {
            return Err(None);
        };
        let due = durable + LOOKS;
        let late = |taken: &Taken| taken.over.is_none_or(|over| over > due);
        let mut waiting = self.asked.waiting(member, at, done).peekable();
        if waiting.peek().is_none() {
            return Err(None);
        }
        let Some(late) = waiting.find(late) else { return Ok(None) };
        if self.over <= due {
            return Err(Some(Premise::Patience));
        }
        self.premises(member, at, due)?;
        let sentence = format!(
            "Member {member} took a compaction at {} whose client waits until its rows are gone. They were removed at {}, and \
             that was durable at {}, but the client had no answer by {}.",
            time(late.at),
            time(at),
            time(durable),
            time(due)
        );
        let title = format!("member {member} does not answer a compaction");
        Ok(Some(Violation::new(Oracle::B8, due, title).say(sentence)))
    }

    fn premises(&self, member: MemberId, from: Nanos, to: Nanos) -> Result<(), Option<Premise>> {
        if !self.cluster.was_free(member, from, to) {
            return Err(Some(Premise::Health));
        }
        if self.asked.defragments(member, from, to) {
            return Err(Some(Premise::Nature));
        }
        Ok(())
    }
}
