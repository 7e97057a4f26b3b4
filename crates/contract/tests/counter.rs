//! A small node with everything that a node must have: a counter that answers once what it has counted is durable.
//! It brings its types and two functions.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{Display, Formatter};
use std::sync::{Arc, Mutex};

use etcdsim_contract::disk::{Disk, DiskError, DiskErrorKind, DiskJob, DiskOp, read_all};
use etcdsim_contract::{
    Boot, Effects, End, Input, NoStore, NoWork, Node, Now, Refusal, Started, Types, Watched,
};
use trace::{CallKind, Head as _, MemberId, PlainHead, Silent};

const FILE: &str = "wal/count";

/// The types of a counter.
#[derive(Clone, Debug)]
enum Counting {}

impl Types for Counting {
    type Words = Silent;
    type Config = ();
    type Message = ();
    type Request = u64;
    type Answer = u64;
    type Up = ();
    type Down = ();
    type Store = NoStore;
    type Work = NoWork;

    fn head((): &()) -> PlainHead {
        PlainHead::Message
    }
}

/// A counter. A request is a number to add, and its answer is the sum.
#[derive(Debug)]
struct Counter {
    sum: u64,
    last_job: u64,
    /// The calls that wait for their job: the job, the call, the sum.
    waiting: VecDeque<(u64, u64, u64)>,
    stopping: bool,
}

/// Why a counter does not start.
#[derive(Debug, PartialEq)]
enum Refused {
    Disk(DiskError),
    LostDisk,
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Refusal for Refused {
    fn is_lasting(&self) -> bool {
        *self == Refused::LostDisk
    }
}

impl Node for Counter {
    type Types = Counting;
    type Refusal = Refused;

    fn start(boot: Boot<Counting>, disk: Arc<dyn Disk>, _: &mut Effects<Counting>) -> Started<Counter> {
        let sums = match read_all(&*disk, FILE) {
            Ok(sums) => sums,
            Err(error) if error.kind == DiskErrorKind::NotFound && boot.first => {
                for op in [DiskOp::Create { path: FILE.into() }, DiskOp::SyncDir { path: "wal".into() }] {
                    disk.perform(&op).map_err(Refused::Disk)?;
                }
                Vec::new()
            }
            Err(error) if error.kind == DiskErrorKind::NotFound => return Err(Refused::LostDisk),
            Err(error) => return Err(Refused::Disk(error)),
        };
        // A crash may have left a part of the last sum. Nobody has heard of it.
        let sum = sums.as_chunks().0.last().map_or(0, |sum| u64::from_le_bytes(*sum));
        Ok((Counter { sum, last_job: 0, waiting: VecDeque::new(), stopping: false }, NoStore))
    }

