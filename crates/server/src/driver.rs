//! The event loop: one thread that steps the member, and threads that do what it hands out.
//!
//! The loop takes one event after the other and waits for nothing else. What a step hands out goes to these: jobs of the
//! write-ahead log to a thread that writes and syncs, jobs of the store to another one, computations to tokio's threads
//! for blocking work, messages to [`Peers`], answers and items to the tasks of the clients.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use api::Response;
use contract::disk::{Disk, DiskJob};
use contract::{Boot, End, Input, Node as _, Now, Store as _, Types as _, Work as _};
use member::backend::Backend;
use member::io::{Call, Down, Effects, Etcd};
use member::recording::Noted;
use member::{Config, Member, StartError};
use record::EtcdFact;
use tokio::runtime;
use tokio::sync::{mpsc as channel, oneshot};

use crate::clock::Clock;
use crate::disk::{RealDisk, perform_all};
use crate::handle::{Answer, Event, Handle, StoreJob};
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::recorder::{Begun, Recorder};

/// The longest time for which the loop sleeps. A correct deadline never needs this bound; a wrong one then makes the
/// loop slow instead of silent.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// A member with everything around it.
pub struct Driver {
    member: Member,
    clock: Clock,
    events: Receiver<Event>,
    effects: Effects,
    wake_at: u64,
    calls: BTreeMap<u64, oneshot::Sender<Answer>>,
    streams: BTreeMap<u64, channel::UnboundedSender<Down>>,
    wal: mpsc::Sender<DiskJob>,
    store: mpsc::Sender<StoreJob>,
    /// The size of the store's files, in bytes.
    file_size: Arc<AtomicU64>,
    peers: Peers,
    metrics: Arc<Metrics>,
    handle: Handle,
    runtime: runtime::Handle,
    recorder: Option<Recorder>,
}

/// What a start needs besides the member's configuration.
pub struct Surroundings {
    /// The member's files.
    pub disk: Arc<RealDisk>,
    /// Where its events come from.
    pub events: Receiver<Event>,
    /// A way to send it events.
    pub handle: Handle,
    /// The other members.
    pub peers: Peers,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where computations go.
    pub runtime: runtime::Handle,
    /// The file of the record, if one is wanted.
    pub record: Option<PathBuf>,
}

