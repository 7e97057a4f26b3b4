//! Puts settings back to their defaults: all at once, then by delta debugging. Those that must differ become small or
//! round.

use plan::{Plan, Spread};
use schedule::choice::Value;
use schedule::field::Form;
use schedule::units::Unit;

use super::calm::constant;
use crate::shrink::pieces::{Things, drop_pieces};
use crate::shrink::trial::Trial;
use crate::shrink::usual::{self, At, Deviation};

/// The settings that differ from their defaults and can be put back.
const SETTINGS: Things = Things {
    count: |plan| back(plan).len(),
    retain: |plan, keep| {
        let back = back(plan).into_iter().enumerate().filter(|(number, _)| !keep(*number));
        let values: Vec<(At, Value)> = back.map(|(_, setting)| setting).collect();
        *plan = usual::with(plan, &values);
    },
};

pub(super) fn settings(trial: &mut Trial<'_>) {
    drop_pieces(trial, &SETTINGS);
    let healed = Plan { phases: plan::Phases { core: None, ..trial.best().phases }, ..trial.best().clone() };
    trial.accepts(healed);
    let count = usual::deviations(trial.best()).len();
    for nth in 0..count {
        // Other values do not renumber the deviations, so the numbers stay valid.
        let simpler = usual::deviations(trial.best()).get(nth).map_or(Vec::new(), simpler);
        trial.first(simpler.len(), &|plan, candidate| {
            let at = usual::deviations(plan)[nth].at;
            Some(usual::with(plan, &[(at, simpler[candidate].clone())]))
        });
        if trial.over() {
            return;
        }
    }
}

/// The fields that can be put back, each with its usual value.
fn back(plan: &Plan) -> Vec<(At, Value)> {
    let deviations = usual::deviations(plan).into_iter();
    deviations.filter_map(|one| Some((one.at, one.usual?))).collect()
}

/// Simpler values for a field, the smallest first.
fn simpler(deviation: &Deviation) -> Vec<Value> {
    match (&deviation.value, deviation.form) {
        // What always happens leaves nothing to draws.
        (Value::Number(_), Form::Number { unit: Unit::Share, high, .. }) => vec![Value::Number(high)],
        (Value::Number(value), Form::Number { low, zero, .. }) => {
            // 0 may mean something else than a small number, such as "unlimited".
            let least = if zero.is_some() { low.max(1) } else { low };
            numbers(*value, least).into_iter().map(Value::Number).collect()
        }
        (Value::Spread(spread), _) => {
            let Spread::Constant(value) = constant(*spread) else { return Vec::new() };
            let constants =
                numbers(value.into(), 1).into_iter().filter_map(|value| u64::try_from(value).ok());
            constants.map(|value| Value::Spread(Spread::Constant(value))).collect()
        }
        _ => Vec::new(),
    }
}

/// Round numbers to try for this one, the smallest first: 1, 2, 5 and 10 times the powers of ten that are at least `least`
/// and smaller than it, and its own roundings.
fn numbers(value: i128, least: i128) -> Vec<i128> {
    let sign = value.signum();
    let size = value.abs();
    let powers =
        std::iter::successors(Some(1_i128), |power| power.checked_mul(10)).take_while(|power| *power <= size);
    let mut all: Vec<i128> = Vec::new();
    for power in powers {
        all.extend([power, 2 * power, 5 * power]);
        if size / power < 100 {
            // The first one or two digits, rounded down and up.
            all.extend([size / power * power, (size / power + 1) * power]);
        }
    }
    all.push(least.abs());
    all.sort_unstable();
    all.dedup();
    all.retain(|number| *number != size && *number <= size.saturating_mul(2));
    // The few smallest that make sense, and the nearest ones.
    let signed: Vec<i128> =
        all.into_iter().map(|number| sign * number).filter(|number| *number >= least).collect();
    let few = signed.len().min(MOST / 2);
    let (small, rest) = signed.split_at(few);
    let near = &rest[rest.len().saturating_sub(MOST / 2)..];
    [small, near].concat()
}

/// How many other values are tried for one setting; our choice.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_round_numbers_are_tried() {
        assert_eq!(numbers(82, 1), [1, 2, 5, 10, 20, 50, 80, 83, 90]);
        assert!(numbers(512, 1).starts_with(&[1, 2, 5]));
        assert!(numbers(479_815_000, 1_000_000).contains(&480_000_000));
        assert!(numbers(479_815_000, 1_000_000).iter().all(|number| *number >= 1_000_000));
        assert!(numbers(0, 0).iter().all(|number| *number == 0));
    }
}
