//! Deciding operations of unknown outcome without a search.
//!
//! An optional row whose value nobody can see need not take effect: leaving it out of an order changes what
//! others see only if they saw that something was *not* there. So it is dropped, and where there are negative
//! observations the caller tries again with all of them before it believes in a violation. A value that
//! somebody certainly saw and that only one row can have set was set, and before the first who saw it
//! returned: that row is no longer optional, and its return is known.
//!
//! Both rules feed each other, so both run to a fixpoint. A kept compare-and-set of unknown outcome is an
//! observer too, and dropping it may leave its own producer unobserved. Returns only ever move to returns of
//! other rows, never between two events: the order of positions stays strict, and a cycle of
//! compare-and-sets settles instead of counting down for ever.

use crate::order::NEVER;

use super::columns::{Columns, Kind, NONE};

/// What is known of each value and of the rows' returns.
pub(super) struct Facts {
    /// By value: how many producers there are, counted up to two. The initial value has one from the start.
    pub(super) producers: Vec<u8>,
    /// By value: the producer, if there is exactly one and it is a row.
    pub(super) producer: Vec<u32>,
    /// By value: the earliest return of those that certainly saw it, [`NEVER`] if nobody did.
    pub(super) needed: Vec<u32>,
    /// By row: the row whose recorded return `ret` is. Differs from the row itself where the return was
    /// moved, and names what a conflict must hold then.
    pub(super) owner: Vec<u32>,
}

impl Facts {
    /// Whether somebody certainly saw the value and only one row, or the start, can have set it.
    pub(super) fn linked(&self, value: u32) -> bool {
        self.producers[value as usize] == 1 && self.needed[value as usize] != NEVER
    }
}

/// Drops optional rows that cannot matter (if `drop`), moves returns, and collects the facts.
///
/// An error holds rows that are a conflict: somebody saw a value that nobody can have set.
pub(super) fn eliminate(columns: &mut Columns, drop: bool) -> Result<Facts, Vec<u32>> {
    if drop && columns.ret.contains(&NEVER) {
        let alive = useful(columns);
        if alive.contains(&false) {
            columns.retain(&alive);
        }
    }
    let mut facts = collect(columns);
    let mut needed_by = vec![NONE; columns.values as usize];
    for row in 0..columns.len() {
        if let Some(value) = columns.observed(row)
            && columns.ret[row] < facts.needed[value as usize]
        {
            facts.needed[value as usize] = columns.ret[row];
            needed_by[value as usize] = row as u32;
        }
    }
    move_returns(columns, &mut facts, &mut needed_by);
    for value in 0..columns.values as usize {
        if facts.producers[value] == 0 && facts.needed[value] != NEVER {
            return Err(vec![needed_by[value], facts.owner[needed_by[value] as usize]]);
        }
    }
    Ok(facts)
}

/// Which rows are not optional, or may yet be seen by a row that is kept.
fn useful(columns: &Columns) -> Vec<bool> {
    let values = columns.values as usize;
    let mut observers = vec![0_u32; values];
    let mut last_seen = vec![0_u32; values];
    let mut first = vec![NONE; values];
    let mut next = vec![NONE; columns.len()];
    // With negative observations, writes of values that nobody names are kept: they may be why something was
    // not there, and being all alike they cost the search next to nothing.
    let keep_spare = columns.has_negative();
    let mut mentioned = vec![false; values];
    for row in 0..columns.len() {
        if columns.a[row] != NONE {
            mentioned[columns.a[row] as usize] = true;
        }
        if let Some(value) = columns.observed(row) {
            observers[value as usize] += 1;
            last_seen[value as usize] = last_seen[value as usize].max(columns.ret[row]);
        }
        if let (true, Some(value)) = (columns.optional(row), columns.produced(row)) {
            next[row] = first[value as usize];
            first[value as usize] = row as u32;
        }
    }
    for (before, _) in columns.edges.all() {
        // An append may need to find it, at any time.
        observers[before as usize] += 1;
        last_seen[before as usize] = NEVER;
    }
    let mut alive = vec![true; columns.len()];
    let mut dropped: Vec<u32> = Vec::new();
    for row in 0..columns.len() {
        if let (true, Some(value)) = (columns.optional(row), columns.produced(row))
            && (observers[value as usize] == 0 || columns.call[row] > last_seen[value as usize])
            && !(keep_spare && columns.kind[row] == Kind::Write && !mentioned[value as usize])
        {
            alive[row] = false;
            dropped.push(row as u32);
        }
    }
    while let Some(row) = dropped.pop() {
        let Some(value) = columns.observed(row as usize) else { continue };
        observers[value as usize] -= 1;
        if observers[value as usize] > 0 {
            continue;
        }
        let mut producer = first[value as usize];
        while producer != NONE {
            if std::mem::replace(&mut alive[producer as usize], false) {
                dropped.push(producer);
            }
            producer = next[producer as usize];
        }
    }
    alive
}

fn collect(columns: &Columns) -> Facts {
    let values = columns.values as usize;
    let mut producers = vec![0_u8; values];
    let mut producer = vec![NONE; values];
    producers[columns.initial as usize] = 1;
    for row in 0..columns.len() {
        if let Some(value) = columns.produced(row) {
            let count = &mut producers[value as usize];
            producer[value as usize] = if *count == 0 { row as u32 } else { NONE };
            *count = (*count + 1).min(2);
        }
    }
    for (_, after) in columns.edges.all() {
        // It is open which appends make it.
        producers[after as usize] = 2;
        producer[after as usize] = NONE;
    }
    Facts { producers, producer, needed: vec![NEVER; values], owner: (0..columns.len() as u32).collect() }
}

/// Lets every only producer of a seen value return no later than the first who saw it.
fn move_returns(columns: &mut Columns, facts: &mut Facts, needed_by: &mut [u32]) {
    let mut open: Vec<u32> = (0..columns.values).filter(|&value| facts.linked(value)).collect();
    while let Some(value) = open.pop() {
        let row = facts.producer[value as usize];
        let needed = facts.needed[value as usize];
        if row == NONE || columns.ret[row as usize] <= needed {
            continue;
        }
        columns.ret[row as usize] = needed;
        facts.owner[row as usize] = facts.owner[needed_by[value as usize] as usize];
        // Now that it must have taken effect, and by then, so must whoever set what it compared with.
        if let Some(before) = columns.observed(row as usize)
            && needed < facts.needed[before as usize]
        {
            facts.needed[before as usize] = needed;
            needed_by[before as usize] = row;
            if facts.producers[before as usize] == 1 {
                open.push(before);
            }
        }
    }
}
