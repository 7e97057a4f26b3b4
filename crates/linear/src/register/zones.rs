//! The zone test of Gibbons and Korach (SIAM J. Comput. 1997), extended with chains of compare-and-sets. The
//! head of [`super`] defines the words.
//!
//! *Blocks.* Suppose only one row can have set a value. In every order, that row comes first, then all rows
//! that read the value, then the compare-and-set that replaced it, if there is one; no other write comes in
//! between. These rows are a block. A compare-and-set ends one block and begins the next, and blocks that share
//! one are joined. Within a block the order is fixed, except among reads of the same value.
//!
//! *The test.* Let f be the earliest return of a block, and s its latest call. Block A must come before block B
//! if some row of A returns before some row of B is called: f(A) < s(B). There is an order exactly if no two
//! blocks must each come before the other; sorting the blocks by min(f, s) then gives one. (A longer cycle
//! without such a pair is impossible: f would grow all the way round it.)
//!
//! Values with several producers, and negative observations, are not part of blocks. Leaving them out never
//! makes a linearizable history non-linearizable, so a conflict of blocks is a conflict of the whole history.

use crate::order::{self, NEVER, START};

use super::columns::{Columns, INITIAL, Kind, NONE};
use super::eliminate::Facts;

/// What the zone test finds if there is no conflict.
#[derive(Default)]
pub(super) struct Zones {
    /// An order of the rows of all blocks. Rows outside blocks are missing.
    pub(super) order: Vec<u32>,
    /// Whether `order` contains every row that must take effect, except negative observations, and every
    /// compare-and-set in it finds the value it expects.
    pub(super) complete: bool,
    /// All blocks, without order.
    blocks: Vec<Block>,
    /// The blocks, sorted by [`Block::left`] and packed with it.
    sorted: Vec<u64>,
}

/// A block: the row that begins it, all rows that read its value, the compare-and-set that replaced it, all
/// rows that read the value set by that, and so on. Only the first row is stored; [`walk`] visits the others.
#[derive(Clone, Copy)]
struct Block {
    /// [`NONE`] for the block of the initial value.
    first: u32,
    /// The earliest return of its rows, f in the head comment.
    earliest_return: u32,
    /// The latest call of its rows, s in the head comment.
    latest_call: u32,
}

impl Block {
    /// Where the block begins in time.
    fn left(&self) -> u32 {
        self.earliest_return.min(self.latest_call)
    }

    /// Whether some row of the block returned before another was called. Only such blocks rule out others.
    fn forward(&self) -> bool {
        self.earliest_return <= self.latest_call
    }
}

impl Zones {
    /// Finds an order of the blocks. The error is rows that are a conflict.
    ///
    /// No row may have been removed from the columns, because the position of a row's call follows from its
    /// number.
    pub(super) fn find(&mut self, columns: &Columns, facts: &mut Facts) -> Result<(), Vec<u32>> {
        let all_linked = find_replacements(columns, facts)?;
        self.build(columns, facts)?;
        self.sorted.clear();
        let words = self.blocks.iter().zip(0..).map(|(block, number)| order::pack(block.left(), number));
        self.sorted.extend(words);
        order::sort_almost_sorted(&mut self.sorted);
        self.check_pairs(columns, facts)?;
        self.order.clear();
        for &word in &self.sorted {
            let block = &self.blocks[order::row(word) as usize];
            walk(columns, facts, block.first, |row| self.order.push(row));
        }
        let all_placed = self.order.len() == facts.must_count;
        // A compare-and-set of a value that is not linked begins a block too, but the order does not ensure
        // that the value is there.
        self.complete = all_placed && all_linked;
        if all_placed { Ok(()) } else { self.check_left_over(columns, facts) }
    }

    /// By row: where its block begins in time. The search tries rows in this order.
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

    /// Collects the blocks. The error contains the rows of a conflict within a block.
    fn build(&mut self, columns: &Columns, facts: &Facts) -> Result<(), Vec<u32>> {
        self.blocks.clear();
        if facts.linked(INITIAL) {
            self.blocks.push(block(columns, facts, NONE)?);
        }
        for row in 0..columns.len() {
            let begins = match columns.kind[row] {
                Kind::Write => true,
                // A compare-and-set of a linked value belongs to the block of that value.
                Kind::Cas => !facts.linked(columns.expected[row]),
                _ => false,
            };
            if begins && !columns.optional(row) {
                self.blocks.push(block(columns, facts, row as u32)?);
            }
        }
        Ok(())
    }

    /// Checks that no two blocks must each come before the other. The error is a conflict.
    ///
    /// If there are several, it is the one that shows first in time: the history up to it is likely to be
    /// linearizable, which makes a good explanation.
    fn check_pairs(&self, columns: &Columns, facts: &Facts) -> Result<(), Vec<u32>> {
        // Of the blocks so far that rule out others, the one with the latest call. At first, a block in no conflict.
        let mut last = Block { first: NONE, earliest_return: NEVER, latest_call: START };
        // A conflict, and when it shows.
        let mut best: Option<(u32, [Block; 2])> = None;
        for &word in &self.sorted {
            let block = self.blocks[order::row(word) as usize];
            if best.is_some_and(|(at, _)| block.left() > at) {
                break;
            }
            if block.earliest_return < last.latest_call {
                let at = last.latest_call.max(block.earliest_return).max(block.latest_call);
                if best.is_none_or(|(known, _)| at < known) {
                    best = Some((at, [last, block]));
                }
            }
            if block.forward() && block.latest_call > last.latest_call {
                last = block;
            }
        }
        best.map_or(Ok(()), |(_, pair)| Err(core(columns, facts, pair)))
    }

