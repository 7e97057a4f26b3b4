//! Checks the proof in a report with nothing but the model. It shares no code with the engines.
//!
//! # Orders
//!
//! An order ([`linearization`]) is right if
//!
//! * it contains every answered operation once and no failed one,
//! * no operation comes after one that was called after its return,
//! * the model, run through the operations in this order, gives the same answers.
//!
//! # Conflicts
//!
//! A conflict ([`conflict`]) is a set S of operations of one component. Treat every operation outside S as one
//! of unknown outcome: it may take effect at any time after its call, or never, and its answer is forgotten. S
//! is a conflict if that history has no order.
//!
//! Then the whole history has no order either. An order of the whole history would also be an order of that
//! history: it contains every answered operation of S, has the same effects in the same sequence, and puts each
//! operation outside S after its call. (Failed operations, and reads outside S, may be left out, because they
//! change nothing.)
//!
//! In a container, an operation outside S keeps its answer: it may have taken effect with that answer at any
//! time after its call, or never. The argument stays the same.
//!
//! # Operations that cannot help
//!
//! Most operations outside S cannot help to find an order for S, and are left out:
//!
//! * Those called after all of S has returned, because no operation of S comes after them.
//! * In a register: those that do not set a value that is looked for by S or by another operation that is kept.
//!   (If an operation of S saw that a value was not there, all writes are kept.) Of several that do the same,
//!   as many are kept as S has operations, those called first. Between two operations of S none has to happen
//!   twice, because only the last value matters, and one with an earlier call can stand in for one with a later
//!   call.
//! * Appends that cannot lead to a value that is looked for. After such an append no such value comes before the
//!   next write.
//! * In a container: those on elements that S does not mention. If all operations on other elements are left
//!   out of an order, the rest is still an order. Of takes of unknown outcome, as many are kept as elements
//!   that S mentions were put in, those called first.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::history::{History, Outcome};
use crate::model::{ContainerOp, Model, RegisterOp, changes_nothing, is_register};
use crate::order::sort_by_key;
use crate::report::Witness;

/// Why evidence does not support its verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrongVerdict {
    /// There must be one order for each component.
    #[error("the evidence does not have one order for each component")]
    Components,
    /// The operation is not part of this component, or is named twice, or failed.
    #[error("operation {0} does not belong there, is named twice, or failed")]
    Foreign(u32),
    /// The operation was answered but is not in the order.
    #[error("operation {0} was answered but is not in the order")]
    Missing(u32),
    /// The order puts the first operation before the second, which returned before the first was called.
    #[error("operation {0} is put before operation {1}, which returned before {0} was called")]
    RealTime(u32, u32),
    /// In this order the model does not give the operation its answer.
    #[error("in this order the model does not give operation {0} its answer")]
    Answer(u32),
    /// The operations have an order, so they are no conflict.
    #[error("the operations have an order, so they are no conflict")]
    Orderable,
    /// There are too many configurations to try them all, so nothing is known.
    #[error("there are too many configurations to check the conflict")]
    TooLarge,
}

/// Checks the order of every component.
///
/// # Errors
///
/// What is wrong with the first wrong order.
pub fn linearization<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    witness: &Witness,
) -> Result<(), WrongVerdict> {
    let members = model.partition(history).members();
    if members.len() != witness.components.len() {
        return Err(WrongVerdict::Components);
    }
    for (component, linearization) in witness.components.iter().enumerate() {
        in_order(model, history, members.of(component), &linearization.order)?;
    }
    Ok(())
}

