//! The rows (operations, by number) that the search has not put in its order yet, as two linked lists: one in the
//! order of calls, one in the order of returns.

use crate::order::{self, NEVER};

/// The open rows: those that are not in the order yet. A row that is taken out keeps its own links, so putting
/// rows back in the reverse order restores the lists exactly (dancing links). Nothing is allocated after the
/// start.
pub(crate) struct Open {
    /// By row: the next and the previous row in the order of calls. The entry at `end` links the ends of the
    /// list.
    next: Vec<u32>,
    previous: Vec<u32>,
    /// The same in the order of returns, without rows that never return.
    next_return: Vec<u32>,
    previous_return: Vec<u32>,
    /// The number of rows. At this index each list has an entry that links its two ends.
    end: u32,
    /// By row: the position of its return. [`NEVER`] at the index `end`.
    ret: Vec<u32>,
}

impl Open {
    /// All rows, with none taken out. `ret` has the position of the return of each row; equal entries are allowed.
    pub(crate) fn new(ret: &[u32]) -> Open {
        let end = ret.len() as u32;
        let returning = ret.iter().enumerate().filter(|&(_, &ret)| ret != NEVER);
        let mut by_return: Vec<u64> = returning.map(|(row, &ret)| order::pack(ret, row as u32)).collect();
        order::sort_almost_sorted(&mut by_return);
        let (next, previous) = link(end, 0..end);
        let (next_return, previous_return) = link(end, by_return.into_iter().map(order::row));
        let mut ret = ret.to_vec();
        ret.push(NEVER);
        Open { next, previous, next_return, previous_return, end, ret }
    }

    /// The open row that was called first, or [`Open::end`].
    #[inline]
    pub(crate) fn first(&self) -> u32 {
        self.next[self.end as usize]
    }

    /// The open row called after this one, or [`Open::end`]. Also correct for a row that was just taken out.
    #[inline]
    pub(crate) fn after(&self, row: u32) -> u32 {
        self.next[row as usize]
    }

    /// A number that stands for "no row".
    #[inline]
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// The earliest return of the open rows. Rows called after it may not come next.
    #[inline]
    pub(crate) fn earliest_return(&self) -> u32 {
        self.ret[self.next_return[self.end as usize] as usize]
    }

    /// Takes a row out of both lists.
    #[inline]
    pub(crate) fn take(&mut self, row: u32) {
        let at = row as usize;
        let (next, previous) = (self.next[at], self.previous[at]);
        self.next[previous as usize] = next;
        self.previous[next as usize] = previous;
        if self.ret[at] != NEVER {
            let (next, previous) = (self.next_return[at], self.previous_return[at]);
            self.next_return[previous as usize] = next;
            self.previous_return[next as usize] = previous;
        }
    }

    /// Puts back the row that was taken out last of those that are out.
    #[inline]
    pub(crate) fn put_back(&mut self, row: u32) {
        let at = row as usize;
        let (next, previous) = (self.next[at], self.previous[at]);
        self.next[previous as usize] = row;
        self.previous[next as usize] = row;
        if self.ret[at] != NEVER {
            let (next, previous) = (self.next_return[at], self.previous_return[at]);
            self.next_return[previous as usize] = row;
            self.previous_return[next as usize] = row;
        }
    }
}

/// Links the rows into a ring through `end`, in this order.
fn link(end: u32, rows: impl Iterator<Item = u32>) -> (Vec<u32>, Vec<u32>) {
    let mut next = vec![end; end as usize + 1];
    let mut previous = vec![end; end as usize + 1];
    let mut last = end;
    for row in rows {
        next[last as usize] = row;
        previous[row as usize] = last;
        last = row;
    }
    next[last as usize] = end;
    previous[end as usize] = last;
    (next, previous)
}
