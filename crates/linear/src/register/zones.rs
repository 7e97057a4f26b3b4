//! The zone test of Gibbons and Korach (SIAM J. Comput. 1997), extended with chains of compare-and-sets.
//!
//! If only one row can have set a value, then in every order that row, all who saw the value, and the
//! compare-and-set that replaced it stand together, with no other write between: a *block*. Blocks that share
//! a compare-and-set are one block. Inside, the order is given up to reads of the same value. Between blocks,
//! A must come before B if some row of A returns before some row of B is called: if f(A) < s(B), where f is
//! the least return and s the greatest call. There is an order exactly if no two blocks must each come before
//! the other: in a longer cycle without such a pair f would grow all the way round. Then sorting by
//! min(f, s) gives an order.
//!
//! Values with several producers and negative observations have no part in blocks. Leaving the latter out of
//! a linearizable history leaves it linearizable, so a conflict of blocks is one of the whole.

use crate::order::{self, NEVER, START};

use super::columns::{Columns, Kind, NONE};
use super::eliminate::Facts;

/// What the zone test found where it found no conflict.
pub(super) struct Zones {
    /// The rows of all blocks in an order that is right for them. Rows outside blocks are missing.
    pub(super) order: Vec<u32>,
    /// By row: where its block begins in time, for the search to try rows in that order.
    pub(super) rank: Vec<u32>,
    /// Whether `order` holds every row that must take effect, except negative observations.
    pub(super) complete: bool,
}

/// Rows that stand together. `f_row` and `s_row` are [`NONE`] if the start itself is meant.
#[derive(Clone, Copy)]
struct Block {
    f: u32,
    f_row: u32,
    s: u32,
    s_row: u32,
    /// Its rows are `rows[start..end]`.
    start: u32,
    end: u32,
}

impl Block {
    fn left(&self) -> u32 {
        self.f.min(self.s)
    }

    fn forward(&self) -> bool {
        self.f <= self.s
    }
}

/// The blocks' order, or rows that are a conflict.
pub(super) fn zones(columns: &Columns, facts: &Facts) -> Result<Zones, Vec<u32>> {
    let mut builder = Builder::new(columns, facts)?;
    builder.build()?;
    let Builder { rows, blocks, placed, .. } = builder;
    let mut sorted: Vec<u64> =
        blocks.iter().enumerate().map(|(index, block)| order::pack(block.left(), index as u32)).collect();
    order::sort_almost_sorted(&mut sorted);
    separate(columns, facts, &blocks, &sorted)?;

    let mut rank: Vec<u32> = columns.call.clone();
    let mut ordered = Vec::with_capacity(rows.len());
    for &packed in &sorted {
        let block = &blocks[order::row(packed) as usize];
        for &row in &rows[block.start as usize..block.end as usize] {
            rank[row as usize] = block.left();
            ordered.push(row);
        }
    }
    // A compare-and-set of a value that several rows set begins a block, but may not begin anywhere.
    let outside = |row: usize| match columns.kind[row] {
        Kind::Not => false,
        Kind::Cas if !columns.optional(row) => !facts.linked(columns.a[row]),
        _ => !placed[row] && !columns.optional(row),
    };
    let complete = !(0..columns.len()).any(outside);
    for row in 0..columns.len() {
        // What need not take effect is tried last.
        if columns.optional(row) {
            rank[row] = NEVER;
        }
    }
    Ok(Zones { order: ordered, rank, complete })
}

/// Checks that no two blocks must each come before the other.
///
/// Of the conflicts met, the one that shows first in time is given: what comes before it is then likely
/// to be linearizable.
fn separate(columns: &Columns, facts: &Facts, blocks: &[Block], sorted: &[u64]) -> Result<(), Vec<u32>> {
    let mut last: Option<&Block> = None;
    let mut best: Option<(u32, Vec<u32>)> = None;
    for &packed in sorted {
        let block = &blocks[order::row(packed) as usize];
        if best.as_ref().is_some_and(|(at, _)| block.left() > *at) {
            break;
        }
        if let Some(other) = last
            && block.f < other.s
        {
            let at = other.s.max(block.f).max(block.s);
            if best.as_ref().is_none_or(|(known, _)| at < *known) {
                best = Some((at, core(columns, facts, [other, block])));
            }
        }
        if block.forward() && last.is_none_or(|other| block.s > other.s) {
            last = Some(block);
        }
    }
    best.map_or(Ok(()), |(_, rows)| Err(rows))
}

/// The rows that make each of two blocks come before the other.
fn core(columns: &Columns, facts: &Facts, pair: [&Block; 2]) -> Vec<u32> {
    let mut rows: Vec<u32> = pair
        .iter()
        .flat_map(|block| [block.f_row, block.s_row])
        .filter(|&row| row != NONE)
        .flat_map(|row| [row, facts.owner[row as usize]])
        .collect();
    rows.sort_unstable_by_key(|&row| columns.call[row as usize]);
    rows.dedup();
    rows
}