/// Why a driver does not start.
#[derive(Debug, thiserror::Error)]
pub enum NoStart {
    /// The member does not start.
    #[error(transparent)]
    Member(#[from] StartError),
    /// The record cannot be written.
    #[error("--record {path}: {error}")]
    Record {
        /// Its file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl Driver {
    /// Starts the member. `first` says whether it has never started completely.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(config: Config, first: bool, around: Surroundings) -> Result<Driver, NoStart> {
        let Surroundings { disk, events, handle, peers, metrics, runtime, record } = around;
        let clock = Clock::new();
        let mut effects = Effects::default();
        let boot = Boot {
            id: config.id,
            incarnation: config.incarnation,
            config,
            first,
            now: clock.now(),
            armed: None,
            steps: false,
            inner: false,
        };
        let now = boot.now;
        let begun = match record {
            None => None,
            Some(path) => {
                let begun = Begun::new(&path, &boot, &*disk);
                Some(begun.map_err(|error| NoStart::Record { path, error })?)
            }
        };
        let (member, store) = Member::start(boot, Arc::clone(&disk) as Arc<dyn Disk>, &mut effects)?;
        let recorder = begun.map(|begun| begun.record(handle.clone()));
        let wal = wal_thread(Arc::clone(&disk), handle.clone(), Arc::clone(&metrics));
        let file_size = Arc::new(AtomicU64::new(size_of_store(&disk)));
        let store = store_thread(store, handle.clone(), Arc::clone(&metrics), disk, Arc::clone(&file_size));
        let mut driver = Driver {
            member,
            clock,
            events,
            wake_at: effects.wake_at,
            effects: Effects::default(),
            calls: BTreeMap::new(),
            streams: BTreeMap::new(),
            wal,
            store,
            file_size,
            peers,
            metrics,
            handle,
            runtime,
            recorder,
        };
        driver.done(now, Some(Noted::Start), effects);
        Ok(driver)
    }

    /// Runs the member until it ends.
    pub fn run(mut self) -> End {
        // Everything that the start wrote was written and synced before it returned.
        if let Some(end) = self.step(Input::Recovered) {
            return end;
        }
        loop {
            let now = self.clock.now().clock;
            let event = if self.wake_at <= now {
                self.events.try_recv().ok()
            } else {
                let sleep = Duration::from_nanos(self.wake_at - now).min(SLEEP_MAX);
                match self.events.recv_timeout(sleep) {
                    Ok(event) => Some(event),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return End::Finished,
                }
            };
            let end = match event {
                Some(event) => self.take(event),
                None => self.step(Input::Wake),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Takes an event in. Returns how the member ends, if it does.
    fn take(&mut self, event: Event) -> Option<End> {
        let input = match event {
            Event::Call { call, ask, answer } => {
                self.calls.insert(call, answer);
                if Etcd::wants_connections(&ask) {
                    let end = self.step(Input::Connections(self.peers.connected()));
                    if end.is_some() {
                        return end;
                    }
                }
                if let Call::Api(request) = &ask.what {
                    self.metrics.requested(request);
                }
                Input::Call { call, request: ask }
            }
            Event::Cancel(call) => {
                self.calls.remove(&call)?;
                Input::Cancel { call }
            }
            Event::Open { stream, items } => {
                self.streams.insert(stream, items);
                return None;
            }
            Event::Item { stream, item } => {
                if !self.streams.contains_key(&stream) {
                    return None;
                }
                Input::Item { stream, item }
            }
            Event::Taken(stream) => Input::Taken { stream },
            Event::Closed(stream) => {
                self.streams.remove(&stream);
                Input::Closed { stream }
            }
            Event::Message { from, message } => Input::Message { from, packet: 0, message },
            Event::Receipt { to, arrived } => Input::Receipt { to, arrived },
            Event::JobsDone(jobs) => {
                for (job, result) in jobs {
                    let end = self.step(Input::JobDone { job, result });
                    if end.is_some() {
                        return end;
                    }
                }
                return None;
            }
            Event::StoreDone(result) => Input::StoreDone(result),
            Event::WorkDone { work, done } => Input::WorkDone { work, done },
            Event::Look(question) => {
                question(&self.member);
                return None;
            }
            Event::Recorded(steps) => {
                return steps.into_iter().find_map(|effects| self.carry_out(*effects));
            }
            Event::NotRecorded(error) => {
                return Some(End::Fatal(format!("the record cannot be written: {error}")));
            }
            Event::Stop => Input::Stop,
            Event::Broken(what) => return Some(End::Fatal(format!("{what} has ended with a panic"))),
        };
        self.step(input)
    }

    /// Steps the member, and carries out what it wants.
    fn step(&mut self, input: member::io::Input) -> Option<End> {
        let mut effects = std::mem::take(&mut self.effects);
        let now = self.clock.now();
        let noted = self.recorder.as_ref().map(|_| Noted::of(&input));
        self.member.step(now, input, &mut effects);
        self.done(now, noted, effects)
    }

    /// The member has made a step: carries out what it wants. If there is a record, the step is written first.
    fn done(&mut self, now: Now, noted: Option<Noted>, effects: Effects) -> Option<End> {
        self.wake_at = effects.wake_at;
        match (&self.recorder, noted) {
            (Some(recorder), Some(noted)) => {
                recorder.note(now, noted, effects);
                None
            }
            _ => self.carry_out(effects),
        }
    }

    /// Answers a call. Two answers of the member are not etcd's yet: it counts only the rows of its store, not the size of
    /// the real file; and it has a hash of its own, which costs no more than a step may cost.
    fn answer(&self, waiting: oneshot::Sender<Answer>, answer: Answer) {
        let answer = match answer {
            Ok(Response::Status(mut status)) => {
                status.db_size = self.file_size.load(Ordering::Relaxed) as i64;
                Ok(Response::Status(status))
            }
            Ok(Response::HashKv(mut hash)) => {
                let rows = self.member.store().freeze();
                #[allow(clippy::disallowed_methods, reason = "a server computes on other threads")]
                self.runtime.spawn_blocking(move || {
                    hash.hash = rows.etcd_hash(hash.hash_revision);
                    let _ = waiting.send(Ok(hash.into()));
                });
                return;
            }
            answer => answer,
        };
        let _ = waiting.send(answer);
    }

    /// Carries out the effects of a step, in the order that the contract asks for.
    fn carry_out(&mut self, mut effects: Effects) -> Option<End> {
        let mut members_changed = false;
        for fact in effects.facts.drain(..) {
            members_changed |= matches!(
                fact,
                EtcdFact::Configuration { .. }
                    | EtcdFact::SnapshotInstalled { .. }
                    | EtcdFact::Recovered { .. }
            );
            self.metrics.fact(&fact);
        }
        if members_changed {
            self.peers.update(self.member.members());
        }
        effects.steps.clear();
        if let Some(job) = effects.store.take() {
            let _ = self.store.send(job);
        }
        for (to, message) in effects.messages.drain(..) {
            self.peers.send(to, message);
        }
        for (stream, item) in effects.items.drain(..) {
            let ends = matches!(item, Down::Refused(_) | Down::End);
            if let Some(items) = self.streams.get(&stream) {
                let _ = items.send(item);
            }
            if ends {
                self.streams.remove(&stream);
            }
        }
        for (call, answer) in effects.answers.drain(..) {
            if let Some(waiting) = self.calls.remove(&call) {
                self.answer(waiting, answer);
            }
        }
        for job in effects.jobs.drain(..) {
            let _ = self.wal.send(job);
        }
        for (work, what) in effects.work.drain(..) {
            let handle = self.handle.clone();
            #[allow(clippy::disallowed_methods, reason = "a server computes on other threads")]
            self.runtime.spawn_blocking(move || {
                let done = catch_unwind(AssertUnwindSafe(|| what.perform()));
                handle.send(match done {
                    Ok(done) => Event::WorkDone { work, done },
                    Err(_) => Event::Broken("a computation"),
                });
            });
        }
        let end = effects.end.take();
        self.effects = effects;
        end
    }
}

/// The thread that writes the log. It performs all jobs that have come meanwhile together.
fn wal_thread(disk: Arc<RealDisk>, handle: Handle, metrics: Arc<Metrics>) -> mpsc::Sender<DiskJob> {
    let (sender, jobs) = mpsc::channel::<DiskJob>();
    let ended = handle.clone();
    thread_of("wal", ended, move || {
        while let Ok(first) = jobs.recv() {
            let mut batch = vec![first];
            batch.extend(jobs.try_iter());
            let begun = metrics.clock();
            let result = perform_all(&*disk, &batch);
            metrics.log_job(begun);
            handle.send(Event::JobsDone(batch.iter().map(|job| (job.id, result.clone())).collect()));
        }
    });
    sender
}

/// The thread that has the store.
fn store_thread(
    mut store: Backend,
    handle: Handle,
    metrics: Arc<Metrics>,
    disk: Arc<RealDisk>,
    file_size: Arc<AtomicU64>,
) -> mpsc::Sender<StoreJob> {
    let (sender, jobs) = mpsc::channel::<StoreJob>();
    let ended = handle.clone();
    thread_of("store", ended, move || {
        while let Ok(job) = jobs.recv() {
            let begun = metrics.clock();
            let result = store.perform(&job);
            metrics.store_job(begun);
            file_size.store(size_of_store(&disk), Ordering::Relaxed);
            handle.send(Event::StoreDone(result));
        }
    });
    sender
}

/// The size of the store's files, in bytes.
fn size_of_store(disk: &RealDisk) -> u64 {
    let names = disk.list(member::backend::DIR).unwrap_or_default();
    let size = |name: &String| disk.len(&format!("{}/{name}", member::backend::DIR)).ok();
    names.iter().filter_map(size).sum()
}

/// Begins a thread. If it panics, the loop learns of it.
#[allow(clippy::disallowed_methods, reason = "a server has threads")]
pub fn thread_of(name: &'static str, handle: Handle, work: impl FnOnce() + Send + 'static) {
    let work = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            handle.send(Event::Broken(name));
        }
    };
    thread::Builder::new().name(name.into()).spawn(work).expect("the system gives a thread");
}
