//! Brings the records of all members of a cluster before the oracles: what happened on each of them, in the order of
//! their wall clocks.

use std::collections::BTreeSet;

use cluster::Gather;
use contract::End;
use member::recording::Noted;
use record::{EtcdFact, Event, Fact, MemberId, Nanos, Observer as _, Record, Stop};
use verify::{Expectations, Verdict};

use super::again::{MemberRecord, Parted, Process, Walked};
use super::history::Gathered;
use super::members::Numbers;
use crate::additions::OwnOracles;
use crate::error::Error;
use crate::execute::EventReceivers;

/// The verdict, and what it is about.
#[derive(Debug)]
pub(crate) struct Judged {
    /// What the clients of all members saw, and what the members applied.
    pub(crate) record: Record,
    /// The verdict of all oracles.
    pub(crate) verdict: Verdict,
    /// How many processes there were, and how many steps they made.
    pub(crate) processes: usize,
    pub(crate) steps: usize,
    /// The ids of the members, in order: in texts they are 1, 2, 3.
    pub(crate) members: Vec<MemberId>,
}

/// Judges records of one cluster.
///
/// # Errors
/// They are not those of all members of one cluster from its beginning.
pub(crate) fn judge(records: Vec<MemberRecord>) -> Result<Judged, Error> {
    check(&records).map_err(|what| Error::NotOneCluster { what })?;
    let numbers = Numbers::new(ids(&records));
    let members = records.iter().map(member_of).collect::<BTreeSet<_>>();
    let starts = records.iter().flat_map(|record| &record.processes).map(|process| process.start.wall);
    let begin = starts.min().unwrap_or_default();
    let settings = records[0].processes[0].start.settings();
    let settings = settings.map_err(|error| Error::NotOneCluster { what: error.to_string() })?;

    let mut nobody = ();
    let mut receivers = EventReceivers::new(numbers.len() + 1, OwnOracles::default(), &mut nobody);
    let mut gather = Gather::new(&mut receivers);
    let mut telling =
        Telling { numbers: &numbers, gather: &mut gather, gathered: Gathered::default(), time: 0 };
    let (mut processes, mut steps) = (0, 0);
    let mut tapes: Vec<Tape> = records.into_iter().enumerate().map(|(nth, of)| Tape::new(nth, of)).collect();
    while let Some(tape) = tapes.iter_mut().filter(|tape| tape.next.is_some()).min_by_key(|tape| tape.wall) {
        let Some(next) = tape.next.take() else { break };
        telling.time = telling.time.max((tape.wall - begin).max(0) as Nanos + 1);
        let id = (tape.nth, tape.process);
        match next {
            Next::Start(incarnation) => {
                processes += 1;
                telling.tell(tape.member, Fact::Started { incarnation });
            }
            Next::Step(step) => {
                steps += 1;
                telling.step(id, tape.member, *step);
            }
            Next::Gone => telling.end(id, tape.member, Stop::Crash),
        }
        tape.advance();
    }
    let Telling { gathered, time, .. } = telling;
    let mut record = Record { history: gathered.into_history(time + 1), ..Record::default() };
    gather.put_into(&mut record);
    (record.healed, record.stats.virtual_ns) = (time + 1, time + 1);
    let expectations = Expectations {
        lease_extension: settings.election_timeout(),
        lease_checkpoint: settings.lease_checkpoints(),
        quota: settings.quota_bytes().is_some(),
        validate: false,
        ..Expectations::default()
    };
    let (verdict, _) = receivers.judge(&mut record, expectations);
    Ok(Judged { record, verdict, processes, steps, members: members.into_iter().collect() })
}

fn member_of(record: &MemberRecord) -> MemberId {
    record.processes[0].start.member
}

/// Looks whether these are the records of all members of one cluster, from its beginning.
fn check(records: &[MemberRecord]) -> Result<(), String> {
    let mut members = BTreeSet::new();
    let cluster = records.first().map(|record| record.processes[0].start.cluster);
    for record in records {
        let file = record.path.display();
        let first = &record.processes[0].start;
        if !members.insert(first.member) {
            return Err(format!("{file} is the second record of member {}", first.member));
        }
        if first.start != 1 || !first.first || first.restore.is_some() {
            return Err(format!(
                "{file} begins with start {} of member {}, on data that was there before: what happened before it is not known",
                first.start, first.member
            ));
        }
        for (nth, process) in record.processes.iter().enumerate() {
            let start = &process.start;
            if start.member != first.member || Some(start.cluster) != cluster {
                return Err(format!("{file}, line {}: this is a start in another cluster", process.line));
            }
            if start.start as usize != nth + 1 {
                let line = process.line;
                return Err(format!("{file}, line {line}: start {} has no record before this one", nth + 1));
            }
        }
    }
    let senders = records.iter().flat_map(|record| &record.processes).flat_map(|process| &process.steps);
    let senders = senders.filter_map(|step| step.delivered.as_ref());
    match senders.map(|(from, _)| from).find(|from| !members.contains(from)) {
        Some(stranger) => Err(format!("the record of member {stranger} is missing, which has sent messages")),
        None => Ok(()),
    }
}

