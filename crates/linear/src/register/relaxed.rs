//! A quick first test whether a few operations are a conflict, for [`super::subset`]. It can prove that they
//! are, but not that they are not.
//!
//! The operations outside the few may take effect or not, and often several of them do the same. The test
//! pretends that each of them can take effect any number of times after its call. Then it need not remember
//! which of them took effect: a configuration is only the value and which of the few are done. This allows more
//! orders than there really are. So if there is no order even then, the few are a conflict; if there is one,
//! nothing is known.

use super::columns::Kind;
use super::pieces::{Pieces, bits};
use super::subset::Open;

/// Adds the configurations that may follow this one to `open`. Returns whether this one is an end: every piece
/// that must take effect is done.
pub(super) fn expand(pieces: &Pieces, mut done: u64, value: u32, open: &mut Open) -> bool {
    let mut in_time;
    loop {
        let Some(first) = pieces.returns_first(done) else { return true };
        in_time = pieces.called_before_return(first);
        let right = in_time & !done & pieces.right(value);
        if right == 0 {
            break;
        }
        done |= right;
    }
    let reached = reached(pieces, in_time & pieces.outside(), value);
    for at in bits(in_time & !done & !pieces.outside()) {
        let (piece, after) = (&pieces.all[at], done | 1 << at);
        match piece.kind {
            Kind::Read if reached >> piece.expected & 1 == 1 => open.add(after, piece.expected),
            Kind::Negative => {
                for other in bits(reached & !(1 << piece.expected)) {
                    open.add(after, other as u32);
                }
            }
            Kind::Write => open.add(after, piece.new),
            Kind::Cas if reached >> piece.expected & 1 == 1 => open.add(after, piece.new),
            _ => {}
        }
    }
    false
}

/// The values that pieces outside the set can lead to from this one, as a set of bits.
fn reached(pieces: &Pieces, outside: u64, value: u32) -> u64 {
    let mut reached = 1_u64 << value;
    loop {
        let before = reached;
        for at in bits(outside) {
            let piece = &pieces.all[at];
            if piece.kind == Kind::Write || reached >> piece.expected & 1 == 1 {
                reached |= 1 << piece.new;
            }
        }
        if reached == before {
            return reached;
        }
    }
}
