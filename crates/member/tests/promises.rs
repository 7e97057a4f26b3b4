//! The member as a node of the contract: what it promises its driver, and what it needs the driver's promises for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, WatchCreateRequest, WatchRequest};
use api::{Error, Request};
use bytes::Bytes;
use contract::{Action, Armed, Boot, End, Node as _, Now, Refusal as _, Store, Watched as _};
use etcdsim_member::backend::{Backend, Job};
use etcdsim_member::config::Peer;
use etcdsim_member::disk::{DiskJob, DiskOp};
use etcdsim_member::io::{Ask, Call, Down, Effects, Etcd, Input, Meta, Up};
use etcdsim_member::snapshot_file::{SnapshotFile, Snapshots};
use etcdsim_member::wal::{Marker, Replay};
use etcdsim_member::{Config, Member, StartError};
use keyed::{Domain, Draw, Keyed};
use raft::eraftpb::HardState;
use record::{EtcdFact, Failpoint, MemberId};

use crate::alone::{self, Alone};
use crate::storage::disk::TestDisk;

const CHOICES: Domain = Domain::new("choices of a driver");
const ONE: MemberId = MemberId::new(1);

/// A driver whose disk and store take their time: what ends next is drawn.
struct Driver {
    member: Member,
    store: Backend,
    disk: Arc<TestDisk>,
    now: u64,
    wake_at: u64,
    /// The jobs of the disk under way, and the last one's number.
    jobs: VecDeque<DiskJob>,
    last_job: u64,
    /// The store's job under way.
    store_job: Option<Job>,
    calls: u64,
    answered: BTreeSet<u64>,
    end: Option<End>,
    /// The failpoints that have acted.
    acted: Vec<Failpoint>,
    /// What each step handed out, but for facts.
    log: Vec<String>,
}

impl Driver {
    fn start(armed: Option<Armed>) -> Driver {
        let (disk, now) = (TestDisk::new(), Now::default());
        let boot = Boot {
            id: ONE,
            config: alone::config(ONE),
            incarnation: 1,
            first: true,
            now,
            armed,
            steps: false,
            inner: false,
        };
        let mut effects = Effects::default();
        let (member, store) = Member::start(boot, disk.clone(), &mut effects).expect("a good disk");
        let mut driver = Driver {
            member,
            store,
            disk,
            now: 0,
            wake_at: u64::MAX,
            jobs: VecDeque::new(),
            last_job: 0,
            store_job: None,
            calls: 0,
            answered: BTreeSet::new(),
            end: None,
            acted: Vec::new(),
            log: Vec::new(),
        };
        driver.carry_out(effects);
        driver.step(Input::Recovered);
        driver
    }

