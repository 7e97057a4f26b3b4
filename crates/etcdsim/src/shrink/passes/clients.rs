//! Leaves out all operations of a client. The client itself stays, so that the draws of the others do not change; the pass
//! `names` removes it.

use crate::shrink::pieces::{Things, drop_pieces};
use crate::shrink::trial::Trial;

/// The clients that do something.
const CLIENTS: Things = Things {
    count: |plan| plan.clients.iter().filter(|client| !client.operations.is_empty()).count(),
    retain: |plan, keep| {
        let acting = plan.clients.iter_mut().filter(|client| !client.operations.is_empty());
        for (number, client) in acting.enumerate() {
            if !keep(number) {
                client.operations.clear();
            }
        }
    },
};

pub(super) fn clients(trial: &mut Trial<'_>) {
    drop_pieces(trial, &CLIENTS);
}
