//! Leaves rows out until a page is small enough: those that are farthest from the violation in time. It measures what
//! it writes, so it need not guess how long a row is.
//!
//! What members and faults did comes first, for the rest cannot be read without it; then what clients saw; what happened
//! inside of the cluster gets the remaining room. Operations that prove a violation are always kept.

use std::ops::Range;

use serde::Serialize;

use crate::block::{Block, Row};
use crate::input::Input;
use crate::rows::{Rows, Table};

/// The share of the room that states may take, and the share of the rest that clients may take, in per cent.
const STATES: usize = 40;
const CLIENTS: usize = 55;

/// Bytes that the sentence about what was left out may take, and the page's numbers.
const MARGIN: usize = 6_000;

/// The data of a page.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Data {
    /// Nanoseconds of a unit of time.
    unit: u64,
    /// The moment that times count from, as text: it may have more digits than JavaScript's numbers.
    base: String,
    /// The end of the run, in units.
    end: u64,
    /// The moment that the page opens at, in units.
    focus: u64,
    /// The number of members that the cluster began with.
    members: u32,
    /// Moments, members and operations of the sentences of the story: -1 for none.
    steps: Vec<[i64; 3]>,
    /// The operations that prove the first violation.
    proof: Vec<usize>,
    /// States, clients, inside.
    blocks: [Block; 3],
    /// For each block, the first and the last moment that was kept; empty if nothing was left out.
    kept: [Vec<u64>; 3],
    /// What was left out: its name, how many, of how many.
    #[serde(skip)]
    pub left_out: Vec<(&'static str, usize, usize)>,
}

/// The data of a page, in at most `room` bytes.
pub(crate) fn fit(input: &Input<'_>, rows: Rows, room: usize) -> Data {
    let focus = rows.at(input.focus());
    let moment = |time: Option<u64>| time.map_or(-1, |time| rows.at(time) as i64);
    let sentences = input.story.iter().flat_map(|paragraph| &paragraph.sentences);
    let steps = sentences.map(|sentence| {
        let member = sentence.member.map_or(-1, |member| member.raft_id() as i64);
        [moment(sentence.time), member, sentence.operation.map_or(-1, |number| number as i64)]
    });
    let proof = input.violations.first().map_or(Vec::new(), |violation| violation.operations.clone());
    let mut data = Data {
        unit: rows.unit,
        base: rows.base.to_string(),
        end: rows.at(input.end),
        focus,
        members: input.members,
        steps: steps.collect(),
        proof,
        ..Data::default()
    };
    let mut room = room.saturating_sub(MARGIN + crate::document::json(&data).len());
    let lists = [(&rows.states, STATES), (&rows.clients, CLIENTS), (&rows.inside, 100)];
    for (nth, (list, share)) in lists.into_iter().enumerate() {
        let (block, kept) = fitting(list, focus, room * share / 100);
        room = room.saturating_sub(block.bytes());
        data.blocks[nth] = block;
        if kept.len() < list.len() {
            let window = list[kept.clone()].first().zip(list[kept.clone()].last());
            data.kept[nth] = window.map_or(vec![focus, focus], |(first, last)| vec![first.time, last.time]);
            count(list, &kept, &mut data.left_out);
        }
    }
    data
}

/// The rows nearest to `focus` that fit into the room, as text, and where they are in the list.
fn fitting(rows: &[Row], focus: u64, room: usize) -> (Block, Range<usize>) {
    let (mut count, mut pins) = (rows.len(), true);
    loop {
        let kept = nearest(rows, focus, count);
        let is_kept = |(at, row): &(usize, &Row)| pins && row.pinned || kept.contains(at);
        let block = Block::of(rows.iter().enumerate().filter(is_kept).map(|(_, row)| row));
        let bytes = block.bytes();
        if bytes <= room || !pins {
            return (block, kept);
        }
        if count == 0 {
            // Even the pinned rows alone take too much room.
            pins = false;
            continue;
        }
        // Rows are about equally long. If that was wrong, the next round gets closer.
        let scaled = (count as u128 * room as u128 / bytes as u128) as usize;
        count = scaled.min(count - 1) * 99 / 100;
    }
}

/// The place of the `count` rows that are nearest to `focus` in time.
fn nearest(rows: &[Row], focus: u64, count: usize) -> Range<usize> {
    let middle = rows.partition_point(|row| row.time < focus);
    let (mut from, mut to) = (middle, middle);
    while to - from < count {
        let before = from.checked_sub(1).map(|at| focus - rows[at].time);
        let after = rows.get(to).map(|row| row.time - focus);
        match (before, after) {
            (Some(before), Some(after)) if before < after => from -= 1,
            (Some(_), None) => from -= 1,
            (_, Some(_)) => to += 1,
            (None, None) => break,
        }
    }
    from..to
}

/// Counts what is left out, by table.
fn count(rows: &[Row], kept: &Range<usize>, left_out: &mut Vec<(&'static str, usize, usize)>) {
    for (table, name) in Table::ALL {
        let is = |row: &&Row| row.table == table as u32;
        let of = rows.iter().filter(is).count();
        let outside = rows[..kept.start].iter().chain(&rows[kept.end..]);
        let out = outside.filter(is).filter(|row| !row.pinned).count();
        if out > 0 {
            left_out.push((name, out, of));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(times: &[u64]) -> Vec<Row> {
        times.iter().map(|time| Row { time: *time, ..Row::default() }).collect()
    }

    #[test]
    fn the_nearest_rows_are_kept() {
        let rows = rows(&[0, 10, 20, 30, 40, 90]);
        assert_eq!(nearest(&rows, 25, 2), 2..4);
        assert_eq!(nearest(&rows, 25, 9), 0..6);
        assert_eq!(nearest(&rows, 0, 3), 0..3);
        assert_eq!(nearest(&rows, 100, 1), 5..6);
        assert_eq!(nearest(&[], 7, 3), 0..0);
    }

    #[test]
    fn what_fits_is_kept_and_what_is_pinned_stays() {
        let mut rows = rows(&(0..5_000).map(|nth| nth * 1_000).collect::<Vec<_>>());
        rows[4].pinned = true;
        let (block, kept) = fitting(&rows, 3_000_000, 2_000);
        assert!(block.bytes() <= 2_000);
        assert!(kept.contains(&3_000) && kept.len() > 300 && kept.len() < 1_000, "{kept:?}");
        let mut left_out = Vec::new();
        count(&rows, &kept, &mut left_out);
        assert_eq!(left_out, [("changes of role or term", 4_999 - kept.len(), 5_000)]);
    }
}
