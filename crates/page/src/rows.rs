//! Makes rows of everything that a page shows.
//!
//! A message is one row, from its sending to its arrival or its loss; so is a disk job, a fault, an operation. Times are
//! in units of a nanosecond or a microsecond, and count from the page's base: histories from elsewhere may have times
//! since 1970, and numbers of JavaScript are exact up to 2^53 only.

use std::collections::{BTreeMap, BTreeSet};

use record::{EtcdFact, Event, Fact, MemberId, MessageHead, MessageKind, Nanos, Stop};

use crate::block::{NUMBERS, Row};
use crate::input::{Input, Operation, Outcome, shortened};

/// What a row is. The numbers are those of `assets/data.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Key: member, role, leader. Numbers: term, vote.
    Role,
    /// Key: member. Numbers: incarnation.
    Start,
    /// Key: member. Numbers: term, commit, last index, index and revision of the store.
    Recovery,
    /// Key: member, how (a crash, a loss of power, an intended end, any other). Text: how.
    Stop,
    /// Key: member, whether it begins.
    Pause,
    /// Key: member. Numbers: the fault, how long or -1. Texts: kind, what the plan says.
    Fault,
    /// Key: the phase.
    Phase,
    /// Key: member. Numbers: nanoseconds ahead, parts per million gained.
    Clock,
    /// Key: client, outcome, member. Numbers: operation, how long or -1, index and term of its entry. Texts: request,
    /// answer.
    Operation,
    /// Key: client, member. Numbers: stream, how long or -1. Texts: what is watched, how it ended.
    Watch,
    /// Numbers: stream, revision, events. Text: what was delivered.
    Delivery,
    /// Key: client. Numbers: lease by its place, how long or -1, seconds. Texts: id, how it ended.
    Lease,
    /// Numbers: lease by its place.
    Renewal,
    /// Key: sender, receiver, kind, fate and whether it rejects. Numbers: how long, term, index, its term, commit,
    /// entries, the client's operation plus 1.
    Message,
    /// Key: member, bits. Numbers: how long, job, last index, term, commit.
    Job,
    /// Key: member, bits. Numbers: index, term, revision.
    Apply,
    /// Key: member. Numbers: index, term.
    Commit,
    /// Key: member. Numbers: first index, last index, term.
    Append,
    /// Key: member. Numbers: the context.
    ReadAsked,
    /// Key: member. Numbers: the context, the index.
    ReadConfirmed,
    /// Key: member. Numbers: the index.
    Durable,
    /// Key: member. Numbers: the operation.
    Proposal,
    /// Key: member. Text: what happened.
    Note,
}

impl Table {
    /// All tables, each with the name of its rows.
    pub(crate) const ALL: [(Table, &str); 23] = [
        (Table::Role, "changes of role or term"),
        (Table::Start, "starts"),
        (Table::Recovery, "recoveries"),
        (Table::Stop, "ends of processes"),
        (Table::Pause, "pauses"),
        (Table::Fault, "faults"),
        (Table::Phase, "phases"),
        (Table::Clock, "changes of clocks"),
        (Table::Operation, "operations"),
        (Table::Watch, "watch streams"),
        (Table::Delivery, "deliveries to watchers"),
        (Table::Lease, "leases"),
        (Table::Renewal, "renewals of leases"),
        (Table::Message, "messages"),
        (Table::Job, "disk jobs"),
        (Table::Apply, "applied entries"),
        (Table::Commit, "commits"),
        (Table::Append, "appends"),
        (Table::ReadAsked, "requests for a read index"),
        (Table::ReadConfirmed, "answers to requests for a read index"),
        (Table::Durable, "backend commits"),
        (Table::Proposal, "proposals"),
        (Table::Note, "other events"),
    ];
}

/// What became of a message: delivered; 1 to 7 are the reasons for a loss in the order of `DropReason`.
const UNDER_WAY: u32 = 8;
const AGAIN: u32 = 9;

/// How many streams are kept even if they were opened long before the part of the run that is shown.
const STREAMS_PINNED: usize = 200;

