//! Inserts negative observations into the order that the zone test found, without changing that order. The head
//! of [`super`] defines the words.
//!
//! A *place* in the order is the number of rows before it. A negative observation of the value `x` may go to a
//! place if all of these hold:
//!
//! * every row, and every other negative observation, that returned before its call comes before it;
//! * every row called after its return comes after it;
//! * the value at that place is not `x`.
//!
//! Each gets its first such place. That never gets in the way of others, because it changes nothing. If one has
//! no such place, another order of the rows may have one.

use super::columns::{Columns, INITIAL, Kind};

/// The order with all negative observations inserted; `None` if one of them has no place.
pub(super) fn interleave(columns: &Columns, order: &[u32]) -> Option<Vec<u32>> {
    let negatives: Vec<u32> =
        (0..columns.len() as u32).filter(|&row| columns.kind[row as usize] == Kind::Negative).collect();
    let places = places(columns, order, &negatives)?;
    let mut joined: Vec<(u32, u32)> = places.into_iter().zip(negatives).collect();
    // Those at the same place stay in the order of their calls.
    joined.sort_unstable();
    let mut whole = Vec::with_capacity(order.len() + joined.len());
    let mut taken = 0;
    for (place, row) in joined {
        whole.extend_from_slice(&order[taken..place as usize]);
        whole.push(row);
        taken = place as usize;
    }
    whole.extend_from_slice(&order[taken..]);
    Some(whole)
}

/// The first place of each of these negative observations, which are in the order of calls.
fn places(columns: &Columns, order: &[u32], negatives: &[u32]) -> Option<Vec<u32>> {
    let earliest = earliest_returns(columns, order);
    let mut places = Vec::with_capacity(negatives.len());
    // The first place after all rows that returned before the current call, and the value there.
    let (mut place, mut value) = (0, INITIAL);
    let mut latest_call = 0;
    // Return and place of the negative observations so far that did not return before the current call.
    let mut open: Vec<(u32, usize)> = Vec::new();
    // The last place of those that did. The current one may not come before it.
    let mut first_allowed = 0;
    for &negative in negatives {
        let (call, ret) = (columns.call[negative as usize], columns.ret[negative as usize]);
        open.retain(|&(other_ret, other_place)| {
            let done = other_ret < call;
            first_allowed = if done { first_allowed.max(other_place) } else { first_allowed };
            !done
        });
        let unwanted = columns.expected[negative as usize];
        let step = |at: usize, value: u32, latest_call: u32| {
            let row = order[at] as usize;
            (columns.produced(row).unwrap_or(value), latest_call.max(columns.call[row]))
        };
        while place < order.len() && earliest[place] < call {
            (value, latest_call) = step(place, value, latest_call);
            place += 1;
        }
        let (mut at, mut value_there, mut latest) = (place, value, latest_call);
        while at < first_allowed || value_there == unwanted {
            if at == order.len() || latest > ret {
                return None;
            }
            (value_there, latest) = step(at, value_there, latest);
            at += 1;
        }
        if latest > ret {
            return None;
        }
        places.push(at as u32);
        open.push((ret, at));
    }
    Some(places)
}

/// By place: the earliest return of the rows from there on.
fn earliest_returns(columns: &Columns, order: &[u32]) -> Vec<u32> {
    let mut earliest = vec![0; order.len()];
    let mut least = crate::order::NEVER;
    for (place, &row) in order.iter().enumerate().rev() {
        least = least.min(columns.ret[row as usize]);
        earliest[place] = least;
    }
    earliest
}
