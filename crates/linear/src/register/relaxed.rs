//! A test for conflicts that lets the other operations take effect again and again.
//!
//! Operations outside a conflict need not take effect, and mostly several of them do the same. Suppose each of
//! them could take effect any number of times after its call. Then a configuration is only the operations of the
//! conflict that are done, and the value, and there are few of those. This allows more orders than there really
//! are. So if there is no order even then, the conflict is certain; if there is one, nothing is known.

use super::columns::Kind;
use super::pieces::{Pieces, bits};
use super::subset::Open;

/// Notes the configurations that may follow this one. Returns whether this one is an end, which needs none.
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
            Kind::Read if reached >> piece.a & 1 == 1 => open.note(after, piece.a),
            Kind::Not => {
                for other in bits(reached & !(1 << piece.a)) {
                    open.note(after, other as u32);
                }
            }
            Kind::Write => open.note(after, piece.b),
            Kind::Cas if reached >> piece.a & 1 == 1 => open.note(after, piece.b),
            _ => {}
        }
    }
    false
}

/// The set of values that these pieces can lead to from this one.
fn reached(pieces: &Pieces, outside: u64, value: u32) -> u64 {
    let mut reached = 1_u64 << value;
    loop {
        let before = reached;
        for at in bits(outside) {
            let piece = &pieces.all[at];
            if piece.kind == Kind::Write || reached >> piece.a & 1 == 1 {
                reached |= 1 << piece.b;
            }
        }
        if reached == before {
            return reached;
        }
    }
}
