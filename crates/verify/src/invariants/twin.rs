//! Tests only: a naive second implementation of I2, of I5, and of I6 for logs.
//!
//! It keeps whole copies of every log, disk and job and compares them entry by entry, where the monitors keep only an
//! index. In random runs, members lead, copy each other's logs, write them, lose power, and sometimes do what they
//! must not. Both implementations must report the same event first.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use record::{EtcdFact, Event, Fact, LogEntry, MemberId, MessageHead, MessageKind, Stop};

use super::Invariants;
use crate::oracle::Monitor;
use crate::{Oracle, Sheet};

/// How many members the cluster of the test has.
const MEMBERS: usize = 3;

/// The id of a member that the twin knows by its position.
fn id(member: usize) -> MemberId {
    MemberId::new(member as u32 + 1)
}

/// One entry of one log, with the number of its append. A second append of an equal entry is another write.
type Copy = (LogEntry, u32);

#[derive(Clone, Debug)]
enum Op {
    /// A member appends an entry of a new term.
    Lead(usize),
    /// The second member's log becomes the first one's, from where they differ.
    Replicate(usize, usize),
    /// An entry that no leader made.
    Rogue {
        member: usize,
        back: usize,
        term: u64,
        digest: u64,
    },
    Save(usize),
    /// The oldest write of a member ends, synced.
    Done(usize),
    PowerLoss(usize),
    /// A member commits its log, except for the last `back` entries.
    Commit {
        member: usize,
        back: usize,
    },
    /// A member acknowledges its log, except for the last `back` entries.
    Acknowledge {
        member: usize,
        back: usize,
    },
}

/// A random operation.
fn op() -> impl Strategy<Value = Op> {
    let member = 0..MEMBERS;
    prop_oneof![
        12 => member.clone().prop_map(Op::Lead),
        24 => (member.clone(), member.clone()).prop_map(|(from, to)| Op::Replicate(from, to)),
        1 => (member.clone(), 0..3_usize, 1..4_u64, 0..2_u64)
            .prop_map(|(member, back, term, digest)| Op::Rogue { member, back, term, digest }),
        24 => member.clone().prop_map(Op::Save),
        24 => member.clone().prop_map(Op::Done),
        2 => member.clone().prop_map(Op::PowerLoss),
        2 => (member.clone(), 0..4_usize).prop_map(|(member, back)| Op::Commit { member, back }),
        4 => (member, 0..4_usize).prop_map(|(member, back)| Op::Acknowledge { member, back }),
    ]
}

/// The twin: a second, simple implementation of the invariants. It returns what an event breaks.
#[derive(Default)]
struct Naive {
    /// Each member's log in memory.
    logs: [Vec<Copy>; MEMBERS],
    /// Each member's log on disk.
    disks: [Vec<Copy>; MEMBERS],
    /// Each member's disk jobs in flight: the number of the job, and the log that it saves.
    jobs: [VecDeque<(u64, Vec<Copy>)>; MEMBERS],
    /// Every entry ever in a log, with all of the log up to it.
    prefixes: BTreeMap<(u64, u64), Vec<LogEntry>>,
    /// How many copies were appended to logs.
    copies: u32,
    /// The newest term.
    term: u64,
    /// The number of the last disk job.
    job: u64,
    /// The commit index.
    committed: usize,
}

