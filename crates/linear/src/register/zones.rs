//! The zone test of Gibbons and Korach (SIAM J. Comput. 1997), extended with chains of compare-and-sets.
//!
//! If only one row can have set a value, then in every order that row, all rows that saw the value, and the
//! compare-and-set that replaced it are next to each other, with no other write in between: a *block*. Blocks
//! that share a compare-and-set are one block. Within a block the order is fixed, except among reads of the same
//! value. Block A must come before block B if some row of A returns before some row of B is called: if
//! f(A) < s(B), where f is the earliest return of a block and s its latest call. There is an order exactly if no
//! two blocks must each come before the other, because in a longer cycle without such a pair f would grow all the
//! way round. Then sorting by min(f, s) gives an order.
//!
//! Values with several producers and negative observations are not part of blocks. A linearizable history stays
//! linearizable without its negative observations, so a conflict of blocks is a conflict of the whole.

use crate::order::{self, NEVER, START};

use super::columns::{Columns, INITIAL, Kind, NONE};
use super::eliminate::Facts;

/// What the zone test finds if there is no conflict.
#[derive(Default)]
pub(super) struct Zones {
    /// An order of the rows of all blocks. Rows outside blocks are missing.
    pub(super) order: Vec<u32>,
    /// Whether `order` holds every row that must take effect, except negative observations.
    pub(super) complete: bool,
    blocks: Vec<Block>,
    /// The blocks, packed, in the order of their beginnings in time.
    sorted: Vec<u64>,
}

/// Rows that are next to each other: the first, all that read its value, the compare-and-set that replaced it,
/// all that read the value of that, and so on.
#[derive(Clone, Copy)]
struct Block {
    /// [`NONE`] for the block of the initial value.
    first: u32,
    f: u32,
    s: u32,
}

impl Block {
    fn left(&self) -> u32 {
        self.f.min(self.s)
    }

    fn forward(&self) -> bool {
        self.f <= self.s
    }
}

impl Zones {
    /// Finds an order of the blocks. The error is rows that are a conflict.
    ///
    /// No row may have been removed from the columns, as a row's number gives its call.
    pub(super) fn find(&mut self, columns: &Columns, facts: &mut Facts) -> Result<(), Vec<u32>> {
        let all_linked = replacements(columns, facts)?;
        self.build(columns, facts)?;
        self.sorted.clear();
        let words = self.blocks.iter().zip(0..).map(|(block, number)| order::pack(block.left(), number));
        self.sorted.extend(words);
        order::sort_almost_sorted(&mut self.sorted);
        self.separate(columns, facts)?;
        self.order.clear();
        for &word in &self.sorted {
            let block = &self.blocks[order::row(word) as usize];
            walk(columns, facts, block.first, |row| self.order.push(row));
        }
        let all_placed = self.order.len() == facts.must;
        // A compare-and-set of a value with several producers begins a block too, but it needs that value before it.
        self.complete = all_placed && all_linked;
        if all_placed { Ok(()) } else { self.left_over(columns, facts) }
    }

    /// By row: where its block begins in time, for the search to try rows in that order.
    pub(super) fn rank(&self, columns: &Columns, facts: &Facts) -> Vec<u32> {
        let mut rank = columns.call.clone();
        for block in &self.blocks {
            walk(columns, facts, block.first, |row| rank[row as usize] = block.left());
        }
        for row in 0..columns.len() {
            // Optional rows are tried last.
            if columns.optional(row) {
                rank[row] = NEVER;
            }
        }
        rank
    }

    fn build(&mut self, columns: &Columns, facts: &Facts) -> Result<(), Vec<u32>> {
        self.blocks.clear();
        if facts.linked(INITIAL) {
            self.blocks.push(block(columns, facts, NONE)?);
        }
        for row in 0..columns.len() {
            let begins = match columns.kind[row] {
                Kind::Write => true,
                // A compare-and-set of a linked value belongs to the block of that value.
                Kind::Cas => !facts.linked(columns.a[row]),
                _ => false,
            };
            if begins && !columns.optional(row) {
                self.blocks.push(block(columns, facts, row as u32)?);
            }
        }
        Ok(())
    }

    /// Checks that no two blocks must each come before the other.
    ///
    /// Returns the conflict that shows first in time, because what comes before it is likely to be linearizable.
    fn separate(&self, columns: &Columns, facts: &Facts) -> Result<(), Vec<u32>> {
        let mut last = Block { first: NONE, f: NEVER, s: START };
        let mut best: Option<(u32, [Block; 2])> = None;
        for &word in &self.sorted {
            let block = self.blocks[order::row(word) as usize];
            if best.is_some_and(|(at, _)| block.left() > at) {
                break;
            }
            if block.f < last.s {
                let at = last.s.max(block.f).max(block.s);
                if best.is_none_or(|(known, _)| at < known) {
                    best = Some((at, [last, block]));
                }
            }
            if block.forward() && block.s > last.s {
                last = block;
            }
        }
        best.map_or(Ok(()), |(_, pair)| Err(core(columns, facts, pair)))
    }

