//! All rows of the store, by revision, in blocks that copies of the list share. Copying all rows costs one reference
//! count for each block, and a later change of a row copies the rows of at most one block.

use std::sync::Arc;

use api::mvccpb::KeyValue;

use super::revision::Revision;

/// How many rows a block has at most. A change of a row moves or copies those of its block.
const BLOCK: usize = 32;
/// Two neighbouring blocks with fewer rows than this become one.
const SMALL: usize = BLOCK / 4;

type Row = (Revision, KeyValue);

/// Rows in the order of their revisions.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Each block with a revision that is not above those of its rows, and above those of the block before. No block is
    /// empty.
    blocks: Vec<(Revision, Arc<Vec<Row>>)>,
    len: usize,
}

impl Rows {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The row at `at`.
    pub(super) fn get(&self, at: Revision) -> Option<&KeyValue> {
        let (block, nth) = self.place(at)?;
        Some(&self.blocks[block].1[nth].1)
    }

    /// Adds a row after all others.
    pub(super) fn push(&mut self, at: Revision, row: KeyValue) {
        debug_assert!(
            self.blocks.last().and_then(|(_, rows)| rows.last()).is_none_or(|(last, _)| *last < at)
        );
        self.len += 1;
        match self.blocks.last_mut() {
            Some((_, rows)) if rows.len() < BLOCK => Arc::make_mut(rows).push((at, row)),
            _ => self.blocks.push((at, Arc::new(vec![(at, row)]))),
        }
    }

    /// Removes the row at `at`.
    pub(super) fn remove(&mut self, at: Revision) -> Option<KeyValue> {
        let (block, nth) = self.place(at)?;
        let rows = Arc::make_mut(&mut self.blocks[block].1);
        let (_, row) = rows.remove(nth);
        let left = rows.len();
        self.len -= 1;
        if left == 0 {
            self.blocks.remove(block);
        } else if left < SMALL {
            self.join(block);
        }
        Some(row)
    }

    /// All rows.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Revision, &KeyValue)> {
        self.blocks.iter().flat_map(|(_, rows)| rows.iter()).map(|(at, row)| (*at, row))
    }

    /// The rows from `from` on.
    pub(super) fn since(&self, from: Revision) -> impl Iterator<Item = (Revision, &KeyValue)> {
        let before = self.blocks.partition_point(|(first, _)| *first <= from).saturating_sub(1);
        let earlier =
            self.blocks.get(before).map_or(0, |(_, rows)| rows.partition_point(|(at, _)| *at < from));
        let rows = self.blocks[before..].iter().flat_map(|(_, rows)| rows.iter());
        rows.skip(earlier).map(|(at, row)| (*at, row))
    }

    /// Merges a small block with a neighbour that is small, too.
    fn join(&mut self, block: usize) {
        let is_small = |nth: usize| self.blocks.get(nth).is_some_and(|(_, rows)| rows.len() < SMALL);
        let second = match block.checked_sub(1) {
            Some(before) if is_small(before) => block,
            _ if is_small(block + 1) => block + 1,
            _ => return,
        };
        let (_, rows) = self.blocks.remove(second);
        Arc::make_mut(&mut self.blocks[second - 1].1).extend(Arc::unwrap_or_clone(rows));
    }

    fn place(&self, at: Revision) -> Option<(usize, usize)> {
        let block = self.blocks.partition_point(|(first, _)| *first <= at).checked_sub(1)?;
        let nth = self.blocks[block].1.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        Some((block, nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(main: i64) -> Revision {
        Revision { main, sub: 0 }
    }

    fn row(main: i64) -> KeyValue {
        KeyValue { mod_revision: main, ..KeyValue::default() }
    }

    #[test]
    fn rows_are_found_whatever_was_removed() {
        let mut rows = Rows::default();
        (0..2_000).for_each(|main| rows.push(at(main), row(main)));
        let copy = rows.clone();
        let stays = |main: i64| main % 97 == 5 || main > 1_900;
        for main in (0..2_000).rev().filter(|main| !stays(*main)) {
            assert_eq!(rows.remove(at(main)), Some(row(main)));
            assert_eq!(rows.remove(at(main)), None);
        }
        let left: Vec<i64> = (0..2_000).filter(|main| stays(*main)).collect();
        assert_eq!(rows.iter().map(|(at, _)| at.main).collect::<Vec<_>>(), left);
        for from in [0, 5, 6, 1_000, 1_899, 1_999, 2_000] {
            let since: Vec<i64> = rows.since(at(from)).map(|(at, _)| at.main).collect();
            assert_eq!(since, left.iter().copied().filter(|main| *main >= from).collect::<Vec<_>>());
        }
        for main in 0..2_000 {
            assert_eq!(rows.get(at(main)).is_some(), stays(main));
            assert_eq!(copy.get(at(main)), Some(&row(main)), "the copy stays as it is");
        }
        assert_eq!((rows.len(), copy.len()), (left.len(), 2_000));
        assert!(rows.blocks.len() < 20, "small blocks become one: {}", rows.blocks.len());
    }
}
