//! A register instead of etcd: three replicas, read and written by majorities (Attiya, Bar-Noy, Dolev 1995). With the
//! flaw early-ack a replica acknowledges before it has synced, and the checker finds that.
use std::collections::{BTreeMap, BTreeSet};

use etcdsim_world::{self as world, prelude::*};
use linear::models::register::{Input as Op, Output, Register as Model};
use linear::{Budget, History, Operation, Outcome, check};

const FILE: &str = "wal/register";
const RESEND: Nanos = 100_000_000;
const SCENARIO: &str = r#"
title = "Majorities lose power, replicas are cut off, clocks are wrong"
workload = { clients = 3, every = "100ms" }
disk = { sync = { from = "5ms", to = "50ms" } }
run = { chaos = "20s", settle = "20s" }
fault = [
  { kind = "power-loss", target = "majority", every = "500ms..2s", for = "200ms" },
  { kind = "isolate", target = "random", every = "1s..3s", for = "500ms" },
  { kind = "clock-rate", target = "random", rate = "50%..200%", every = "1s..3s", for = "1s" },
]"#;

/// Count, writer (member and start), value: the greater one is newer.
type Version = (u64, u64, u64);
/// The call that it is about, and what it says.
type Message = (u64, Says);
type Out = Effects<Register>;

#[derive(Clone, Copy, Debug)]
enum Says {
    Ask,
    Is(Version),
    Store(Version),
    Stored,
}

/// A call under way, at the replica that was asked: operation, newest version, who answered, what is asked now.
struct Round(Op<u64>, Version, BTreeSet<MemberId>, Says);

struct Replica {
    /// How many replicas there are, and whether this one acknowledges early.
    config: (u32, bool),
    writer: u64,
    held: Version,
    /// The last disk job, and the last one that is done: `held` is on disk if they are equal.
    jobs: (u64, u64),
    /// Acknowledgements that wait for a job.
    owed: Vec<(u64, MemberId, Message)>,
    rounds: BTreeMap<u64, Round>,
    again: Nanos,
}

fn save(version: Version) -> [DiskOp; 2] {
    let data = [version.0, version.1, version.2].iter().flat_map(|word| word.to_le_bytes()).collect();
    [DiskOp::WriteAt { path: FILE.into(), offset: 0, data }, DiskOp::Sync { path: FILE.into() }]
}

impl Node for Replica {
    type Types = Register;
    type Refusal = DiskError;

    fn start(boot: Boot<Register>, disk: Arc<dyn Disk>, effects: &mut Out) -> Started<Replica> {
        let mut bytes = [0; 24];
        if boot.first {
            _ = disk.perform(&DiskOp::Create { path: FILE.into() }); // it exists if a first start was cut short
            let ops = save((0, 0, 0)).into_iter().chain([DiskOp::SyncDir { path: "wal".into() }]);
            ops.into_iter().try_for_each(|op| disk.perform(&op))?;
        } else {
            disk.read(FILE, 0, &mut bytes)?;
        }
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let held = (word(0), word(8), word(16));
        let writer = boot.id.raft_id() << 32 | u64::from(boot.incarnation);
        let (owed, rounds, again) = (Vec::new(), BTreeMap::new(), boot.now.clock + RESEND);
        effects.wake_at = again;
        Ok((Replica { config: boot.config, writer, held, jobs: (0, 0), owed, rounds, again }, NoStore))
    }

    fn step(&mut self, now: Now, input: Input<Register>, effects: &mut Out) {
        match input {
            Input::Call { call, request } => {
                self.rounds.insert(call, Round(request, (0, 0, 0), BTreeSet::new(), Says::Ask));
                self.ask(call, effects);
            }
            Input::Message { from, message, .. } => self.hear(from, message, effects),
            Input::JobDone { job, result: Ok(()) } => {
                self.jobs.1 = job;
                let due = self.owed.extract_if(.., |(after, ..)| *after <= job);
                effects.messages.extend(due.map(|(_, to, message)| (to, message)));
            }
            Input::Stop => effects.end = Some(End::Finished),
            _ => {}
        }
        if now.clock >= self.again {
            self.again = now.clock + RESEND;
            self.rounds.keys().for_each(|id| self.ask(*id, effects));
        }
        effects.wake_at = self.again;
    }
}