    /// Looks for a conflict among the rows outside blocks: a value that was seen and that no row can have set,
    /// or compare-and-sets of which each needs the value of another.
    fn check_left_over(&self, columns: &Columns, facts: &Facts) -> Result<(), Vec<u32>> {
        if let Some(value) =
            facts.values.iter().find(|value| value.producer_count == 0 && value.seen_by_time != NEVER)
        {
            return Err(facts.with_return_owner(value.first_seen_by).to_vec());
        }
        let mut left: Vec<bool> =
            (0..columns.len()).map(|row| columns.kind[row] == Kind::Cas && !columns.optional(row)).collect();
        self.order.iter().for_each(|&row| left[row as usize] = false);
        let Some(first) = left.iter().position(|&left| left) else { return Ok(()) };
        // The producer of every row left over is left over too, so going from producer to producer ends in a
        // cycle.
        let back = |row: u32| facts.values[columns.expected[row as usize] as usize].only_producer();
        let mut start = first as u32;
        while std::mem::replace(&mut left[start as usize], false) {
            start = back(start);
        }
        let rows = std::iter::successors(Some(start), |&row| Some(back(row)).filter(|&row| row != start));
        Err(rows.flat_map(|row| facts.with_return_owner(row)).collect())
    }
}

/// Records, for each linked value, the compare-and-set that replaced it. Returns whether all compare-and-sets
/// that must take effect replace linked values. The error is two of them that replace the same value.
fn find_replacements(columns: &Columns, facts: &mut Facts) -> Result<bool, Vec<u32>> {
    let mut all_linked = true;
    for at in 0..facts.cas_rows.len() {
        let row = facts.cas_rows[at];
        if columns.optional(row as usize) {
            continue;
        }
        let value = columns.expected[row as usize];
        if !facts.linked(value) {
            all_linked = false;
            continue;
        }
        let other = std::mem::replace(&mut facts.values[value as usize].replaced_by, row);
        if other != NONE {
            return Err([facts.with_return_owner(other), facts.with_return_owner(row)].concat());
        }
    }
    Ok(all_linked)
}

/// The block that begins with the row `first`, or with the initial value if that is [`NONE`]. The error is rows
/// that are a conflict within the block.
#[inline]
fn block(columns: &Columns, facts: &Facts, first: u32) -> Result<Block, Vec<u32>> {
    let (mut earliest_return, mut latest_call, mut value) = match first {
        NONE => (START, START, INITIAL),
        _ => (columns.ret[first as usize], columns.call[first as usize], columns.new[first as usize]),
    };
    while facts.linked(value) {
        let known = &facts.values[value as usize];
        if known.seen_by_time < latest_call {
            return Err(too_late(facts, latest_call, known.first_seen_by));
        }
        earliest_return = earliest_return.min(known.seen_by_time);
        latest_call = latest_call.max(known.last_read_call);
        let next = known.replaced_by;
        if next == NONE {
            break;
        }
        if columns.ret[next as usize] < latest_call {
            return Err(too_late(facts, latest_call, next));
        }
        latest_call = latest_call.max(columns.call[next as usize]);
        value = columns.new[next as usize];
    }
    Ok(Block { first, earliest_return, latest_call })
}

/// A conflict: the row that was called at `call`, and a row that must come after it but returned before.
fn too_late(facts: &Facts, call: u32, row: u32) -> Vec<u32> {
    let [row, owner] = facts.with_return_owner(row);
    vec![order::place_of_call(call), row, owner]
}

/// Visits the rows of the block that begins with `first`, in their order.
#[inline]
fn walk(columns: &Columns, facts: &Facts, first: u32, mut visit: impl FnMut(u32)) {
    let mut value = INITIAL;
    if first != NONE {
        visit(first);
        value = columns.new[first as usize];
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
        value = columns.new[known.replaced_by as usize];
    }
}

/// The conflict of two blocks: the rows because of which each of them must come before the other.
fn core(columns: &Columns, facts: &Facts, pair: [Block; 2]) -> Vec<u32> {
    let mut rows = Vec::new();
    for block in pair {
        let mut returned_first = NONE;
        // Of equal returns the last row counts, because a moved return belongs to a row further down the chain.
        walk(columns, facts, block.first, |row| {
            if columns.ret[row as usize] == block.earliest_return {
                returned_first = row;
            }
        });
        if returned_first != NONE {
            rows.extend(facts.with_return_owner(returned_first));
        }
        if block.latest_call != START {
            rows.push(order::place_of_call(block.latest_call));
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}