/// Checks the order of one component.
fn in_order<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    members: &[u32],
    order: &[u32],
) -> Result<(), WrongVerdict> {
    let mut left: HashSet<u32> =
        members.iter().copied().filter(|&index| !history.operation(index).failed()).collect();
    let mut state = model.initial();
    // The latest call so far, and its operation.
    let mut latest = (0, 0);
    for &index in order {
        if !left.remove(&index) {
            return Err(WrongVerdict::Foreign(index));
        }
        let operation = history.operation(index);
        if operation.returned().is_some_and(|at| at < latest.0) {
            return Err(WrongVerdict::RealTime(latest.1, index));
        }
        latest = latest.max((operation.call, index));
        if !model.apply(&mut state, &operation.input, operation.output()) {
            return Err(WrongVerdict::Answer(index));
        }
    }
    let missing = left.into_iter().filter(|&index| history.operation(index).output().is_some()).min();
    missing.map_or(Ok(()), |index| Err(WrongVerdict::Missing(index)))
}

/// How many configurations [`conflict`] looks at before it gives up.
const CONFIGURATIONS_MAX: usize = 200_000;

/// How many bytes the configurations may take together.
const BYTES_MAX: usize = 32 << 20;

/// How many bytes the steps of [`conflict`] may read in all.
const WORK_MAX: usize = 200_000_000;

/// A step of the model counts as this many bytes, in addition to those of its state.
const STEP: usize = 16;

/// Checks that these operations are a conflict, as defined above.
///
/// # Errors
///
/// Why they are not; [`WrongVerdict::TooLarge`] if that would take too long to find out.
pub fn conflict<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    operations: &[u32],
) -> Result<(), WrongVerdict> {
    let members = model.partition(history).members();
    let component = (0..members.len()).map(|component| members.of(component));
    let first = *operations.first().ok_or(WrongVerdict::Orderable)?;
    let members =
        component.into_iter().find(|members| members.contains(&first)).ok_or(WrongVerdict::Foreign(first))?;
    let mut left: HashSet<u32> =
        members.iter().copied().filter(|&index| !history.operation(index).failed()).collect();
    if let Some(&foreign) = operations.iter().find(|&index| !left.remove(index)) {
        return Err(WrongVerdict::Foreign(foreign));
    }
    let supporting = supporting(model, history, members, operations);
    let kept = operations.iter().map(|&index| {
        let operation = history.operation(index);
        Piece {
            input: &operation.input,
            output: operation.output(),
            call: operation.call,
            returned: operation.returned(),
        }
    });
    let forgotten = supporting.iter().map(|&index| {
        let operation = history.operation(index);
        let output = operation.output().filter(|_| model.container().is_some());
        Piece { input: &operation.input, output, call: operation.call, returned: None }
    });
    no_order(model, &kept.chain(forgotten).collect::<Vec<_>>())
}

/// An operation of the history in which those outside a conflict are forgotten.
struct Piece<'h, M: Model> {
    input: &'h M::Input,
    output: Option<&'h M::Output>,
    /// When it was called.
    call: u64,
    /// When it returned; `None` if it need not take effect.
    returned: Option<u64>,
}

