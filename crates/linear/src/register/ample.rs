//! A conflict that stands even if whatever others did could be done again and again.
//!
//! Operations outside a conflict need not take effect, and mostly several of them do the same. If each of them
//! could take effect as often as one likes from its call on, only the operations of the conflict and the value
//! would have to be remembered: there are few such configurations. That allows more orders than there are, so
//! if none is left the conflict is certain. If one is left, nothing is known.

use super::columns::Kind;
use super::few::Open;
use super::pieces::{Pieces, bits};

/// Notes what may follow a configuration; whether nothing need follow.
pub(super) fn go_on(pieces: &Pieces, mut done: u64, value: u32, open: &mut Open) -> bool {
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

/// The values that these pieces can make of this one, as a set.
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
