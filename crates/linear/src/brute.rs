//! Judges a history by the definition of linearizability: it tries every order. For tests with up to about ten
//! operations.

use crate::history::History;
use crate::model::Model;

/// Whether the history is linearizable. Takes time exponential in its length.
pub fn linearizable<M: Model>(model: &M, history: &History<M::Input, M::Output>) -> bool {
    let rest: Vec<u32> =
        (0..history.len() as u32).filter(|&index| !history.operation(index).failed()).collect();
    extend(model, history, &model.initial(), &rest)
}

/// Whether the operations of `rest` can be linearized from this state.
fn extend<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    state: &M::State,
    rest: &[u32],
) -> bool {
    let returned = |index: u32| history.operation(index).returned();
    if rest.iter().all(|&index| returned(index).is_none()) {
        return true;
    }
    rest.iter().any(|&index| {
        let operation = history.operation(index);
        let others = rest.iter().copied().filter(|&other| other != index);
        if others.clone().any(|other| returned(other).is_some_and(|at| at < operation.call)) {
            return false;
        }
        let Some(after) = model.step(state, &operation.input, operation.output()) else { return false };
        extend(model, history, &after, &others.collect::<Vec<u32>>())
    })
}