/// Bits of a disk job.
const SYNCED: u32 = 1;
const FAILED: u32 = 2;
const UNFINISHED: u32 = 4;
/// The job is not raft's, so it is not known when it began.
const ANY: u32 = 8;

/// The rows of a page, each list in the order of time.
pub(crate) struct Rows {
    /// Nanoseconds of a unit.
    pub unit: Nanos,
    /// The moment that times count from.
    pub base: Nanos,
    /// What members and faults did: rare, and needed to understand the rest.
    pub states: Vec<Row>,
    /// What clients saw.
    pub clients: Vec<Row>,
    /// What happened inside of the cluster.
    pub inside: Vec<Row>,
}

impl Rows {
    pub(crate) fn of(input: &Input<'_>) -> Rows {
        let (unit, base) = units(input);
        let mut maker =
            Maker::new(input, Rows { unit, base, states: vec![], clients: vec![], inside: vec![] });
        input.events.iter().for_each(|event| maker.event(event));
        let mut rows = maker.end();
        for list in [&mut rows.states, &mut rows.clients, &mut rows.inside] {
            list.sort_by_key(|row| row.time);
        }
        rows
    }

    /// A moment in the page's units.
    pub(crate) fn at(&self, time: Nanos) -> u64 {
        time.saturating_sub(self.base) / self.unit
    }
}

/// Nanoseconds of a unit, and the moment that times count from: a history from elsewhere begins at any time.
fn units(input: &Input<'_>) -> (Nanos, Nanos) {
    let calls = input.operations.iter().map(|operation| operation.call);
    let first = calls.chain(input.watches.iter().map(|watch| watch.opened)).min();
    let base = first.filter(|_| input.events.is_empty()).unwrap_or(0);
    // A history whose times are only numbers is short.
    (if input.end.saturating_sub(base) < 1_000_000_000 { 1 } else { 1_000 }, base)
}

/// Makes rows of events.
struct Maker<'a> {
    input: &'a Input<'a>,
    rows: Rows,
    /// The rows of messages that are under way, by packet.
    messages: BTreeMap<u64, usize>,
    /// The disk jobs that are under way: member, job, row. A job may have several writes of raft's, each with a row.
    jobs: BTreeSet<(MemberId, u64, usize)>,
    /// The rows of faults that last, by fault and member.
    faults: BTreeMap<(u32, MemberId), usize>,
    /// The operations by the requests that they became.
    requests: BTreeMap<u64, usize>,
    /// Index and term of the entry of each operation.
    entries: BTreeMap<usize, (u64, u64)>,
    /// The last call of a client, and when.
    called: Option<(Nanos, u64)>,
    /// The last answer to a client: its row, and when.
    answered: Option<(Nanos, usize)>,
}