/// Tries all orders of the pieces. The error is that there is an order, or that there are too many to try.
fn no_order<M: Model>(model: &M, pieces: &[Piece<'_, M>]) -> Result<(), WrongVerdict> {
    let mut seen = HashSet::new();
    let (mut bytes, mut work) = (0, 0);
    // The configurations still to try: a bit for each piece that has taken effect, and the state.
    let mut open = vec![(vec![0_u64; pieces.len().div_ceil(64)], model.initial())];
    while let Some((done, state)) = open.pop() {
        let is_done = |at: usize| done[at / 64] >> (at % 64) & 1 == 1;
        let left = || (0..pieces.len()).filter(|&at| !is_done(at));
        // The next piece must have been called before any piece that is left had returned.
        let Some(until) = left().filter_map(|at| pieces[at].returned).min() else {
            return Err(WrongVerdict::Orderable);
        };
        let size = model.owned_bytes(&state);
        work += left().count() * (STEP + size);
        if seen.len() > CONFIGURATIONS_MAX || bytes > BYTES_MAX || work > WORK_MAX {
            return Err(WrongVerdict::TooLarge);
        }
        let steps = left().filter(|&at| pieces[at].call <= until).filter_map(|at| {
            let after = model.step(&state, pieces[at].input, pieces[at].output)?;
            // A piece that need not take effect is pointless where it changes nothing.
            (pieces[at].returned.is_some() || after != state).then_some((at, after))
        });
        let mut steps: Vec<(usize, M::State)> = steps.collect();
        // A read that is right changes nothing, so taking it at once loses no order.
        let reads = |&(at, _): &(usize, M::State)| model.is_read(pieces[at].input, pieces[at].output);
        if let Some(read) = steps.iter().position(reads) {
            steps = vec![steps.swap_remove(read)];
        }
        for (at, after) in steps {
            let mut done = done.clone();
            done[at / 64] |= 1 << (at % 64);
            if seen.insert((done.clone(), after.clone())) {
                bytes += 2 * (size_of_val(done.as_slice()) + size_of::<M::State>() + size);
                open.push((done, after));
            }
        }
    }
    Ok(())
}

/// The operations outside `operations` that could matter to them. The head of this file says which.
pub(crate) fn supporting<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    members: &[u32],
    operations: &[u32],
) -> Vec<u32> {
    let mut inside = operations.to_vec();
    inside.sort_unstable();
    let end = operations.iter().filter_map(|&index| history.operation(index).returned()).max().unwrap_or(0);
    let mut outside = members.to_vec();
    outside.retain(|&index| {
        let operation = history.operation(index);
        operation.call <= end
            && inside.binary_search(&index).is_err()
            && !operation.failed()
            && !changes_nothing(model, &operation.input, None)
            && !operation
                .output()
                .is_some_and(|output| changes_nothing(model, &operation.input, Some(output)))
    });
    sort_by_key(&mut outside, &|index| (history.operation(index).call, 0));
    if let Some(outside) = of_container(model, history, operations, &outside) {
        return outside;
    }
    if !is_register(model, history, members) {
        return outside;
    }
    of_register(model, history, operations, &outside).unwrap_or(outside)
}

/// For a container: the operations of `outside` that put in or take out elements that the conflict mentions,
/// and as many takes of unknown outcome as such elements were put in.
fn of_container<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    operations: &[u32],
    outside: &[u32],
) -> Option<Vec<u32>> {
    model.container()?;
    let seen = |index: u32| {
        let operation = history.operation(index);
        model.as_container(&operation.input, operation.output())
    };
    let mut mentioned: HashSet<M::Value> = HashSet::new();
    let mut puts = 0;
    for &index in operations {
        match seen(index)? {
            ContainerOp::Insert(value) => {
                puts += 1;
                mentioned.insert(value.into_owned());
            }
            ContainerOp::Take(value)
            | ContainerOp::Remove(value)
            | ContainerOp::Present(value)
            | ContainerOp::Absent(value) => {
                mentioned.insert(value.into_owned());
            }
            ContainerOp::Elements(values) => {
                mentioned.extend(values.into_iter().map(|value| value.into_owned()))
            }
            ContainerOp::TakeAny | ContainerOp::TakeNothing | ContainerOp::Nothing => {}
        }
    }
    let mut kept = Vec::new();
    let mut takers = Vec::new();
    for &index in outside {
        match seen(index)? {
            ContainerOp::Insert(value) if mentioned.contains(value.as_ref()) => {
                puts += 1;
                kept.push(index);
            }
            ContainerOp::Take(value) | ContainerOp::Remove(value) if mentioned.contains(value.as_ref()) => {
                kept.push(index);
            }
            ContainerOp::TakeAny => takers.push(index),
            _ => {}
        }
    }
    kept.extend(takers.into_iter().take(puts));
    sort_by_key(&mut kept, &|index| (history.operation(index).call, 0));
    Some(kept)
}