impl Naive {
    /// Carries out an operation. Returns its facts, and what the last of them breaks.
    fn perform(&mut self, op: &Op) -> (Vec<(usize, Fact)>, Option<Oracle>) {
        match *op {
            Op::Lead(member) => {
                self.term += 1;
                let index = self.logs[member].len() as u64 + 1;
                self.append(member, &[LogEntry { index, term: self.term, digest: index }])
            }
            Op::Replicate(from, to) => {
                let differs =
                    |at: &usize| self.logs[to].get(*at).map(|copy| copy.0) != Some(self.logs[from][*at].0);
                let first = (0..self.logs[from].len()).find(differs);
                let entries: Vec<_> =
                    first.map_or(&[][..], |at| &self.logs[from][at..]).iter().map(|copy| copy.0).collect();
                self.append(to, &entries)
            }
            Op::Rogue { member, back, term, digest } => {
                let index = self.logs[member].len().saturating_sub(back) as u64 + 1;
                self.append(member, &[LogEntry { index, term, digest: index + digest }])
            }
            Op::Save(member) => {
                self.job += 1;
                self.jobs[member].push_back((self.job, self.logs[member].clone()));
                let last_index = self.logs[member].len() as u64;
                let write = Fact::Own(EtcdFact::Saving {
                    job: self.job,
                    term: 0,
                    vote: MemberId::NONE,
                    commit: 0,
                    last_index,
                });
                (vec![(member, write)], None)
            }
            Op::Done(member) => {
                let Some((job, log)) = self.jobs[member].pop_front() else { return (Vec::new(), None) };
                self.disks[member] = log;
                (vec![(member, Fact::JobDone { job, synced: true, failed: false })], None)
            }
            Op::PowerLoss(member) => {
                self.jobs[member].clear();
                self.logs[member] = self.disks[member].clone();
                let found = Fact::Own(EtcdFact::Recovered {
                    term: 0,
                    vote: MemberId::NONE,
                    commit: 0,
                    before: (0, 0),
                    entries: self.disks[member].iter().map(|copy| copy.0).collect(),
                    consistent_index: 0,
                    revision: 1,
                    state_hash: 0,
                });
                (vec![(member, Fact::Stopped(Stop::PowerLoss)), (member, found)], None)
            }
            Op::Commit { member, back } => {
                let index = self.logs[member].len().saturating_sub(back);
                if index <= self.committed {
                    return (Vec::new(), None);
                }
                self.committed = index;
                let entry = self.logs[member][index - 1].0;
                let has = |other: &usize| {
                    self.durable(*other, index) && self.logs[*other][index - 1].0.term == entry.term
                };
                let broken = (0..MEMBERS).filter(has).count() < MEMBERS / 2 + 1;
                let fact = Fact::Own(EtcdFact::Committed { index: index as u64, term: entry.term });
                (vec![(member, fact)], broken.then_some(Oracle::I5))
            }
            Op::Acknowledge { member, back } => {
                let index = self.logs[member].len().saturating_sub(back);
                let (kind, broken) = (MessageKind::AppendResponse, !self.durable(member, index));
                let index = index as u64;
                let head =
                    MessageHead { kind, term: 0, index, log_term: 0, commit: 0, reject: false, entries: 0 };
                (vec![(member, Fact::Sent { to: id(0), packet: 1, head })], broken.then_some(Oracle::I6))
            }
        }
    }

    /// Appends entries to a log. Returns the facts for the monitors, and the invariant that this breaks, if any.
    fn append(&mut self, member: usize, entries: &[LogEntry]) -> (Vec<(usize, Fact)>, Option<Oracle>) {
        let mut broken = None;
        for entry in entries {
            let log = &mut self.logs[member];
            log.truncate(entry.index as usize - 1);
            self.copies += 1;
            log.push((*entry, self.copies));
            let prefix: Vec<_> = log.iter().map(|copy| copy.0).collect();
            if *self.prefixes.entry((entry.index, entry.term)).or_insert(prefix.clone()) != prefix {
                broken = Some(Oracle::I2);
            }
        }
        (vec![(member, Fact::Own(EtcdFact::Appended(entries.to_vec())))], broken)
    }

    /// Whether the first `index` entries of a member's log are on its disk.
    fn durable(&self, member: usize, index: usize) -> bool {
        let up_to = |log: &[Copy]| log.get(..index).map(<[Copy]>::to_vec);
        up_to(&self.disks[member]).is_some_and(|disk| Some(disk) == up_to(&self.logs[member]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_monitors_break_where_a_comparison_of_whole_logs_does(ops in prop::collection::vec(op(), 0..120)) {
        let (mut naive, mut invariants, mut time) = (Naive::default(), Invariants::new(MEMBERS as u32), 0);
        let mut sheet = Sheet::default();
        for op in &ops {
            let (facts, expected) = naive.perform(op);
            for (member, fact) in facts {
                time += 1;
                invariants.event(&Event { time, member: id(member), fact }, &mut sheet);
            }
            let first = sheet.violations().first().map(|violation| (violation.oracle, violation.time));
            prop_assert_eq!(first, expected.map(|invariant| (invariant, time)), "{:?} of {:?}", op, ops);
            if expected.is_some() {
                break;
            }
        }
    }
}
