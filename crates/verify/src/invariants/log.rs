//! A member's log as the facts report it: the term of every entry.
//!
//! Digests of entries are not kept here: I2 (log matching) checks that an index and a term name one entry only. So a
//! log is a few runs of entries of equal term, however long it is.

/// The term of an entry whose term no fact reported: the last entry of a snapshot that is still being installed.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// The terms of a log's entries.
#[derive(Clone, Debug, Default)]
pub(super) struct TermLog {
    /// Index and term just before the first entry.
    before: (u64, u64),
    /// First index and term of each run, ascending; neighbours differ in their term.
    runs: Vec<(u64, u64)>,
    /// Last index; that of `before` if there is no entry.
    last: u64,
}

impl TermLog {
    /// A log without entries after this position.
    pub fn after(index: u64, term: u64) -> TermLog {
        TermLog { before: (index, term), runs: Vec::new(), last: index }
    }

    /// Index just before the first entry.
    pub fn before(&self) -> u64 {
        self.before.0
    }

    /// Last index.
    #[inline]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The term of the entry at `index`; `None` if the log does not reach it or the term is unknown.
    #[inline]
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index > self.last || index < self.before.0 {
            return None;
        }
        if index == self.before.0 {
            return (self.before.1 != UNKNOWN).then_some(self.before.1);
        }
        self.runs.iter().rev().find(|run| run.0 <= index).map(|run| run.1)
    }

    /// Puts an entry at `index`, and drops what was at and after it. An entry beyond the end begins a new log: a
    /// snapshot must have filled the gap.
    #[inline]
    pub fn put(&mut self, index: u64, term: u64) {
        if index != self.last + 1 {
            self.make_room(index);
        }
        if self.runs.last().is_none_or(|run| run.1 != term) {
            self.runs.push((index, term));
        }
        self.last = index;
    }

    /// Drops what was at and after `index`, where an entry comes now.
    #[cold]
    fn make_room(&mut self, index: u64) {
        if index > self.last || index <= self.before.0 {
            *self = TermLog::after(index.saturating_sub(1), UNKNOWN);
        } else {
            self.runs.retain(|run| run.0 < index);
        }
    }

    /// Drops everything up to `index`, whose entry has this term.
    pub fn drop_to(&mut self, index: u64, term: u64) {
        if index >= self.last {
            *self = TermLog::after(index, term);
        } else if index > self.before.0 {
            let keep = self.runs.iter().rposition(|run| run.0 <= index + 1).unwrap_or(0);
            self.runs.drain(..keep);
            self.runs[0].0 = self.runs[0].0.max(index + 1);
            self.before = (index, term);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Put { back: u64, term: u64 },
        Drop { ahead: u64 },
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0_u64..4, 1_u64..4).prop_map(|(back, term)| Op::Put { back, term }),
            1 => (0_u64..6).prop_map(|ahead| Op::Drop { ahead }),
        ]
    }

    proptest! {
        #[test]
        fn runs_say_the_same_as_a_list_of_terms(ops in prop::collection::vec(op(), 0..60)) {
            let (mut log, mut twin, mut gone) = (TermLog::default(), vec![0_u64], 0_usize);
            for op in ops {
                match op {
                    Op::Put { back, term } => {
                        let index = (twin.len() as u64).saturating_sub(back).max(gone as u64 + 1);
                        log.put(index, term);
                        twin.truncate(index as usize);
                        twin.push(term);
                    }
                    Op::Drop { ahead } => {
                        gone = (gone + ahead as usize).min(twin.len() - 1);
                        log.drop_to(gone as u64, twin[gone]);
                    }
                }
                prop_assert_eq!(log.last(), twin.len() as u64 - 1);
                for index in 0..twin.len() + 2 {
                    let expected = twin.get(index).copied().filter(|_| index >= gone);
                    prop_assert_eq!(log.term_at(index as u64), expected, "index {} of {:?}", index, log);
                }
                prop_assert!(log.runs.windows(2).all(|two| two[0].1 != two[1].1 && two[0].0 < two[1].0));
            }
        }
    }
}
