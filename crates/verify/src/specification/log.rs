//! A member's log as the specification knows it: the term and the kind of every entry, as runs.

use record::step::{Entries, Run};

/// The terms and kinds of a log's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Index and term just before the first entry.
    before: (u64, u64),
    /// The entries, without gaps.
    runs: Vec<Run>,
}

impl Log {
    /// A log without entries after this position.
    pub fn after(index: u64, term: u64) -> Log {
        Log { before: (index, term), runs: Vec::new() }
    }

    /// Index and term of the last entry.
    #[inline]
    pub fn last(&self) -> (u64, u64) {
        self.runs.last().map_or(self.before, |run| (run.last(), run.term))
    }

    /// The term of the entry at `index`, if the log knows it.
    #[inline]
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.before.0 {
            return Some(self.before.1);
        }
        self.run_at(index).map(|run| run.term)
    }

    /// The run with the entry at `index`.
    #[inline]
    fn run_at(&self, index: u64) -> Option<&Run> {
        let last = self.runs.last().filter(|run| index <= run.last())?;
        if index >= last.first {
            return Some(last);
        }
        let at = self.runs.partition_point(|run| run.first <= index);
        self.runs.get(at.checked_sub(1)?)
    }

    /// Whether the entry at `index` has this term.
    #[inline]
    pub fn has(&self, index: u64, term: u64) -> bool {
        self.term_at(index) == Some(term)
    }

    /// The largest index up to `index` with a term up to `term`. What lies more than one below `first` was compacted,
    /// and its terms are unknown: the search ends there.
    pub fn last_up_to(&self, index: u64, term: u64, first: u64) -> u64 {
        let mut at = index;
        while at + 1 >= first && self.term_at(at).is_some_and(|found| found > term) {
            at = self.run_at(at).map_or(at, |run| run.first).saturating_sub(1);
        }
        if at < index && at + 1 < first { first.saturating_sub(2) } else { at }
    }

    /// The index of the first entry that the log does not have, or has with another term.
    pub fn conflict(&self, entries: &Entries) -> Option<u64> {
        for run in entries.runs() {
            let mut at = run.first;
            while at <= run.last() {
                let own = self.run_at(at).filter(|own| own.term == run.term);
                let Some(own) = own else { return Some(at) };
                at = own.last() + 1;
            }
        }
        None
    }

    /// Whether the log has exactly these entries, with their kinds.
    pub fn contains(&self, entries: &Entries) -> bool {
        for run in entries.runs() {
            if !self.contains_run(run) {
                return false;
            }
        }
        true
    }

    /// Whether the log has exactly these entries of one term and kind.
    #[inline]
    fn contains_run(&self, run: &Run) -> bool {
        let mut at = run.first;
        while at <= run.last() {
            let same = |own: &&Run| (own.term, own.kind) == (run.term, run.kind);
            let Some(own) = self.run_at(at).filter(same) else { return false };
            at = own.last() + 1;
        }
        true
    }

    /// Drops the entries from `index` on.
    pub fn cut(&mut self, index: u64) {
        while let Some(run) = self.runs.last_mut().filter(|run| run.last() >= index) {
            if run.first >= index {
                self.runs.pop();
            } else {
                run.count = index - run.first;
            }
        }
    }

    /// Adds entries behind the last one.
    #[inline]
    pub fn push(&mut self, run: Run) {
        debug_assert_eq!(run.first, self.last().0 + 1, "a gap in the log");
        match self.runs.last_mut() {
            Some(last) if (last.term, last.kind) == (run.term, run.kind) => last.count += run.count,
            _ => self.runs.push(run),
        }
    }

    /// Puts the entries from `index` on in the place of what is there.
    pub fn replace(&mut self, index: u64, entries: &Entries) {
        self.cut(index);
        for run in entries.runs().filter(|run| run.last() >= index) {
            let first = run.first.max(index);
            if first == self.last().0 + 1 {
                self.push(Run { first, count: run.last() - first + 1, ..*run });
            }
        }
    }

    /// All entries from `index` on.
    pub fn entries_from(&self, index: u64) -> Entries {
        let mut entries = Entries::default();
        for run in self.runs.iter().filter(|run| run.last() >= index) {
            (run.first.max(index)..=run.last()).for_each(|at| entries.push(at, run.term, run.kind, 0));
        }
        entries
    }

    /// The first change of the configuration after `after`, up to `to`.
    pub fn change(&self, after: u64, to: u64) -> Option<u64> {
        let behind = self.runs.iter().rev().take_while(|run| run.last() > after);
        let changes = behind.filter(|run| run.kind.is_change() && run.first <= to);
        changes.last().map(|run| run.first.max(after + 1)).filter(|first| *first <= to)
    }

    /// Drops entries below `first`, which the member has compacted.
    #[inline]
    pub fn trim(&mut self, first: u64) {
        // Runs are dropped in batches, and not one by one: it is cheap to keep a few more.
        if self.runs.len() > 32 && self.runs[16].first < first {
            let drop = self.runs.partition_point(|run| run.last() < first);
            if let Some(last) = drop.checked_sub(1).map(|at| self.runs[at]) {
                self.before = (last.last(), last.term);
                self.runs.drain(..drop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use record::step::EntryKind;

    use super::*;

    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        log.replace(1, &entries(1, terms));
        log
    }

    fn entries(first: u64, terms: &[u64]) -> Entries {
        let mut entries = Entries::default();
        (first..).zip(terms).for_each(|(index, term)| entries.push(index, *term, EntryKind::Data, 1));
        entries
    }

    #[test]
    fn terms_are_those_of_the_entries() {
        let log = log(&[1, 1, 2, 2, 5]);
        assert_eq!(log.last(), (5, 5));
        let terms: Vec<_> = (0..=6).map(|index| log.term_at(index)).collect();
        assert_eq!(terms, [Some(0), Some(1), Some(1), Some(2), Some(2), Some(5), None]);
        let found = [(5, 4, 1), (4, 1, 1), (5, 5, 1), (5, 1, 5), (2, 0, 5)];
        let found = found.map(|(index, term, first)| log.last_up_to(index, term, first));
        assert_eq!(found, [4, 2, 5, 3, 2]);
    }

    #[test]
    fn a_conflict_is_the_first_entry_that_is_missing_or_differs() {
        let log = log(&[1, 1, 2, 2]);
        assert_eq!(log.conflict(&entries(2, &[1, 2])), None);
        assert_eq!(log.conflict(&entries(2, &[1, 2, 2, 2])), Some(5));
        assert_eq!(log.conflict(&entries(2, &[1, 3])), Some(3));
        assert!(log.contains(&entries(2, &[1, 2, 2])) && !log.contains(&entries(4, &[2, 2])));
    }

    #[test]
    fn replacing_cuts_what_was_there() {
        let mut log = log(&[1, 1, 2, 2]);
        log.replace(3, &entries(2, &[1, 3]));
        assert_eq!((log.last(), log.term_at(2)), ((3, 3), Some(1)));
        log.cut(2);
        assert_eq!(log.last(), (1, 1));
    }

    #[test]
    fn changes_are_found_between_two_indexes() {
        let mut log = log(&[1, 1]);
        log.push(Run { first: 3, count: 1, term: 1, kind: EntryKind::Change });
        log.push(Run { first: 4, count: 2, term: 1, kind: EntryKind::Data });
        assert_eq!(
            [log.change(0, 5), log.change(2, 3), log.change(3, 5), log.change(0, 2)],
            [Some(3), Some(3), None, None]
        );
    }

    #[test]
    fn what_is_trimmed_leaves_its_last_term() {
        let mut log = Log::default();
        (1..=40)
            .for_each(|index| log.push(Run { first: index, count: 1, term: index, kind: EntryKind::Data }));
        log.trim(31);
        assert_eq!((log.term_at(30), log.term_at(31), log.term_at(29)), (Some(30), Some(31), None));
    }
}
