//! Chrome's trace events as JSON, which Perfetto opens.
//!
//! Each member is a process with the threads "role" (its role and term), "process" (its restarts and pauses), "sends" and
//! "receives"; its log is a counter (last, commit and applied index), its disk jobs are spans of their own. The clients
//! are a process with a thread each and their operations as spans, and their watch streams as spans of their own. The
//! faults are a process; phases and violations are marks across all. A message is a flow from a sender to a receiver, by
//! the number of its packet.
//!
//! Times are virtual, in microseconds. An operation without an answer lasts to the end of the run, and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use plan::Plan;
use record::{Etcd, EtcdFact, Event, Fact, MemberId, MessageHead, Nanos, Observer, Role};
use serde_json::{Value, json};
use verify::describe;

use super::{Out, Viewer};
use crate::execute::Outcome;

/// The numbers of processes that are no members; members have their ids.
const CLIENTS: u64 = 1_000_001;
const FAULTS: u64 = 1_000_002;

/// Threads of a member.
const ROLE: u64 = 1;
const PROCESS: u64 = 2;
const SENDS: u64 = 3;
const RECEIVES: u64 = 4;

/// How long sending and receiving are drawn; they take no virtual time.
const DRAWN_NS: Nanos = 1_000;

/// The observer.
pub(super) struct Chrome {
    out: Out,
    first: bool,
    /// The time of the last event.
    now: Nanos,
    /// Spans that are open, by process and thread: when they began, and their names.
    open: BTreeMap<(u64, u64), Vec<(Nanos, String)>>,
    /// Faults that last.
    faults: BTreeMap<u32, &'static str>,
    /// Disk jobs that are under way.
    jobs: BTreeSet<(MemberId, u64)>,
    /// Last, commit and applied index of each member.
    logs: BTreeMap<MemberId, [u64; 3]>,
}