    fn step(&mut self, input: Input) {
        let mut effects = Effects::default();
        self.member.step(Now { clock: self.now, wall: 0 }, input, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, mut effects: Effects) {
        let [mut answers, mut jobs, mut store] = [const { String::new() }; 3];
        // The pause itself is left out: what matters here is that nothing is lost by it.
        let before = effects.stall.take().map(|stall| stall.before);
        for effects in before.into_iter().chain([effects]) {
            assert!(effects.messages.is_empty(), "there is nobody to send messages to");
            self.acted.extend(effects.facts.into_iter().filter_map(|fact| match fact {
                EtcdFact::Failpoint { point } => Some(point),
                _ => None,
            }));
            for (call, answer) in effects.answers {
                assert!(call <= self.calls && self.answered.insert(call), "call {call} has one answer");
                answers += &format!("{call}: {answer:?}\n");
            }
            for job in effects.jobs {
                self.last_job += 1;
                assert_eq!(job.id, self.last_job, "jobs have the numbers 1, 2, 3, …");
                assert!(
                    job.ops.iter().all(|op| !path_of(op).starts_with("db")),
                    "`db` is the store's: {job:?}"
                );
                jobs += &format!("{job:?}\n");
                self.jobs.push_back(job);
            }
            if let Some(job) = effects.store {
                assert!(
                    self.store_job.is_none(),
                    "the store gets one job at a time, but {job:?} is handed out"
                );
                store += &format!("{job:?}\n");
                self.store_job = Some(job);
            }
            self.end = self.end.take().or(effects.end);
            self.wake_at = effects.wake_at;
        }
        self.log.push(answers + &jobs + &store);
    }

    fn job_ends(&mut self) {
        let job = self.jobs.pop_front().expect("a job is under way");
        let result = self.disk.run(&job.ops);
        self.step(Input::JobDone { job: job.id, result });
    }

    fn store_job_ends(&mut self) {
        let job = self.store_job.take().expect("a job is under way");
        let result = self.store.perform(&job);
        self.step(Input::StoreDone(result));
    }

    fn call(&mut self, draw: Draw) {
        self.calls += 1;
        let key = format!("k{}", draw.then(1).below(5)).into();
        let request: Request = match draw.below(4) {
            0 => RangeRequest { key, ..RangeRequest::default() }.into(),
            1 => DeleteRangeRequest { key, ..DeleteRangeRequest::default() }.into(),
            _ => PutRequest { key, value: "v".into(), ..PutRequest::default() }.into(),
        };
        let request = Ask::with_token(Call::Api(request), None);
        self.step(Input::Call { call: self.calls, request });
    }

    /// Lets something happen that is drawn.
    fn anything(&mut self, draw: Draw) {
        self.now += draw.then(1).below(5_000_000);
        match draw.below(4) {
            0 if !self.jobs.is_empty() => self.job_ends(),
            1 if self.store_job.is_some() => self.store_job_ends(),
            2 => self.call(draw.then(2)),
            _ => self.wake(),
        }
    }

    fn wake(&mut self) {
        self.now = self.now.max(self.wake_at);
        self.step(Input::Wake);
    }

    /// Lets everything end that is under way, until `over`.
    fn until(&mut self, over: impl Fn(&Driver) -> bool) {
        for _ in 0..1_000 {
            if over(self) {
                return;
            }
            if !self.jobs.is_empty() {
                self.job_ends();
            } else if self.store_job.is_some() {
                self.store_job_ends();
            } else {
                self.wake();
            }
        }
        panic!("it is not over: {}", self.member.explain());
    }
}

fn path_of(op: &DiskOp) -> &str {
    match op {
        DiskOp::Create { path }
        | DiskOp::Append { path, .. }
        | DiskOp::WriteAt { path, .. }
        | DiskOp::Truncate { path, .. }
        | DiskOp::Rename { to: path, .. }
        | DiskOp::Remove { path }
        | DiskOp::Sync { path }
        | DiskOp::SyncDir { path } => path,
    }
}

/// A run of that many drawn steps, after which all calls are answered and the member stops.
fn run(seed: u64, steps: u64, armed: Option<Armed>) -> Driver {
    let keyed = Keyed::new(seed, CHOICES);
    let mut driver = Driver::start(armed);
    for nth in 0..steps {
        driver.anything(keyed.draw(0, nth));
    }
    driver.until(|driver| driver.answered.len() as u64 == driver.calls);
    driver.step(Input::Stop);
    driver.until(|driver| driver.end.is_some());
    assert_eq!(driver.end, Some(End::Finished));
    driver
}

#[test]
fn it_keeps_its_promises_in_whatever_order_things_end() {
    for seed in 0..20 {
        let driver = run(seed, 300, None);
        assert!(driver.calls > 40 && driver.last_job > 20, "the run has something to show");
    }
}

#[test]
fn the_same_inputs_have_the_same_effects() {
    assert_eq!(run(1, 300, None).log, run(1, 300, None).log);
    assert_ne!(run(1, 300, None).log, run(2, 300, None).log);
}

#[test]
fn a_pause_at_any_point_loses_nothing() {
    let without = run(1, 150, None).log;
    let mut paused = 0;
    for point in Failpoint::ALL {
        let armed = Armed { point: (*point).into(), skip: 0, action: Action::Sleep(1) };
        let driver = run(1, 150, Some(armed));
        assert_eq!(driver.log, without, "{point}");
        paused += driver.acted.len();
    }
    assert!(paused > 8, "only {paused} points were passed");
}

#[test]
fn a_restart_finds_all_that_was_answered() {
    let mut alone = Alone::start(alone::config(ONE), TestDisk::new(), 1);
    alone.ask(PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() });
    let mut again = Alone::start(alone::config(ONE), alone.disk.after_kill(), 2);
    let range = RangeRequest { key: "k".into(), ..RangeRequest::default() };
    let api::Response::Range(found) = again.ask(range) else { panic!("a range is answered by one") };
    assert_eq!(found.count, 1);
    assert_eq!(again.member.status().map(|status| status.leader), Some(ONE));
}

/// The ids that a member chooses while it serves some requests, and the disk that it leaves when it is killed.
fn ids(disk: Arc<TestDisk>, incarnation: u32) -> (BTreeSet<u64>, Arc<TestDisk>) {
    let mut alone = Alone::start(alone::config(ONE), disk, incarnation);
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        let range = RangeRequest { key: "k".into(), ..RangeRequest::default() };
        let put = PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() };
        for effects in [alone.call(range).1, alone.call(put).1] {
            ids.extend(effects.facts.into_iter().filter_map(|fact| match fact {
                EtcdFact::ReadIndexAsked { context } => Some(context),
                EtcdFact::Proposed { request, .. } => Some(request),
                _ => None,
            }));
        }
    }
    assert!(ids.len() >= 10, "each request has an id: {ids:?}");
    (ids, alone.disk.after_kill())
}

#[test]
fn ids_repeat_only_if_the_driver_gives_an_incarnation_twice() {
    let (first, disk) = ids(TestDisk::new(), 1);
    let (second, _) = ids(disk.copy(), 2);
    assert!(first.is_disjoint(&second));
    let (repeated, _) = ids(disk, 1);
    assert!(!first.is_disjoint(&repeated));
}

