//! A list whose items keep their storage when it is emptied.

use std::ops::Deref;

/// A list that is filled and emptied again and again. Its items stay where they are when it is emptied, and are filled
/// anew: large items are neither copied nor freed, and their own lists keep their storage.
#[derive(Clone, Debug)]
pub struct Reused<I> {
    /// The items of the list, and behind them those that wait to be used again.
    items: Vec<I>,
    len: usize,
}

impl<I> Reused<I> {
    /// Adds an item, and returns it. If there is an item from before, it is used again, with its old content; otherwise
    /// the item is `new`.
    #[inline]
    pub fn next(&mut self, new: impl FnOnce() -> I) -> &mut I {
        self.coming(new);
        self.len += 1;
        &mut self.items[self.len - 1]
    }

    /// The item that [`next`](Reused::next) will add, so that a part of it can be written before that.
    #[inline]
    pub fn coming(&mut self, new: impl FnOnce() -> I) -> &mut I {
        if self.len == self.items.len() {
            self.items.push(new());
        }
        &mut self.items[self.len]
    }

    /// The item that was added last, and the one before it.
    #[inline]
    pub fn last_two(&mut self) -> (Option<&I>, Option<&mut I>) {
        match &mut self.items[..self.len] {
            [.., before, last] => (Some(before), Some(last)),
            [only] => (None, Some(only)),
            [] => (None, None),
        }
    }

    /// Empties the list.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Moves all items of another list to the end of this one.
    pub fn append(&mut self, other: &mut Reused<I>) {
        self.items.truncate(self.len);
        self.items.extend(other.items.drain(..other.len));
        (self.len, other.len) = (self.items.len(), 0);
    }
}

impl<I> Default for Reused<I> {
    fn default() -> Reused<I> {
        Reused { items: Vec::new(), len: 0 }
    }
}

impl<I> Deref for Reused<I> {
    type Target = [I];

    #[inline]
    fn deref(&self) -> &[I] {
        &self.items[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_used_again() {
        let mut list = Reused::default();
        *list.next(|| 1) += 1;
        list.next(|| 5);
        assert_eq!(*list, [2, 5]);
        assert_eq!(list.last_two(), (Some(&2), Some(&mut 5)));
        list.clear();
        assert_eq!(list.last_two(), (None, None));
        *list.coming(|| 8) += 1;
        assert!(list.is_empty(), "it comes only with the next");
        assert_eq!(*list.next(|| 9), 3);
        let mut other = Reused::default();
        other.append(&mut list);
        other.next(|| 7);
        assert_eq!((&*list, &*other), (&[][..], &[3, 7][..]));
    }
}
