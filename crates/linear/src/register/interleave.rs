//! Inserts negative observations into the zones' order without changing that order.
//!
//! A place is how many rows of the order come before it. A negative observation of `x` must come after every row
//! that returned before its call, before every row called after its return, after every other negative
//! observation that returned before its call, and where the value is not `x`. Each gets the first such place.
//! That never gets in the way of the others, as it changes nothing. If there is no such place, another order of
//! the zones may have one.

use super::columns::{Columns, INITIAL, Kind};

/// The order with all negative observations inserted, if there is a place for each.
pub(super) fn interleave(columns: &Columns, order: &[u32]) -> Option<Vec<u32>> {
    let negatives: Vec<u32> =
        (0..columns.len() as u32).filter(|&row| columns.kind[row as usize] == Kind::Not).collect();
    let places = places(columns, order, &negatives)?;
    let mut joined: Vec<(u32, u32)> = places.into_iter().zip(negatives).collect();
    // At the same place they stay in the order of their calls.
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
    // The return and the place of those negative observations that may return after the next one is called.
    let mut open: Vec<(u32, usize)> = Vec::new();
    let mut after = 0;
    for &negative in negatives {
        let (call, ret) = (columns.call[negative as usize], columns.ret[negative as usize]);
        open.retain(|&(other_ret, other_place)| {
            let done = other_ret < call;
            after = if done { after.max(other_place) } else { after };
            !done
        });
        let unwanted = columns.a[negative as usize];
        let step = |at: usize, value: u32, latest_call: u32| {
            let row = order[at] as usize;
            (columns.produced(row).unwrap_or(value), latest_call.max(columns.call[row]))
        };
        while place < order.len() && earliest[place] < call {
            (value, latest_call) = step(place, value, latest_call);
            place += 1;
        }
        let (mut at, mut held, mut latest) = (place, value, latest_call);
        while at < after || held == unwanted {
            if at == order.len() || latest > ret {
                return None;
            }
            (held, latest) = step(at, held, latest);
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
