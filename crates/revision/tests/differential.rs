//! The check against all orders: small histories, and what becomes of them when somebody lies.

use linear::{History as Plain, Model, Outcome};
use revision::generate::{Shape, generate};
use revision::{Change, Evidence, History, Kind, Operation, Seen, UNKNOWN, Verdict, check, validate};

/// The store as a sequential specification, which may contradict no evidence.
struct Store {
    base: u32,
    evidence: Vec<Change>,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Operation(Operation),
    /// At the end: everything that was shown has happened.
    End,
}

type Answer = (u32, bool, Seen);

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    revision: u32,
    /// What the keys held at each revision, from the base on.
    past: Vec<[Seen; 4]>,
}

impl Model for Store {
    type Input = Ask;
    type Output = Answer;
    type State = State;
    type Value = ();

    fn initial(&self) -> State {
        State { revision: self.base, past: vec![[Seen::ABSENT; 4]] }
    }

    fn step(&self, state: &State, input: &Ask, output: Option<&Answer>) -> Option<State> {
        let Ask::Operation(operation) = input else {
            let shown = self.evidence.last().map_or(0, |change| change.revision);
            return (state.revision >= shown).then(|| state.clone());
        };
        if operation.kind == Kind::GetSerializable {
            // Some member's state: of any revision that there was by then.
            let Some((revision, false, shows)) = output else {
                return output.is_none().then(|| state.clone());
            };
            let then = revision.checked_sub(self.base).and_then(|at| state.past.get(at as usize));
            return then.filter(|keys| keys[operation.key as usize] == *shows).map(|_| state.clone());
        }
        let mut state = state.clone();
        let mut keys = *state.past.last().expect("the first state is there");
        let holds = keys[operation.key as usize];
        let (value, changed, shows) = match operation.kind {
            Kind::Get | Kind::GetSerializable => (None, false, holds),
            Kind::Put => (Some(operation.value), true, Seen::ABSENT),
            Kind::Delete => (None, holds.version > 0, Seen::ABSENT),
            Kind::Update if holds.modified == operation.expected => {
                (Some(operation.value), true, Seen::ABSENT)
            }
            Kind::Update => (None, false, holds),
        };
        if changed {
            state.revision += 1;
            let change = Change { revision: state.revision, key: operation.key, value };
            let shown = self.evidence.iter().find(|shown| shown.revision == state.revision);
            if shown.is_some_and(|shown| *shown != change) {
                return None;
            }
            let created = if holds.version == 0 { state.revision } else { holds.created };
            keys[operation.key as usize] = value
                .map_or(Seen::ABSENT, |value| Seen::new(value, state.revision, created, holds.version + 1));
            state.past.push(keys);
        }
        (output.is_none_or(|output| *output == (state.revision, changed, shows))).then_some(state)
    }
}