/// The ids of all members.
fn ids(records: &[MemberRecord]) -> BTreeSet<MemberId> {
    let mut ids = BTreeSet::new();
    for process in records.iter().flat_map(|record| &record.processes) {
        ids.insert(process.start.member);
        for fact in process.steps.iter().flat_map(|step| &step.facts) {
            if let EtcdFact::Configuration { voters, outgoing, learners, .. } = fact {
                ids.extend([voters, outgoing, learners].into_iter().flatten());
            }
        }
    }
    ids
}

/// The record of one member, from which one thing after the other is taken.
struct Tape {
    nth: usize,
    member: MemberId,
    /// The number of the process.
    process: usize,
    rest: std::vec::IntoIter<Process>,
    steps: std::vec::IntoIter<Walked>,
    /// What comes next, and when.
    next: Option<Next>,
    wall: i64,
    /// Whether the process has said how it ended.
    has_ended: bool,
}

/// What comes next in a record.
enum Next {
    Start(u32),
    Step(Box<Walked>),
    /// The process was gone.
    Gone,
}

impl Tape {
    fn new(nth: usize, record: MemberRecord) -> Tape {
        let member = member_of(&record);
        let (rest, steps) = (record.processes.into_iter(), Vec::new().into_iter());
        let mut tape =
            Tape { nth, member, process: 0, rest, steps, next: None, wall: i64::MIN, has_ended: true };
        tape.advance();
        tape
    }

    fn advance(&mut self) {
        self.next = if let Some(step) = self.steps.next() {
            self.wall = self.wall.max(step.wall);
            self.has_ended = step.end.is_some();
            Some(Next::Step(Box::new(step)))
        } else if !self.has_ended && !self.rest.as_slice().is_empty() {
            self.has_ended = true;
            Some(Next::Gone)
        } else if let Some(process) = self.rest.next() {
            self.process += 1;
            self.wall = self.wall.max(process.start.wall);
            self.has_ended = false;
            self.steps = process.steps.into_iter();
            Some(Next::Start(process.start.start))
        } else {
            None
        };
    }
}

/// Reports what happened to the oracles' receivers.
struct Telling<'a, 'b> {
    numbers: &'a Numbers,
    gather: &'a mut Gather<'b>,
    gathered: Gathered,
    time: Nanos,
}

impl Telling<'_, '_> {
    fn tell(&mut self, member: MemberId, fact: Fact) {
        self.gather.event(&Event { time: self.time, member: self.numbers.of(member), fact });
    }

    fn step(&mut self, process: (usize, usize), member: MemberId, step: Walked) {
        if let Some((from, head)) = step.delivered {
            self.tell(member, Fact::Delivered { from: self.numbers.of(from), packet: 0, head });
        }
        if let Noted::JobDone { job, failed } = &step.input {
            self.tell(member, Fact::JobDone { job: *job, synced: step.synced, failed: failed.is_some() });
        }
        self.gathered.input(self.time, process, member, &step.input);
        for mut fact in step.facts {
            self.numbers.fact(&mut fact);
            if let EtcdFact::Proposed { operation, .. } = &mut fact {
                let Some(number) = self.gathered.operation(process, *operation) else { continue };
                *operation = number;
            }
            self.tell(member, Fact::Own(fact));
        }
        for mut of_raft in step.steps {
            self.numbers.step(&mut of_raft);
            self.gather.step(self.time, self.numbers.of(member), &of_raft);
        }
        for (to, head) in step.sent {
            self.tell(member, Fact::Sent { to: self.numbers.of(to), packet: 0, head });
        }
        for (stream, item) in step.items {
            self.gathered.sent(self.time, process, stream, item);
        }
        for (call, answer) in step.answers {
            self.gathered.answer(self.time, process, call, answer);
        }
        match step.end {
            None => {}
            Some(End::Finished) => self.end(process, member, Stop::Graceful),
            Some(End::Removed) => self.end(process, member, Stop::Removed),
            Some(End::Fatal(why)) => self.end(process, member, Stop::Fatal(why)),
        }
    }

    fn end(&mut self, process: (usize, usize), member: MemberId, stop: Stop) {
        self.gathered.process_ended(self.time, process);
        self.tell(member, Fact::Stopped(stop));
    }
}

/// Where walks have diverged from their records, with the files.
pub(crate) fn partings(records: &[MemberRecord]) -> Vec<String> {
    let of = |record: &MemberRecord, Parted { line, what }: &Parted| {
        format!("{}, line {line}: the walk diverged from the record: {what}", record.path.display())
    };
    let parted = records.iter().flat_map(|record| {
        record.processes.iter().filter_map(move |process| Some(of(record, process.parted.as_ref()?)))
    });
    parted.collect()
}