impl Chrome {
    pub(super) fn new(plan: &Plan, out: Out) -> Chrome {
        let mut chrome = Chrome {
            out,
            first: true,
            now: 0,
            open: BTreeMap::new(),
            faults: BTreeMap::new(),
            jobs: BTreeSet::new(),
            logs: BTreeMap::new(),
        };
        chrome.out.put(format_args!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":["));
        for member in MemberId::first(plan.most_members()) {
            let pid = member.raft_id();
            chrome.name(pid, &format!("member {member}"));
            for (tid, name) in
                [(ROLE, "role"), (PROCESS, "process"), (SENDS, "sends"), (RECEIVES, "receives")]
            {
                chrome.name_thread(pid, tid, name);
            }
        }
        chrome.name(CLIENTS, "clients");
        chrome.name_thread(CLIENTS, SENDS, "sends");
        chrome.name_thread(CLIENTS, RECEIVES, "receives");
        chrome.name(FAULTS, "faults");
        chrome
    }

    fn put(&mut self, event: &Value) {
        let comma = if std::mem::take(&mut self.first) { "" } else { "," };
        self.out.put(format_args!("{comma}\n{event}"));
    }

    fn name(&mut self, pid: u64, name: &str) {
        self.put(&json!({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}));
        self.put(&json!({"ph": "M", "name": "process_sort_index", "pid": pid, "args": {"sort_index": pid}}));
    }

    fn name_thread(&mut self, pid: u64, tid: u64, name: &str) {
        self.put(&json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}));
    }

    /// A span of a thread begins.
    fn begin(&mut self, pid: u64, tid: u64, name: String) {
        self.open.entry((pid, tid)).or_default().push((self.now, name));
    }

    /// The last span of a thread ends, if one is open.
    fn end_span(&mut self, pid: u64, tid: u64) {
        let last = self.open.get_mut(&(pid, tid)).and_then(Vec::pop);
        if let Some((since, name)) = last {
            self.span(pid, tid, &name, (since, self.now), &Value::Null);
        }
    }

    fn span(&mut self, pid: u64, tid: u64, name: &str, (from, to): (Nanos, Nanos), args: &Value) {
        let (ts, dur) = (micros(from), micros(to.saturating_sub(from)));
        self.put(
            &json!({"ph": "X", "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args}),
        );
    }

    /// A span that may overlap others begins or ends.
    fn own_span(&mut self, begins: bool, category: &str, pid: u64, id: &str, name: &str, at: Nanos) {
        let ph = if begins { "b" } else { "e" };
        self.put(&json!({"ph": ph, "cat": category, "id": id, "name": name, "pid": pid, "tid": 0, "ts": micros(at)}));
    }

    fn mark(&mut self, name: &str, at: Nanos, pid: u64, scope: &str) {
        self.put(&json!({"ph": "i", "s": scope, "name": name, "pid": pid, "tid": ROLE, "ts": micros(at)}));
    }

    /// One end of a message: a short span, and the flow between the two.
    fn message(&mut self, sends: bool, at: MemberId, packet: u64, head: &MessageHead, text: &str) {
        let pid = if at.is_none() { CLIENTS } else { at.raft_id() };
        let (tid, ph) = if sends { (SENDS, "s") } else { (RECEIVES, "f") };
        let name = format!("{:?}", head.kind);
        let args = json!({"packet": packet, "message": text});
        self.span(pid, tid, &name, (self.now, self.now + DRAWN_NS), &args);
        let ts = micros(self.now);
        self.put(&json!({"ph": ph, "bp": "e", "cat": "message", "id": packet, "name": name, "pid": pid, "tid": tid, "ts": ts}));
    }

    /// A number of a member's log changed.
    fn count(&mut self, member: MemberId, which: usize, index: u64) {
        let log = self.logs.entry(member).or_default();
        if log[which] == index {
            return;
        }
        log[which] = index;
        let [last, commit, applied] = *log;
        let (pid, ts) = (member.raft_id(), micros(self.now));
        let args = json!({"last": last, "commit": commit, "applied": applied});
        self.put(&json!({"ph": "C", "name": "log", "pid": pid, "ts": ts, "args": args}));
    }

    /// A process ends, and all its spans with it.
    fn process_ends(&mut self, member: MemberId) {
        let pid = member.raft_id();
        for tid in [ROLE, PROCESS] {
            while self.open.get(&(pid, tid)).is_some_and(|open| !open.is_empty()) {
                self.end_span(pid, tid);
            }
        }
        let jobs: Vec<_> = self.jobs.range((member, 0)..=(member, u64::MAX)).copied().collect();
        jobs.into_iter().for_each(|job| self.job_ends(job));
    }

    fn job_ends(&mut self, (member, job): (MemberId, u64)) {
        if self.jobs.remove(&(member, job)) {
            let at = self.now;
            self.own_span(false, "disk", member.raft_id(), &job_id(member, job), "writes raft's state", at);
        }
    }

    /// What the clients did, which only the record has.
    fn history(&mut self, outcome: &Outcome) {
        let history = &outcome.record.history;
        for operation in &history.operations {
            let (pid, tid) = (CLIENTS, thread_of(operation.client));
            let until = operation.returned().unwrap_or(self.now);
            let name = describe::request(&operation.request);
            let args = json!({"operation": describe::operation(operation)});
            self.span(pid, tid, &name, (operation.call, until), &args);
        }
        for (nth, watch) in history.watches.iter().enumerate() {
            let name = format!("client {} watches at member {}", watch.client, watch.member);
            let until = watch.ended.map_or(self.now, |(at, _)| at);
            for (begins, at) in [(true, watch.opened), (false, until)] {
                self.own_span(begins, "watch", CLIENTS, &format!("watch {nth}"), &name, at);
            }
        }
        let clients: BTreeSet<u32> = history.operations.iter().map(|one| one.client).collect();
        for client in clients {
            self.name_thread(CLIENTS, thread_of(client), &format!("client {client}"));
        }
        for violation in &outcome.verdict.violations {
            self.mark(&format!("{}: {}", violation.oracle, violation.title), violation.time, FAULTS, "g");
        }
    }
}

/// The thread of a client.
fn thread_of(client: u32) -> u64 {
    10 + u64::from(client)
}

/// The id of a disk job, which no other member's job has.
fn job_id(member: MemberId, job: u64) -> String {
    format!("m{member} job {job}")
}

/// A time in microseconds.
fn micros(at: Nanos) -> f64 {
    at as f64 / 1_000.0
}

impl Observer<Etcd> for Chrome {
    fn event(&mut self, event: &Event) {
        self.now = event.time;
        let (member, pid) = (event.member, event.member.raft_id());
        let said = || describe::fact(&event.fact);
        match &event.fact {
            Fact::Started { incarnation } => {
                self.begin(pid, PROCESS, format!("runs, restart {}", incarnation - 1))
            }
            Fact::Stopped(_) => {
                self.process_ends(member);
                self.mark(&said(), event.time, pid, "p");
            }
            Fact::Paused => self.begin(pid, PROCESS, "is paused".to_string()),
            Fact::Resumed => self.end_span(pid, PROCESS),
            Fact::Fault { fault, what, begins, .. } => {
                let id = format!("fault {fault}");
                if *begins {
                    self.faults.insert(*fault, what);
                } else if self.faults.remove(fault).is_none() {
                    return;
                }
                self.own_span(*begins, "fault", FAULTS, &id, &format!("{what} (fault {fault})"), event.time);
            }
            Fact::Phase(_) => self.mark(&said(), event.time, FAULTS, "g"),
            Fact::JobDone { job, .. } => {
                let jobs: Vec<_> = self.jobs.range((member, 0)..=(member, *job)).copied().collect();
                jobs.into_iter().for_each(|job| self.job_ends(job));
            }
            Fact::Sent { packet, head, .. } => self.message(true, member, *packet, head, &said()),
            Fact::Delivered { packet, head, .. } => self.message(false, member, *packet, head, &said()),
            Fact::Dropped { .. } => {
                let pid = if member.is_none() { CLIENTS } else { pid };
                self.put(
                    &json!({"ph": "i", "s": "t", "name": said(), "pid": pid, "tid": SENDS, "ts": micros(event.time)}),
                );
            }
            Fact::Own(EtcdFact::State { term, role, .. }) => {
                self.end_span(pid, ROLE);
                self.begin(pid, ROLE, format!("{}, term {term}", role_name(*role)));
            }
            Fact::Own(EtcdFact::Recovered { term, commit, before, entries, consistent_index, .. }) => {
                self.end_span(pid, ROLE);
                self.begin(pid, ROLE, format!("follower, term {term}"));
                self.count(member, 0, entries.last().map_or(before.0, |entry| entry.index));
                self.count(member, 1, *commit);
                self.count(member, 2, *consistent_index);
            }
            Fact::Own(EtcdFact::Appended(entries)) => {
                if let Some(last) = entries.last() {
                    self.count(member, 0, last.index);
                }
            }
            Fact::Own(EtcdFact::Committed { index, .. }) => self.count(member, 1, *index),
            Fact::Own(EtcdFact::Applied { index, .. }) => self.count(member, 2, *index),
            Fact::Own(EtcdFact::SnapshotInstalled { index, .. }) => {
                (0..3).for_each(|which| self.count(member, which, *index));
                self.mark(&said(), event.time, pid, "p");
            }
            Fact::Own(EtcdFact::Saving { job, .. }) => {
                self.jobs.insert((member, *job));
                self.own_span(true, "disk", pid, &job_id(member, *job), "writes raft's state", event.time);
            }
            Fact::Own(EtcdFact::Configuration { .. } | EtcdFact::Failpoint { .. }) => {
                self.mark(&said(), event.time, pid, "p");
            }
            // Operations and watch streams come from the history.
            Fact::Called { .. } | Fact::Returned { .. } | Fact::Own(_) => {}
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

impl Viewer for Chrome {
    fn end(&mut self, outcome: Option<&Outcome>) -> io::Result<()> {
        let open: Vec<(u64, u64)> = self.open.keys().copied().collect();
        for (pid, tid) in open {
            while self.open.get(&(pid, tid)).is_some_and(|open| !open.is_empty()) {
                self.end_span(pid, tid);
            }
        }
        for (fault, what) in std::mem::take(&mut self.faults) {
            let name = format!("{what} (fault {fault})");
            self.own_span(false, "fault", FAULTS, &format!("fault {fault}"), &name, self.now);
        }
        for job in self.jobs.clone() {
            self.job_ends(job);
        }
        if let Some(outcome) = outcome {
            self.history(outcome);
        }
        self.out.put(format_args!("\n]}}\n"));
        self.out.end()
    }
}