fn id(member: MemberId) -> u32 {
    u32::try_from(member.raft_id()).unwrap_or(u32::MAX)
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Numbers of a row.
fn numbers<const N: usize>(values: [u64; N]) -> [i64; NUMBERS] {
    let mut all = [0; NUMBERS];
    for (to, from) in all.iter_mut().zip(values) {
        *to = number(from);
    }
    all
}

impl<'a> Maker<'a> {
    fn new(input: &'a Input<'a>, rows: Rows) -> Maker<'a> {
        Maker {
            input,
            rows,
            messages: BTreeMap::new(),
            jobs: BTreeSet::new(),
            faults: BTreeMap::new(),
            requests: BTreeMap::new(),
            entries: BTreeMap::new(),
            called: None,
            answered: None,
        }
    }

    /// A row without texts.
    fn row(&self, time: Nanos, table: Table, key: [u32; 4], numbers: [i64; NUMBERS]) -> Row {
        Row { time: self.rows.at(time), table: table as u32, key, numbers, ..Row::default() }
    }

    /// How long something lasts, in units; -1 if it has no end.
    fn lasts(&self, from: Nanos, to: Option<Nanos>) -> i64 {
        to.map_or(-1, |to| number(self.rows.at(to).saturating_sub(self.rows.at(from))))
    }

    fn event(&mut self, event: &Event) {
        let Event { time, member, fact } = event;
        let (time, of) = (*time, id(*member));
        let key = [of, 0, 0, 0];
        match fact {
            Fact::Sent { to, packet, head } => self.sent(time, *member, *to, *packet, head),
            Fact::Delivered { from, packet, head } => self.delivered(time, *from, *member, *packet, head),
            Fact::Dropped { packet, why, .. } => {
                if let Some(at) = self.messages.remove(packet) {
                    self.arrive(at, time, 1 + *why as u32);
                }
            }
            Fact::Called { operation, .. } => self.called = Some((time, *operation)),
            Fact::Returned { operation, .. } => {
                if let Some((_, at)) = self.answered.take_if(|(answered, _)| *answered == time) {
                    self.rows.inside[at].numbers[6] = number(*operation) + 1;
                }
            }
            Fact::JobDone { job, synced, failed } => {
                let bits = u32::from(*synced) * SYNCED + u32::from(*failed) * FAILED;
                // When a job ends, so do all jobs before it.
                let ended = self.under_way(*member, *job);
                if ended.is_empty() {
                    let row = self.row(time, Table::Job, [of, bits | ANY, 0, 0], numbers([0, *job]));
                    self.rows.inside.push(row);
                }
                ended.into_iter().for_each(|at| self.finish(at, time, bits));
            }
            Fact::Fault { fault, what, begins, .. } => self.fault(time, *member, *fault, what, *begins),
            Fact::Phase(phase) => {
                let row = self.row(time, Table::Phase, [*phase as u32, 0, 0, 0], [0; NUMBERS]);
                self.rows.states.push(Row { pinned: true, ..row });
            }
            Fact::Started { incarnation } => {
                let row = self.row(time, Table::Start, key, numbers([u64::from(*incarnation)]));
                self.rows.states.push(row);
            }
            Fact::Stopped(stop) => self.stopped(event, stop),
            Fact::Paused | Fact::Resumed => {
                let begins = u32::from(matches!(fact, Fact::Paused));
                let row = self.row(time, Table::Pause, [of, begins, 0, 0], [0; NUMBERS]);
                self.rows.states.push(row);
            }
            Fact::Own(own) => self.own(event, own),
        }
    }

    fn own(&mut self, event: &Event, fact: &EtcdFact) {
        let (time, of) = (event.time, id(event.member));
        let key = [of, 0, 0, 0];
        let (table, key, numbers) = match fact {
            EtcdFact::State { term, vote, role, leader } => {
                let row = self.row(
                    time,
                    Table::Role,
                    [of, *role as u32, id(*leader), 0],
                    numbers([*term, vote.raft_id()]),
                );
                return self.rows.states.push(row);
            }
            EtcdFact::Recovered { term, commit, before, entries, consistent_index, revision, .. } => {
                let last = entries.last().map_or(before.0, |entry| entry.index);
                let found = numbers([*term, *commit, last, *consistent_index, *revision]);
                let row = self.row(time, Table::Recovery, key, found);
                return self.rows.states.push(row);
            }
            EtcdFact::Saving { job, term, commit, last_index, .. } => {
                self.jobs.insert((event.member, *job, self.rows.inside.len()));
                (Table::Job, [of, UNFINISHED, 0, 0], numbers([0, *job, *last_index, *term, *commit]))
            }
            EtcdFact::Appended(entries) => {
                let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
                (Table::Append, key, numbers([first.index, last.index, last.term]))
            }
            EtcdFact::Committed { index, term } => (Table::Commit, key, numbers([*index, *term])),
            EtcdFact::Applied { index, term, request, revision, mutated, executed, .. } => {
                if let Some(operation) = self.requests.get(request) {
                    self.entries.entry(*operation).or_insert((*index, *term));
                }
                let bits = u32::from(*mutated) | u32::from(*executed) << 1;
                (Table::Apply, [of, bits, 0, 0], numbers([*index, *term, *revision]))
            }
            EtcdFact::BackendDurable { consistent_index } => {
                (Table::Durable, key, numbers([*consistent_index]))
            }
            EtcdFact::ReadIndexAsked { context } => (Table::ReadAsked, key, numbers([*context])),
            EtcdFact::ReadIndexConfirmed { context, index } => {
                (Table::ReadConfirmed, key, numbers([*context, *index]))
            }
            EtcdFact::Proposed { operation, request } => {
                self.requests.insert(*request, *operation as usize);
                (Table::Proposal, key, numbers([*operation]))
            }
            // The history has these, with what was delivered.
            EtcdFact::WatchOpened { .. } | EtcdFact::WatchReceived { .. } | EtcdFact::WatchEnded { .. } => {
                return;
            }
            // Rare events are described in words.
            _ => {
                let row = self.row(time, Table::Note, key, [0; NUMBERS]);
                let texts = vec![shortened(&(self.input.describe)(&event.fact)).into_owned()];
                return self.rows.inside.push(Row { texts, ..row });
            }
        };
        let row = self.row(time, table, key, numbers);
        self.rows.inside.push(row);
    }

    fn sent(&mut self, time: Nanos, from: MemberId, to: MemberId, packet: u64, head: &MessageHead) {
        let called = self.called.filter(|(at, _)| *at == time && from.is_none());
        let operation = match called {
            Some((_, operation)) if head.kind == MessageKind::ClientRequest => operation + 1,
            _ => 0,
        };
        self.messages.insert(packet, self.rows.inside.len());
        self.message(time, (from, to), head, UNDER_WAY, operation);
    }

    fn message(
        &mut self,
        time: Nanos,
        (from, to): (MemberId, MemberId),
        head: &MessageHead,
        fate: u32,
        operation: u64,
    ) {
        let MessageHead { kind, term, index, log_term, commit, reject, entries } = head;
        let key = [id(from), id(to), *kind as u32, fate << 1 | u32::from(*reject)];
        let about = numbers([0, *term, *index, *log_term, *commit, u64::from(*entries), operation]);
        let row = self.row(time, Table::Message, key, about);
        self.rows.inside.push(row);
    }

    fn delivered(&mut self, time: Nanos, from: MemberId, to: MemberId, packet: u64, head: &MessageHead) {
        let at = match self.messages.remove(&packet) {
            Some(at) => {
                self.arrive(at, time, 0);
                at
            }
            None => {
                self.message(time, (from, to), head, AGAIN, 0);
                self.rows.inside.len() - 1
            }
        };
        if to.is_none() && head.kind == MessageKind::ClientResponse {
            self.answered = Some((time, at));
        }
    }

    /// A message arrived, or was lost.
    fn arrive(&mut self, at: usize, time: Nanos, fate: u32) {
        let arrives = self.rows.at(time);
        let row = &mut self.rows.inside[at];
        row.key[3] = fate << 1 | row.key[3] & 1;
        row.numbers[0] = number(arrives - row.time);
    }

    /// Takes the rows of a member's disk jobs that are under way, up to a job.
    fn under_way(&mut self, member: MemberId, job: u64) -> Vec<usize> {
        let ended = self.jobs.extract_if((member, 0, 0)..=(member, job, usize::MAX), |_| true);
        ended.map(|(_, _, at)| at).collect()
    }

    /// A disk job ended.
    fn finish(&mut self, at: usize, time: Nanos, bits: u32) {
        let ends = self.rows.at(time);
        let row = &mut self.rows.inside[at];
        row.key[1] = bits;
        row.numbers[0] = number(ends - row.time);
    }

    fn fault(&mut self, time: Nanos, member: MemberId, fault: u32, what: &str, begins: bool) {
        if begins {
            let planned = self.input.faults.get(fault as usize);
            let text = planned.map_or("", |fault| &fault.text);
            let at_once = planned.is_some_and(|fault| fault.at_once);
            let lasts = if at_once { 0 } else { -1 };
            let about = [i64::from(fault), lasts, 0, 0, 0, 0, 0];
            let row = self.row(time, Table::Fault, [id(member), 0, 0, 0], about);
            if !at_once {
                self.faults.insert((fault, member), self.rows.states.len());
            }
            self.rows.states.push(Row { texts: vec![what.to_string(), shortened(text).into_owned()], ..row });
        } else if let Some(at) = self.faults.remove(&(fault, member)) {
            let ends = self.rows.at(time);
            let row = &mut self.rows.states[at];
            row.numbers[1] = number(ends - row.time);
        }
    }

    fn stopped(&mut self, event: &Event, stop: &Stop) {
        let lost = self.under_way(event.member, u64::MAX);
        lost.into_iter().for_each(|at| self.finish(at, event.time, UNFINISHED));
        let how = match stop {
            Stop::Crash => 0,
            Stop::PowerLoss => 1,
            Stop::Graceful | Stop::Removed => 2,
            Stop::Fatal(_) | Stop::Panic(_) | Stop::Refused(_) => 3,
        };
        let row = self.row(event.time, Table::Stop, [id(event.member), how, 0, 0], [0; NUMBERS]);
        let texts = vec![shortened(&(self.input.describe)(&event.fact)).into_owned()];
        self.rows.states.push(Row { texts, ..row });
    }

    /// All rows, with those of the history.
    fn end(mut self) -> Rows {
        self.clocks();
        self.operations();
        self.watches();
        self.leases();
        self.rows
    }

    fn clocks(&mut self) {
        for change in &self.input.clocks {
            let about = [change.ahead, change.gains, 0, 0, 0, 0, 0];
            let row = self.row(change.at, Table::Clock, [id(change.member), 0, 0, 0], about);
            self.rows.states.push(row);
        }
    }

    fn operations(&mut self) {
        let input = self.input;
        let mut proof = input.proof().into_iter().peekable();
        for (at, operation) in input.operations.iter().enumerate() {
            let Operation { client, member, request, call, outcome } = operation;
            let (bits, until, answer) = match outcome {
                Outcome::Answered { at, answer } => (0, Some(*at), &answer[..]),
                Outcome::Failed { at, error } => (1, Some(*at), &error[..]),
                Outcome::Unknown { gave_up } => (2, *gave_up, ""),
            };
            let (index, term) = self.entries.get(&at).copied().unwrap_or_default();
            let lasts = self.lasts(*call, until);
            let about = [number(at as u64), lasts, number(index), number(term), 0, 0, 0];
            let row = self.row(*call, Table::Operation, [*client, bits, id(*member), 0], about);
            let texts = [&request[..], answer].map(|text| shortened(text).into_owned()).to_vec();
            self.rows.clients.push(Row { texts, pinned: proof.next_if_eq(&at).is_some(), ..row });
        }
    }

    fn watches(&mut self) {
        for (at, watch) in self.input.watches.iter().enumerate() {
            let stream = number(at as u64);
            let (ended, how) = watch.ended.as_ref().map_or((None, ""), |end| (Some(end.at), &end.how[..]));
            let lasts = self.lasts(watch.opened, ended);
            let key = [watch.client, id(watch.member), 0, 0];
            let row = self.row(watch.opened, Table::Watch, key, [stream, lasts, 0, 0, 0, 0, 0]);
            let texts = [&watch.watched[..], how].map(|text| shortened(text).into_owned()).to_vec();
            self.rows.clients.push(Row { texts, pinned: at < STREAMS_PINNED, ..row });
            for (time, revision, events, text) in &watch.received {
                let about = [stream, *revision, i64::from(*events), 0, 0, 0, 0];
                let row = self.row(*time, Table::Delivery, [0; 4], about);
                self.rows.clients.push(Row { texts: vec![shortened(text).into_owned()], ..row });
            }
        }
    }

    fn leases(&mut self) {
        for (at, lease) in self.input.leases.iter().enumerate() {
            let place = number(at as u64);
            let (ended, how) = lease.ended.as_ref().map_or((None, ""), |end| (Some(end.at), &end.how[..]));
            let lasts = self.lasts(lease.granted, ended);
            let about = [place, lasts, lease.seconds, 0, 0, 0, 0];
            let row = self.row(lease.granted, Table::Lease, [lease.client, 0, 0, 0], about);
            self.rows.clients.push(Row { texts: vec![lease.id.to_string(), how.to_string()], ..row });
            for time in &lease.renewed {
                let row = self.row(*time, Table::Renewal, [0; 4], [place, 0, 0, 0, 0, 0, 0]);
                self.rows.clients.push(row);
            }
        }
    }
}