struct Builder<'a> {
    columns: &'a Columns,
    facts: &'a Facts,
    /// The rows that read value `v`, in the order of calls: `readers[first_reader[v]..first_reader[v + 1]]`.
    first_reader: Vec<u32>,
    readers: Vec<u32>,
    /// By linked value: the compare-and-set that replaced it, or [`NONE`].
    replaced_by: Vec<u32>,
    rows: Vec<u32>,
    blocks: Vec<Block>,
    placed: Vec<bool>,
}

impl<'a> Builder<'a> {
    fn new(columns: &'a Columns, facts: &'a Facts) -> Result<Self, Vec<u32>> {
        let values = columns.values as usize;
        let mut first_reader = vec![0_u32; values + 2];
        let mut replaced_by = vec![NONE; values];
        for row in 0..columns.len() {
            match columns.kind[row] {
                Kind::Read => first_reader[columns.a[row] as usize + 2] += 1,
                Kind::Cas if !columns.optional(row) && facts.linked(columns.a[row]) => {
                    let first = std::mem::replace(&mut replaced_by[columns.a[row] as usize], row as u32);
                    if first != NONE {
                        let owners = [first, row as u32].map(|row| facts.owner[row as usize]);
                        return Err(vec![first, row as u32, owners[0], owners[1]]);
                    }
                }
                _ => {}
            }
        }
        for at in 1..first_reader.len() {
            first_reader[at] += first_reader[at - 1];
        }
        let mut readers = vec![0_u32; first_reader[values + 1] as usize];
        for row in 0..columns.len() {
            if columns.kind[row] == Kind::Read {
                let slot = &mut first_reader[columns.a[row] as usize + 1];
                readers[*slot as usize] = row as u32;
                *slot += 1;
            }
        }
        let rows = Vec::with_capacity(columns.len());
        let placed = vec![false; columns.len()];
        Ok(Builder { columns, facts, first_reader, readers, replaced_by, rows, blocks: Vec::new(), placed })
    }

    fn build(&mut self) -> Result<(), Vec<u32>> {
        if self.facts.linked(self.columns.initial) {
            self.block(NONE, self.columns.initial)?;
        }
        for row in 0..self.columns.len() {
            if self.columns.optional(row) {
                continue;
            }
            let Some(value) = self.columns.produced(row) else { continue };
            // A compare-and-set of a linked value belongs to the block of that value.
            if self.columns.kind[row] == Kind::Write || !self.facts.linked(self.columns.a[row]) {
                self.block(row as u32, value)?;
            }
        }
        self.cycle()
    }

    /// The block that begins with `row` (or with the start) and its value.
    fn block(&mut self, row: u32, value: u32) -> Result<(), Vec<u32>> {
        let start = self.rows.len() as u32;
        let mut block = Block { f: NEVER, f_row: NONE, s: START, s_row: NONE, start, end: start };
        if row == NONE {
            block.f = START;
        } else {
            self.place(&mut block, row, START, NONE)?;
        }
        let mut value = value;
        while self.facts.linked(value) {
            let (latest, latest_row) = (block.s, block.s_row);
            let readers = self.first_reader[value as usize]..self.first_reader[value as usize + 1];
            for at in readers {
                self.place(&mut block, self.readers[at as usize], latest, latest_row)?;
            }
            let next = self.replaced_by[value as usize];
            if next == NONE {
                break;
            }
            let (latest, latest_row) = (block.s, block.s_row);
            self.place(&mut block, next, latest, latest_row)?;
            value = self.columns.b[next as usize];
        }
        block.end = self.rows.len() as u32;
        self.blocks.push(block);
        Ok(())
    }

    /// Adds a row to a block, after rows of which `latest_row` was called last, at `latest`.
    fn place(&mut self, block: &mut Block, row: u32, latest: u32, latest_row: u32) -> Result<(), Vec<u32>> {
        let at = row as usize;
        if self.columns.ret[at] < latest {
            return Err(vec![latest_row, row, self.facts.owner[at]]);
        }
        // Of equal returns the later row counts: a moved return belongs to a row further down the chain.
        if self.columns.ret[at] <= block.f {
            (block.f, block.f_row) = (self.columns.ret[at], row);
        }
        if self.columns.call[at] > block.s {
            (block.s, block.s_row) = (self.columns.call[at], row);
        }
        self.placed[at] = true;
        self.rows.push(row);
        Ok(())
    }

    /// Compare-and-sets that no block holds wait for each other's values: a conflict.
    fn cycle(&self) -> Result<(), Vec<u32>> {
        let left = |row: &usize| {
            self.columns.kind[*row] == Kind::Cas && !self.columns.optional(*row) && !self.placed[*row]
        };
        let Some(first) = (0..self.columns.len()).find(left) else { return Ok(()) };
        // Every row left over has its producer left over too: going back must come round.
        let mut seen = vec![false; self.columns.len()];
        let mut row = first as u32;
        while !std::mem::replace(&mut seen[row as usize], true) {
            row = self.facts.producer[self.columns.a[row as usize] as usize];
        }
        let mut rows = Vec::new();
        let start = row;
        loop {
            rows.extend([row, self.facts.owner[row as usize]]);
            row = self.facts.producer[self.columns.a[row as usize] as usize];
            if row == start {
                return Err(rows);
            }
        }
    }
}