    fn step(&mut self, _: Now, input: Input<Counting>, effects: &mut Effects<Counting>) {
        match input {
            Input::Call { call, request } => {
                self.sum += request;
                self.last_job += 1;
                let data = self.sum.to_le_bytes().to_vec().into();
                let ops =
                    vec![DiskOp::Append { path: FILE.into(), data }, DiskOp::Sync { path: FILE.into() }];
                effects.jobs.push(DiskJob { id: self.last_job, ops });
                self.waiting.push_back((self.last_job, call, self.sum));
            }
            Input::JobDone { result: Err(error), .. } => {
                effects.end = Some(End::Fatal(error.to_string()));
            }
            Input::JobDone { job, result: Ok(()) } => {
                while let Some((_, call, sum)) = self.waiting.pop_front_if(|(of, ..)| *of <= job) {
                    effects.answers.push((call, sum));
                }
            }
            Input::Stop => self.stopping = true,
            _ => {}
        }
        if self.stopping && self.waiting.is_empty() && effects.end.is_none() {
            effects.end = Some(End::Finished);
        }
    }
}

impl Watched for Counter {}

/// Files in memory, all of them durable.
#[derive(Debug, Default)]
struct Files(Mutex<BTreeMap<String, Vec<u8>>>);

fn not_found(path: &str) -> DiskError {
    DiskError { kind: DiskErrorKind::NotFound, path: path.into() }
}

impl Disk for Files {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let files = self.0.lock().expect("one thread");
        Ok(files
            .keys()
            .filter_map(|path| path.strip_prefix(dir)?.strip_prefix('/'))
            .map(String::from)
            .collect())
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        let files = self.0.lock().expect("one thread");
        files.get(path).map(|content| content.len() as u64).ok_or_else(|| not_found(path))
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let files = self.0.lock().expect("one thread");
        let content = files.get(path).ok_or_else(|| not_found(path))?;
        buffer.copy_from_slice(&content[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
        let mut files = self.0.lock().expect("one thread");
        match op {
            DiskOp::Create { path } => _ = files.insert(path.to_string(), Vec::new()),
            DiskOp::Append { path, data } => {
                files.get_mut(&**path).ok_or_else(|| not_found(path))?.extend_from_slice(data);
            }
            DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => {}
            other => panic!("a counter does not use {other:?}"),
        }
        Ok(())
    }
}

fn start(first: bool, disk: &Arc<Files>) -> Result<Counter, Refused> {
    let (id, now) = (MemberId::new(1), Now::default());
    let boot = Boot { id, config: (), incarnation: 1, first, now, armed: None, steps: false, inner: false };
    Ok(Counter::start(boot, disk.clone(), &mut Effects::default())?.0)
}

fn step(counter: &mut Counter, input: Input<Counting>) -> Effects<Counting> {
    let mut effects = Effects::default();
    counter.step(Now::default(), input, &mut effects);
    effects
}

#[test]
fn what_is_answered_is_on_the_disk() {
    let disk = Arc::new(Files::default());
    let mut counter = start(true, &disk).expect("a good disk");
    let mut jobs = Vec::new();
    for (call, request) in [(1, 5), (2, 7)] {
        let effects = step(&mut counter, Input::Call { call, request });
        assert_eq!(effects.answers, [], "nothing waits in the driver for the disk");
        jobs.extend(effects.jobs);
    }
    for op in &jobs[0].ops {
        disk.perform(op).expect("a good disk");
    }
    let effects = step(&mut counter, Input::JobDone { job: jobs[0].id, result: Ok(()) });
    assert_eq!((effects.answers, effects.end), (vec![(1, 5)], None));
    // It is killed while the second job is under way.
    assert_eq!(start(false, &disk).expect("a good disk").sum, 5);
}

#[test]
fn a_node_ends_by_itself() {
    let disk = Arc::new(Files::default());
    let mut counter = start(true, &disk).expect("a good disk");
    step(&mut counter, Input::Call { call: 1, request: 5 });
    assert_eq!(step(&mut counter, Input::Stop).end, None, "a call waits");
    let failed = DiskError { kind: DiskErrorKind::Io, path: FILE.into() };
    let effects = step(&mut counter, Input::JobDone { job: 1, result: Err(failed) });
    assert_eq!(effects.end, Some(End::Fatal("input/output error on wal/count".to_string())));
    assert_eq!(effects.wake_at, u64::MAX, "a node without timers is never woken");
}

#[test]
fn an_empty_disk_is_a_lost_disk_after_the_first_start() {
    let refused = start(false, &Arc::new(Files::default())).expect_err("its sum is lost");
    assert!(refused.is_lasting() && !refused.is_removal());
}

#[test]
fn a_small_node_has_answers_to_what_a_driver_asks() {
    let mut counter = start(true, &Arc::new(Files::default())).expect("a good disk");
    counter.arm(None);
    assert_eq!((counter.status(), counter.owes(), counter.explain()), (None, None, String::new()));
    assert!(counter.keeps().is_empty());
    assert_eq!(
        (Counting::message_bytes(&()), Counting::request_bytes(&1), Counting::answer_bytes(&1)),
        (64, 64, 64)
    );
    assert!(Counting::damaged(&(), 3).is_none());
    assert!(!Counting::wants_receipt(&()) && !Counting::wants_connections(&1));
    let kinds = [CallKind::Request, CallKind::Answer, CallKind::Up, CallKind::Down];
    let heads = kinds.map(PlainHead::of_call);
    assert!(heads.iter().all(|head| *head != Counting::head(&())));
    assert_eq!(heads.map(u16::from), [1, 2, 3, 4]);
    assert_eq!(heads[0].words(MemberId::new(3)), [3 | 1 << 32, 0, 0, 0, 0]);
}
