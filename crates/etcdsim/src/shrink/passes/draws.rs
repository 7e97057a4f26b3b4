//! Leaves out faults and operations in a run with other draws.
//!
//! A failure may depend on a coincidence, such as a packet that is just late enough, and then nothing can be left out
//! without losing it. With other draws the smaller plan may meet another coincidence. The plan then has another seed.

use plan::{Plan, PlannedOperation};
use schedule::choice::Value;
use schedule::field::Form;
use schedule::units::Unit;

use super::faults::FAULTS;
use super::operations::OPERATIONS;
use super::pairs::without;
use crate::shrink::trial::Trial;
use crate::shrink::usual;

/// The plan with its settings that are counts, and its distances from the newest revision, scaled to `part` of `of`:
/// with half as many operations, a snapshot must come after half as many entries.
fn with_fewer(plan: &Plan, part: usize, of: usize) -> Plan {
    let fewer =
        usual::deviations(plan).into_iter().filter_map(|deviation| match (deviation.value, deviation.form) {
            (Value::Number(number), Form::Number { unit: Unit::Count, low, .. }) => {
                let number = (number * part as i128).div_euclid(of.max(1) as i128).max(low.max(1));
                Some((deviation.at, Value::Number(number)))
            }
            _ => None,
        });
    let mut plan = usual::with(plan, &fewer.collect::<Vec<_>>());
    for operation in plan.clients.iter_mut().flat_map(|client| &mut client.operations) {
        if let Some(nearer) = nearer(operation, part, of) {
            *operation = nearer;
        }
    }
    plan
}

/// The operation with its distances from the newest revision, such as `@-14`, scaled to `part` of `of`. `None` if it
/// has none.
fn nearer(operation: &PlannedOperation, part: usize, of: usize) -> Option<PlannedOperation> {
    let text = operation.to_string();
    let word = |word: &str| {
        let (before, distance) = word.rsplit_once('-')?;
        let distance: usize = distance.parse().ok().filter(|_| matches!(before, "" | "@" | "from=seen"))?;
        Some(format!("{before}-{}", (distance * part / of.max(1)).max(1)))
    };
    let words: Vec<String> =
        text.split(' ').map(|text| word(text).unwrap_or_else(|| text.to_string())).collect();
    words.join(" ").parse().ok().filter(|nearer| nearer != operation)
}

/// How many other seeds each candidate gets; our choice.
pub(super) const SEEDS: usize = 6;
/// How many times fewer pieces there are than in other passes, as each is run with several seeds; our choice.
const FEWER: usize = 4;
/// The most pieces; our choice.
const PIECES_MAX: usize = 48;
/// With at most this many faults and operations, none are left out with other draws; our choice.
const SMALL_ENOUGH: usize = 2;

pub(super) fn draws(trial: &mut Trial<'_>) {
    let total = |trial: &Trial<'_>| {
        let (faults, operations) = ((FAULTS.count)(trial.best()), (OPERATIONS.count)(trial.best()));
        (faults, faults + operations)
    };
    let mut piece = total(trial).1.div_ceil(2);
    while piece > 0 && !trial.over() {
        let (faults, count) = total(trial);
        if count <= SMALL_ENOUGH {
            return;
        }
        let pieces = count.div_ceil(piece);
        if pieces > PIECES_MAX.min(trial.pieces_max() / FEWER) {
            return;
        }
        let found = trial.first(pieces * SEEDS, &|plan, nth| {
            let from = nth / SEEDS * piece;
            let mut plan = without(plan, faults, &|number| (from..from + piece).contains(&number));
            plan.seed = plan.seed.wrapping_add(1 + (nth % SEEDS) as u64);
            Some(if nth % 2 == 0 { plan } else { with_fewer(&plan, count - piece.min(count), count) })
        });
        if found.is_none() {
            if piece == 1 {
                return;
            }
            piece = piece.div_ceil(2);
        }
    }
}
