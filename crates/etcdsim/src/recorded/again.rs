//! Reads a record, and walks the member through it again: from the files that each process found, with its inputs. Each
//! step must have the effects that the record says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::{Error as Refusal, Response};
use contract::disk::DiskOp;
use contract::{End, Node as _, Types as _};
use member::Member;
use member::io::{Down, Effects, Etcd, Work};
use member::recording::{FORMAT, Line, Noted, Start, Step};
use record::{EtcdFact, MemberId, MessageHead};
use verify::history_file::FileError;

use super::disk::Found;
use crate::error::Error;
use crate::execute::{HarnessFailure, catch_panics};

/// The record of one member: its processes, one after the other.
#[derive(Debug)]
pub(crate) struct MemberRecord {
    /// The file.
    pub(crate) path: PathBuf,
    /// At least one.
    pub(crate) processes: Vec<Process>,
}

/// A process that was walked again.
#[derive(Debug)]
pub(crate) struct Process {
    /// The line of its start, from 1.
    pub(crate) line: usize,
    /// What it received.
    pub(crate) start: Start,
    /// Its steps. The first one is the start.
    pub(crate) steps: Vec<Walked>,
    /// Where the walk diverged from the record. Nothing after that was walked.
    pub(crate) parted: Option<Parted>,
}

/// A step, as it was walked.
#[derive(Debug)]
pub(crate) struct Walked {
    /// The wall clock.
    pub(crate) wall: i64,
    /// The input.
    pub(crate) input: Noted,
    /// A message that arrived: its sender, and what the trace shows of it.
    pub(crate) delivered: Option<(MemberId, MessageHead)>,
    /// For the end of a disk job: whether what it wrote is durable now.
    pub(crate) synced: bool,
    pub(crate) facts: Vec<EtcdFact>,
    pub(crate) steps: Vec<record::Step>,
    /// The messages that it sent.
    pub(crate) sent: Vec<(MemberId, MessageHead)>,
    pub(crate) answers: Vec<(u64, Result<Response, Refusal>)>,
    pub(crate) items: Vec<(u64, Down)>,
    pub(crate) end: Option<End>,
}

/// The walk and the record differ.
#[derive(Clone, Debug)]
pub(crate) struct Parted {
    /// The line of the record, from 1.
    pub(crate) line: usize,
    /// The difference.
    pub(crate) what: String,
}

/// Reads a record and walks it again.
///
/// # Errors
/// The file cannot be read, or is no record.
pub(crate) fn read(path: &Path) -> Result<MemberRecord, Error> {
    let unreadable = |error| Error::NoRecord { path: path.to_path_buf(), error };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut processes, mut walking): (Vec<Process>, Option<Walking>) = (Vec::new(), None);
    let (mut text, mut number) = (String::new(), 0);
    loop {
        text.clear();
        reader.read_line(&mut text).map_err(unreadable)?;
        // The process was killed while it wrote the last line. Ignore it: that step never took effect.
        if !text.ends_with('\n') {
            break;
        }
        number += 1;
        let mistake = |column: usize, what: String| {
            let file = path.to_string_lossy().into_owned();
            Error::in_record(FileError { file, line: number, column, what })
        };
        let line = Line::read(&text).map_err(|error| mistake(error.column(), error.to_string()))?;
        match (line, &mut walking) {
            (Line::Start(start), _) if start.format != FORMAT => {
                return Err(mistake(1, format!("the format is {FORMAT}, not {}", start.format)));
            }
            (Line::Start(start), walking) => {
                start.settings().map_err(|error| mistake(1, error.to_string()))?;
                processes.push(Process { line: number, start: *start, steps: Vec::new(), parted: None });
                *walking = Some(Walking::default());
            }
            (Line::File(file), Some(walking)) => walking.disk.add(&file.path, &file.data.0),
            (Line::Step(step), Some(walking)) => {
                if let Some(process) = processes.last_mut() {
                    walking.step(number, &step, process);
                }
            }
            (Line::File(_) | Line::Step(_), None) => {
                return Err(mistake(1, "a record begins with a start".to_string()));
            }
        }
    }
    if processes.is_empty() {
        let error = std::io::Error::other("there is no start of a process in it");
        return Err(Error::NoRecord { path: path.to_path_buf(), error });
    }
    Ok(MemberRecord { path: path.to_path_buf(), processes })
}