impl Replica {
    /// Asks all replicas, itself too, for what a round needs next.
    fn ask(&self, id: u64, effects: &mut Out) {
        let says = self.rounds[&id].3;
        effects.messages.extend(MemberId::first(self.config.0).map(|to| (to, (id, says))));
    }

    fn hear(&mut self, from: MemberId, (id, says): Message, effects: &mut Out) {
        let majority = self.config.0 as usize / 2 + 1;
        match (says, self.rounds.get_mut(&id)) {
            (Says::Ask, _) => effects.messages.push((from, (id, Says::Is(self.held)))),
            (Says::Store(version), _) => {
                if version > self.held {
                    self.held = version;
                    self.jobs.0 += 1;
                    effects.jobs.push(DiskJob { id: self.jobs.0, ops: save(version).into() });
                }
                if self.config.1 || self.jobs.0 == self.jobs.1 {
                    effects.messages.push((from, (id, Says::Stored)));
                } else {
                    self.owed.push((self.jobs.0, from, (id, Says::Stored)));
                }
            }
            (Says::Is(version), Some(Round(op, best, heard, phase @ Says::Ask))) => {
                *best = version.max(*best);
                heard.insert(from);
                if heard.len() >= majority {
                    if let Op::Write(value) = op {
                        *best = (best.0 + 1, self.writer, *value);
                    }
                    // A read stores as well, so that no later read sees an older version.
                    (*phase, *heard) = (Says::Store(*best), BTreeSet::new());
                    self.ask(id, effects);
                }
            }
            (Says::Stored, Some(Round(op, best, heard, Says::Store(_)))) => {
                heard.insert(from);
                if heard.len() >= majority {
                    let answer = if *op == Op::Read { Output::Value(best.2) } else { Output::Written };
                    effects.answers.push((id, answer));
                    self.rounds.remove(&id);
                }
            }
            _ => {} // from a round that is over or in its next phase
        }
    }
}

impl Watched for Replica {}

struct Registers;
type Register = Plain<Registers>;

impl Simple for Registers {
    type Node = Replica;
    type Config = (u32, bool);
    type Message = Message;
    type Request = Op<u64>;
    type Answer = Output<u64>;

    fn config(plan: &Plan<Register>, member: MemberId) -> (u32, bool) {
        (plan.cluster.members, plan.has_flaw("early-ack", member))
    }

    fn operation(client: u32, turn: Turn) -> Op<u64> {
        let value = u64::from(client + 1) << 32 | (turn.nth + 1); // no value twice
        if turn.draw.happens(Ratio::percent(50)) { Op::Read } else { Op::Write(value) }
    }

    fn print(op: &Op<u64>) -> String {
        if let Op::Write(value) = op { format!("write {value}") } else { "read".into() }
    }

    fn parse(text: &str) -> Option<Op<u64>> {
        text.strip_prefix("write ").map_or(Some(Op::Read), |value| value.parse().ok().map(Op::Write))
    }
}

/// Runs a seed, and again from its saved plan; whether the history is linearizable.
fn holds(seed: u64, flaw: Option<&str>) -> bool {
    let scenario = Scenario::<Register>::parse("register", SCENARIO).expect("it is right");
    let plan = scenario.expand(seed).with_flaws(flaw);
    let saved = Plan::<Register>::parse("saved", &plan.to_toml()).expect("a plan reads back");
    let (run, loops) = world::run(&plan, Loops::<Register>::new(&plan), &mut (), Options::default());
    let (again, _) = world::run(&saved, Loops::<Register>::new(&saved), &mut (), Options::default());
    assert_eq!(run.trace_hash, again.trace_hash, "seed {seed} is not deterministic");
    assert!(run.unsettled.is_empty(), "seed {seed}: {:?}", run.unsettled);
    let mut history = History::new();
    for Call { client, at: call, request: input, answer, .. } in loops.into_calls() {
        let outcome = answer.map_or(Outcome::Unknown, |(at, output)| Outcome::Answered { output, at });
        history.push(Operation { client, input, call, outcome }).expect("all times are of one clock");
    }
    check(&Model { initial: 0 }, &history, &Budget::default()).verdict.is_linearizable()
}

fn main() {
    assert!((0..200).all(|seed| holds(seed, None)), "the register is wrong");
    let found = (0..10).find(|seed| !holds(*seed, Some("early-ack"))).expect("the flaw is found");
    println!("200 seeds held; with the flaw, seed {found} does not");
}