/// Whether some order explains everything.
fn by_brute_force(history: &History, evidence: &Evidence) -> bool {
    let mut plain = Plain::new();
    for (client, operation) in (0..).zip(history.operations()) {
        let outcome = match operation.ret {
            UNKNOWN => Outcome::Unknown,
            at => Outcome::Answered { output: (operation.revision, operation.changed, operation.seen), at },
        };
        plain.push(linear::Operation {
            client,
            input: Ask::Operation(*operation),
            call: operation.call,
            outcome,
        });
    }
    let (call, at) = (u64::MAX - 2, u64::MAX - 1);
    let outcome = Outcome::Answered { output: (0, false, Seen::ABSENT), at };
    plain.push(linear::Operation { client: u32::MAX, input: Ask::End, call, outcome });
    let store = Store { base: history.base(), evidence: evidence.changes().to_vec() };
    linear::brute::linearizable(&store, &plain)
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

/// Makes reads of some member's own state of some reads, which may be behind.
fn serializable(history: &History, evidence: &Evidence, random: &mut Random) -> History {
    let mut made = History::new(history.base());
    for operation in history.operations() {
        let mut operation = *operation;
        if operation.kind == Kind::Get && operation.ret != UNKNOWN && random.below(4) == 0 {
            let behind = operation.revision.saturating_sub(random.below(3) as u32).max(history.base());
            (operation.kind, operation.revision) = (Kind::GetSerializable, behind);
            operation.seen = held(evidence, operation.key, behind);
        }
        made.push(operation);
    }
    made
}

/// What a key held at a revision.
fn held(evidence: &Evidence, key: u32, revision: u32) -> Seen {
    let changes = evidence.changes().iter().filter(|change| change.key == key && change.revision <= revision);
    changes.fold(Seen::ABSENT, |holds, change| match change.value {
        None => Seen::ABSENT,
        Some(value) if holds.version == 0 => Seen::new(value, change.revision, change.revision, 1),
        Some(value) => Seen::new(value, change.revision, holds.created, holds.version + 1),
    })
}

/// One lie, or what a client or a watch did not see.
fn mutate(history: &History, evidence: &Evidence, random: &mut Random) -> (History, Evidence) {
    let mut operations = history.operations().to_vec();
    let mut changes = evidence.changes().to_vec();
    let at = random.below(operations.len());
    let other = random.below(operations.len());
    let up = random.below(2) == 0;
    let nudge = |number: &mut u32| *number = if up { *number + 1 } else { number.saturating_sub(1) };
    match random.below(12) {
        0 => nudge(&mut operations[at].revision),
        1 => nudge(&mut operations[at].seen.modified),
        2 => nudge(&mut operations[at].seen.version),
        3 => operations[at].seen = operations[other].seen,
        4 => {
            let revision = operations[other].revision;
            operations[other].revision = operations[at].revision;
            operations[at].revision = revision;
        }
        5 => operations[at].changed = operations[at].is_write() && !operations[at].changed,
        6 if operations[at].ret != UNKNOWN => {
            let shift = random.below(6) as u64;
            operations[at].ret = operations[at].ret.saturating_sub(shift).max(operations[at].call);
        }
        7 if operations[at].ret != UNKNOWN => {
            operations[at].call = (operations[at].call + random.below(6) as u64).min(operations[at].ret);
        }
        8 => {
            operations[at].ret = UNKNOWN;
            (operations[at].seen, operations[at].revision) = (Seen::ABSENT, 0);
        }
        9 => drop(operations.remove(at)),
        10 if !changes.is_empty() => drop(changes.remove(random.below(changes.len()))),
        11 => operations[at].key = random.below(2) as u32,
        _ => {}
    }
    let mut lie = History::new(history.base());
    for operation in operations {
        // These answers show nothing.
        let is_blank = matches!(operation.kind, Kind::Put | Kind::Delete) || operation.changed;
        lie.push(if is_blank { Operation { seen: Seen::ABSENT, ..operation } } else { operation });
    }
    (lie, Evidence::from(changes))
}

#[test]
fn small_histories_and_lies() {
    let count =
        std::env::var("REVISION_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(60_000);
    let mut random = Random(7);
    let (mut good, mut bad, mut undecided) = (0, 0, 0);
    for seed in 0..count {
        let shape = Shape {
            clients: 1 + random.below(4) as u32,
            keys: 1 + random.below(2) as u32,
            operations: 2 + random.below(6) as u32,
            unknown: [0, 200, 400][random.below(3)],
            stale: random.below(4) == 0,
            seed,
        };
        let (history, mut evidence) = generate(&shape);
        let mut history = serializable(&history, &evidence, &mut random);
        for _ in 0..random.below(3) {
            if !history.operations().is_empty() {
                (history, evidence) = mutate(&history, &evidence, &mut random);
            }
        }
        let verdict = check(&history, &evidence);
        let told = || format!("seed {seed}: {verdict:?}\n{evidence:?}\n{:#?}", history.operations());
        match &verdict {
            Verdict::Linearizable(witness) => {
                good += 1;
                assert!(by_brute_force(&history, &evidence), "{}", told());
                validate::order(&history, witness).unwrap_or_else(|why| panic!("{why}\n{}", told()));
            }
            Verdict::Violation(violation) => {
                bad += 1;
                assert!(!by_brute_force(&history, &evidence), "{}", told());
                validate::violation(&history, &evidence, violation)
                    .unwrap_or_else(|why| panic!("{why}\n{}", told()));
            }
            Verdict::Undecided(_) => undecided += 1,
        }
    }
    println!("{good} linearizable, {bad} not, {undecided} undecided");
    assert!(good > count / 3 && bad > count / 10 && undecided < count / 4);
}