/// A process while it is walked.
#[derive(Default)]
struct Walking {
    disk: Arc<Found>,
    /// `None` before its start.
    member: Option<Member>,
    /// Computations under way.
    work: BTreeMap<u64, Work>,
    /// Disk jobs under way, and whether each syncs.
    jobs: BTreeMap<u64, bool>,
}

impl Walking {
    /// Walks one step, unless the walk has diverged from the record.
    fn step(&mut self, line: usize, recorded: &Step, process: &mut Process) {
        if process.parted.is_some() {
            return;
        }
        let mut effects = Effects::default();
        let walked = catch_panics(|| self.perform(&process.start, recorded, &mut effects));
        let difference = match walked {
            Err(HarnessFailure(panic)) => Some(format!("the walk ended with a panic: {panic}")),
            Ok(Err(what)) => Some(what),
            Ok(Ok(walked)) => match difference(recorded, &effects) {
                None => {
                    process.steps.push(self.after(*walked, effects));
                    None
                }
                differs => differs,
            },
        };
        process.parted = difference.map(|what| Parted { line, what });
    }

    /// Gives the member the input. Returns the step without its effects.
    fn perform(
        &mut self,
        start: &Start,
        recorded: &Step,
        effects: &mut Effects,
    ) -> Result<Box<Walked>, String> {
        let mut walked = Walked {
            wall: recorded.wall,
            input: recorded.input.clone(),
            delivered: None,
            synced: false,
            facts: Vec::new(),
            steps: Vec::new(),
            sent: Vec::new(),
            answers: Vec::new(),
            items: Vec::new(),
            end: None,
        };
        match &recorded.input {
            Noted::Start => {
                let boot = start.boot().map_err(|error| error.to_string())?;
                let disk = Arc::clone(&self.disk) as Arc<dyn contract::disk::Disk>;
                let started = Member::start(boot, disk, effects);
                let (member, _) = started.map_err(|why| format!("the member does not start: {why}"))?;
                self.member = Some(member);
            }
            Noted::StoreDone(Some(why)) => {
                // What the store found is not in the record; its only effect was that the process ended.
                effects.end = Some(End::Fatal(why.clone()));
            }
            noted => {
                let member = self.member.as_mut().ok_or("a step comes before the start")?;
                if let Noted::JobDone { job, failed } = noted {
                    walked.synced = self.jobs.remove(job).unwrap_or(false) && failed.is_none();
                }
                let input = noted.input(&mut self.work).map_err(|error| error.to_string())?;
                if let contract::Input::Message { from, message, .. } = &input {
                    walked.delivered = Some((*from, Etcd::head(message)));
                }
                member.step(recorded.now(), input, effects);
            }
        }
        Ok(Box::new(walked))
    }

    /// The step with its effects.
    fn after(&mut self, walked: Walked, effects: Effects) -> Walked {
        for job in &effects.jobs {
            self.jobs.insert(job.id, job.ops.iter().any(|op| matches!(op, DiskOp::Sync { .. })));
        }
        self.work.extend(effects.work);
        let head = |(to, message): &(MemberId, member::io::Message)| (*to, Etcd::head(message));
        Walked {
            facts: effects.facts,
            steps: effects.steps.to_vec(),
            sent: effects.messages.iter().map(head).collect(),
            answers: effects.answers,
            items: effects.items,
            end: effects.end,
            ..walked
        }
    }
}

/// What differs between a step in the record and the same step in the walk.
fn difference(recorded: &Step, effects: &Effects) -> Option<String> {
    let walked = Step::of(recorded.now(), recorded.input.clone(), effects);
    if walked == *recorded || matches!(recorded.input, Noted::StoreDone(Some(_))) {
        return None;
    }
    let of = |facts: &[String], nth: usize| facts.get(nth).map_or("nothing", String::as_str).to_string();
    let count = walked.facts.len().max(recorded.facts.len());
    let fact = (0..count).find(|nth| walked.facts.get(*nth) != recorded.facts.get(*nth));
    Some(match fact {
        Some(nth) => format!(
            "fact {} of the step is {} in the record and {} in the walk",
            nth + 1,
            of(&recorded.facts, nth),
            of(&walked.facts, nth)
        ),
        None if walked.end != recorded.end => {
            format!(
                "the process ends as {:?} in the record and as {:?} in the walk",
                recorded.end, walked.end
            )
        }
        None => {
            "the facts are the same, but messages, answers, writes or the wake-up time are not".to_string()
        }
    })
}