/// For a register: the operations of `outside` that can set a value that is looked for, the first few of each
/// kind.
fn of_register<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    operations: &[u32],
    outside: &[u32],
) -> Option<Vec<u32>> {
    model.register_start()?;
    let mut looked_for: HashSet<M::Value> = HashSet::new();
    // Whether some operation saw that a value was not there.
    let mut saw_absence = false;
    let mut appends = Vec::new();
    for &index in operations {
        let operation = history.operation(index);
        match (model.as_register(&operation.input, operation.output())?, &operation.outcome) {
            (RegisterOp::Append, _) => appends.push(index),
            (RegisterOp::Read(value), Outcome::Answered { .. }) => {
                looked_for.insert(value.into_owned());
            }
            (RegisterOp::Cas { expected, succeeded, .. }, _) => {
                saw_absence |= succeeded == Some(false);
                looked_for.insert(expected.into_owned());
            }
            _ => {}
        }
    }
    // The value that a needed compare-and-set expects is looked for as well, so this repeats until no value is
    // added. Mostly one round is enough.
    let mut needed = vec![saw_absence; outside.len()];
    for &index in outside {
        if matches!(model.as_register(&history.operation(index).input, None)?, RegisterOp::Append) {
            appends.push(index);
        }
    }
    // The appends that can lead to a value that is looked for.
    let mut leading: HashSet<u32> = HashSet::new();
    // The values from which each append has been taken back, to find the value that it was made to.
    let mut retracted: HashSet<M::Value> = HashSet::new();
    let mut left = RETRACTIONS_MAX;
    loop {
        let known = looked_for.len();
        let mut open: Vec<M::Value> = match appends.is_empty() {
            true => Vec::new(),
            false => looked_for.difference(&retracted).cloned().collect(),
        };
        while let Some(value) = open.pop() {
            left = left.checked_sub(appends.len())?;
            for &index in &appends {
                let Some(before) = model.retract(&value, &history.operation(index).input) else { continue };
                leading.insert(index);
                if looked_for.insert(before.clone()) {
                    open.push(before);
                }
            }
            retracted.insert(value);
        }
        for (&index, needed) in outside.iter().zip(&mut needed) {
            match model.as_register(&history.operation(index).input, None)? {
                RegisterOp::Append => *needed |= leading.contains(&index),
                RegisterOp::Write(value) if !*needed => *needed = looked_for.contains(value.as_ref()),
                RegisterOp::Cas { expected, new, .. } if saw_absence || !*needed => {
                    *needed |= looked_for.contains(new.as_ref());
                    if looked_for.contains(new.as_ref()) && !looked_for.contains(expected.as_ref()) {
                        looked_for.insert(expected.into_owned());
                    }
                }
                _ => {}
            }
        }
        if looked_for.len() == known {
            break;
        }
    }
    let mut writers = Vec::new();
    let mut kept = Vec::new();
    for (&index, _) in outside.iter().zip(needed).filter(|(_, needed)| *needed) {
        match model.as_register(&history.operation(index).input, None)? {
            RegisterOp::Write(value) => writers.push((index, None, value.into_owned())),
            RegisterOp::Cas { expected, new, .. } => {
                writers.push((index, Some(expected.into_owned()), new.into_owned()));
            }
            // Several may have to happen one after the other.
            RegisterOp::Append => kept.push(index),
            _ => {}
        }
    }
    kept.append(&mut first_few(&mut writers.into_iter(), operations.len(), &looked_for));
    sort_by_key(&mut kept, &|index| (history.operation(index).call, index));
    Some(kept)
}

/// How often [`of_register`] may take an append back from a value. If that is not enough, everything outside the
/// conflict is kept.
const RETRACTIONS_MAX: usize = 4_000_000;

/// Of writers that do the same, the first `few`. All values that no operation looks for count as the same
/// value.
fn first_few<V: Hash + Eq>(
    writers: &mut impl Iterator<Item = (u32, Option<V>, V)>,
    few: usize,
    looked_for: &HashSet<V>,
) -> Vec<u32> {
    let mut count: HashMap<(Option<V>, Option<V>), usize> = HashMap::new();
    let mut kept = Vec::new();
    for (index, expected, new) in writers {
        let new = looked_for.contains(&new).then_some(new);
        let same = count.entry((expected, new)).or_insert(0);
        *same += 1;
        if *same <= few {
            kept.push(index);
        }
    }
    kept
}
