//! Entries of a log without their content: runs of entries of one term and kind.

/// The kinds of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntryKind {
    /// Without content: the first entry of a leader, or what raft puts in place of a refused change.
    #[default]
    Empty,
    /// A proposal with data.
    Data,
    /// A change of the configuration.
    Change,
    /// A change of the configuration that leaves a joint configuration.
    Leave,
}

impl EntryKind {
    /// Whether it changes the configuration.
    #[inline]
    pub const fn is_change(self) -> bool {
        matches!(self, EntryKind::Change | EntryKind::Leave)
    }
}

/// Successive entries of one term and one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The index of the first one.
    pub first: u64,
    /// How many they are.
    pub count: u64,
    /// Their term.
    pub term: u64,
    /// Their kind.
    pub kind: EntryKind,
}

impl Run {
    /// The index of the last one.
    #[inline]
    pub const fn last(&self) -> u64 {
        self.first + self.count - 1
    }
}

/// Successive entries, as runs. Most messages have at most one run, which needs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    head: Run,
    rest: Vec<Run>,
    /// The bytes of their data, together.
    pub bytes: u64,
}

impl Entries {
    /// Adds the entry that follows.
    #[inline]
    pub fn push(&mut self, index: u64, term: u64, kind: EntryKind, bytes: u64) {
        self.bytes += bytes;
        let end = self.rest.last_mut().unwrap_or(&mut self.head);
        if end.count > 0 && (end.term, end.kind, end.first + end.count) == (term, kind, index) {
            end.count += 1;
            return;
        }
        let run = Run { first: index, count: 1, term, kind };
        if self.head.count == 0 {
            self.head = run;
        } else {
            self.rest.push(run);
        }
    }

    /// Drops them all.
    #[inline]
    pub fn clear(&mut self) {
        (self.head, self.bytes) = (Run::default(), 0);
        self.rest.clear();
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.head.count == 0
    }

    /// How many they are.
    pub fn len(&self) -> u64 {
        self.runs().map(|run| run.count).sum()
    }

    /// The index of the first one; 0 if there are none.
    #[inline]
    pub const fn first(&self) -> u64 {
        self.head.first
    }

    /// The last one's run, if there are any.
    #[inline]
    pub fn last(&self) -> Option<&Run> {
        if self.is_empty() { None } else { Some(self.rest.last().unwrap_or(&self.head)) }
    }

    /// The runs, in order.
    #[inline]
    pub fn runs(&self) -> impl Iterator<Item = &Run> + Clone {
        let head = if self.is_empty() { &[] } else { std::slice::from_ref(&self.head) };
        head.iter().chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_term_and_kind_are_one_run() {
        let mut entries = Entries::default();
        assert!(entries.is_empty() && entries.last().is_none());
        for (index, term, kind) in [
            (5, 2, EntryKind::Data),
            (6, 2, EntryKind::Data),
            (7, 3, EntryKind::Empty),
            (8, 3, EntryKind::Data),
            (9, 3, EntryKind::Data),
        ] {
            entries.push(index, term, kind, 10);
        }
        let runs: Vec<_> = entries.runs().map(|run| (run.first, run.last(), run.term)).collect();
        assert_eq!(runs, [(5, 6, 2), (7, 7, 3), (8, 9, 3)]);
        assert_eq!((entries.first(), entries.len(), entries.bytes), (5, 5, 50));
    }
}