    /// Looks for a conflict among the rows outside blocks: a value that no row can have set, or compare-and-sets
    /// that wait for each other's values.
    fn left_over(&self, columns: &Columns, facts: &Facts) -> Result<(), Vec<u32>> {
        if let Some(value) = facts.values.iter().find(|value| value.producers == 0 && value.needed != NEVER) {
            return Err(facts.with_owner(value.needed_by).to_vec());
        }
        let mut left: Vec<bool> =
            (0..columns.len()).map(|row| columns.kind[row] == Kind::Cas && !columns.optional(row)).collect();
        self.order.iter().for_each(|&row| left[row as usize] = false);
        let Some(first) = left.iter().position(|&left| left) else { return Ok(()) };
        // The producer of every row left over is left over too, so going from producer to producer ends in a cycle.
        let back = |row: u32| facts.values[columns.a[row as usize] as usize].only_producer();
        let mut start = first as u32;
        while std::mem::replace(&mut left[start as usize], false) {
            start = back(start);
        }
        let rows = std::iter::successors(Some(start), |&row| Some(back(row)).filter(|&row| row != start));
        Err(rows.flat_map(|row| facts.with_owner(row)).collect())
    }
}

/// Notes for each linked value the compare-and-set that replaced it. Returns whether all compare-and-sets that
/// must take effect replace linked values. The error is two that replace the same value.
fn replacements(columns: &Columns, facts: &mut Facts) -> Result<bool, Vec<u32>> {
    let mut all_linked = true;
    for at in 0..facts.swaps.len() {
        let row = facts.swaps[at];
        if columns.optional(row as usize) {
            continue;
        }
        let value = columns.a[row as usize];
        if !facts.linked(value) {
            all_linked = false;
            continue;
        }
        let other = std::mem::replace(&mut facts.values[value as usize].replaced_by, row);
        if other != NONE {
            return Err([facts.with_owner(other), facts.with_owner(row)].concat());
        }
    }
    Ok(all_linked)
}

/// The block that begins with `first`; [`NONE`] is the start.
#[inline]
fn block(columns: &Columns, facts: &Facts, first: u32) -> Result<Block, Vec<u32>> {
    let (mut f, mut s, mut value) = match first {
        NONE => (START, START, INITIAL),
        _ => (columns.ret[first as usize], columns.call[first as usize], columns.b[first as usize]),
    };
    while facts.linked(value) {
        let known = &facts.values[value as usize];
        if known.needed < s {
            return Err(too_late(facts, s, known.needed_by));
        }
        f = f.min(known.needed);
        s = s.max(known.last_read);
        let next = known.replaced_by;
        if next == NONE {
            break;
        }
        if columns.ret[next as usize] < s {
            return Err(too_late(facts, s, next));
        }
        s = s.max(columns.call[next as usize]);
        value = columns.b[next as usize];
    }
    Ok(Block { first, f, s })
}

/// The row that was called at `call`, and a row that must come after it but returned before.
fn too_late(facts: &Facts, call: u32, row: u32) -> Vec<u32> {
    let [row, owner] = facts.with_owner(row);
    vec![order::place_of_call(call), row, owner]
}

/// Visits the rows of the block that begins with `first`, in their order.
#[inline]
fn walk(columns: &Columns, facts: &Facts, first: u32, mut visit: impl FnMut(u32)) {
    let mut value = INITIAL;
    if first != NONE {
        visit(first);
        value = columns.b[first as usize];
    }
    while facts.linked(value) {
        let known = &facts.values[value as usize];
        let mut reader = known.first_reader;
        while reader != NONE {
            visit(reader);
            reader = facts.next[reader as usize];
        }
        if known.replaced_by == NONE {
            break;
        }
        visit(known.replaced_by);
        value = columns.b[known.replaced_by as usize];
    }
}

/// The rows because of which each of two blocks must come before the other.
fn core(columns: &Columns, facts: &Facts, pair: [Block; 2]) -> Vec<u32> {
    let mut rows = Vec::new();
    for block in pair {
        let mut returned_first = NONE;
        // Of equal returns the last row counts, because a moved return belongs to a row further down the chain.
        walk(columns, facts, block.first, |row| {
            if columns.ret[row as usize] == block.f {
                returned_first = row;
            }
        });
        if returned_first != NONE {
            rows.extend(facts.with_owner(returned_first));
        }
        if block.s != START {
            rows.push(order::place_of_call(block.s));
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}