#[test]
fn an_empty_disk_is_a_lost_disk_after_the_first_start() {
    let boot = |first| {
        let now = Now::default();
        Boot {
            id: ONE,
            config: alone::config(ONE),
            incarnation: 2,
            first,
            now,
            armed: None,
            steps: false,
            inner: false,
        }
    };
    let start = |first| Member::start(boot(first), TestDisk::new(), &mut Effects::default());
    assert!(start(true).is_ok());
    let refusal = start(false).err().expect("it has lost its promises");
    assert!(matches!(refusal, StartError::LostDisk));
    assert!(refusal.is_lasting() && !refusal.is_removal());
}

#[test]
fn a_snapshot_that_is_put_aside_is_missed_at_each_start() {
    let mut alone = Alone::start(alone::config(ONE), TestDisk::new(), 1);
    alone.ask(PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() });
    let disk = alone.disk.after_kill();
    // What is left if the process ends when a leader's snapshot is on the disk, and before the backend holds it.
    let replay = Replay::read(&*disk).expect("an intact log");
    let first = replay.markers().first().expect("a log has a marker").clone();
    let mut recovered = replay.finish(&*disk, &first, 1 << 20).expect("an intact log");
    let index = recovered.wal.last_index() + 100;
    let marker = Marker { index, ..first };
    let snapshot = SnapshotFile { marker: marker.clone(), data: Bytes::from_static(b"all of the state") };
    let hard_state = HardState { commit: index, ..recovered.hard_state };
    let mut ops = Vec::new();
    Snapshots::default().save(&marker, snapshot.encode(), &mut ops);
    recovered.wal.replace(&marker, &hard_state, &[], &mut ops);
    disk.run(&ops).expect("a good disk");
    let path = disk.paths().into_iter().find(|path| path.ends_with(".snap")).expect("it was saved");
    disk.damage(&path, |content| *content.last_mut().expect("it has content") ^= 1);
    for incarnation in 2..4 {
        let boot = Boot {
            id: ONE,
            config: alone::config(ONE),
            incarnation,
            first: false,
            now: Now::default(),
            armed: None,
            steps: false,
            inner: false,
        };
        let refusal = Member::start(boot, disk.clone(), &mut Effects::default()).err();
        let refusal = refusal.expect("its log has a gap");
        assert!(refusal.to_string().contains("snapshot"), "{refusal}");
        let snapshots: Vec<_> = disk.paths().into_iter().filter(|path| path.starts_with("snap/")).collect();
        assert_eq!(snapshots.iter().map(|path| &**path).collect::<Vec<_>>(), [format!("{path}.broken")]);
    }
}

#[test]
fn a_client_may_require_a_leader() {
    let peers: Vec<Peer> = MemberId::first(3)
        .map(|id| Peer {
            id,
            name: format!("m{id}").into(),
            peer_urls: [format!("http://m{id}:2380")].into(),
        })
        .collect();
    let (config, now) = (Config::new(ONE, peers.into()), Now::default());
    let boot =
        Boot { id: ONE, config, incarnation: 1, first: true, now, armed: None, steps: false, inner: false };
    let mut effects = Effects::default();
    let (mut member, _store) = Member::start(boot, TestDisk::new(), &mut effects).expect("a good disk");
    member.step(now, Input::Recovered, &mut effects);
    for require_leader in [false, true] {
        let what = Call::Api(PutRequest { key: "k".into(), ..PutRequest::default() }.into());
        let request = Box::new(Ask { what, meta: Meta { require_leader, ..Meta::default() } });
        member.step(now, Input::Call { call: u64::from(require_leader), request }, &mut effects);
    }
    // The other members are silent, so nobody leads. One client waits, the other one does not want to.
    assert_eq!(effects.answers, [(1, Err(Error::NoLeader))]);
    let create = RequestUnion::CreateRequest(WatchCreateRequest { key: "k".into(), ..Default::default() });
    let watch = Up::Watch(WatchRequest { request_union: Some(create) });
    let item = Box::new(Ask { what: watch, meta: Meta { require_leader: true, ..Meta::default() } });
    member.step(now, Input::Item { stream: 5, item }, &mut effects);
    assert!(matches!(effects.items[..], [(5, Down::Refused(Error::NoLeader))]), "{:?}", effects.items);
}

/// A node's types say what a driver must know of a store's jobs.
#[test]
fn commits_are_known_before_they_are_made() {
    let mut driver = Driver::start(None);
    driver.until(|driver| driver.store_job.is_some());
    let job = driver.store_job.as_ref().expect("it is there");
    let shape = <<Etcd as contract::Types>::Store as Store>::shape(job).expect("it is a commit");
    assert!(shape.iter().all(|writes| *writes > 0), "each sync has writes before it: {shape:?}");
    let mark = Backend::mark(job);
    assert!(mark > Some(0));
    assert_eq!((Backend::shape(&Job::Copy), Backend::mark(&Job::Replace)), (None, None));
}
