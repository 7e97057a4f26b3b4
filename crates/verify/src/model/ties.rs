//! Notes which parts of an answer have no defined order, so that an answer in another order is not taken for wrong.
//!
//! If a range is sorted, for example by version, several keys may be equal in the field that it is sorted by: a *tie*.
//! etcd sorts with Go's unstable `sort.Sort`, so such keys come in any order; and if the limit cuts through a group of
//! them, any of them may be returned.

use api::mvccpb::KeyValue;

/// The ties in the sorted ranges of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// How many ranges there were so far.
    ranges: usize,
    tied: Vec<Tied>,
}

/// The ties of one range.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tied {
    /// Which range of the answer, in the order in which they are answered.
    range: usize,
    /// The lengths of the groups of equal keys among those returned, in order.
    groups: Vec<usize>,
    /// The whole last group, including what the limit cut off.
    last: Vec<KeyValue>,
}

impl Ties {
    /// Forgets everything, for the next answer.
    pub fn clear(&mut self) {
        self.ranges = 0;
        self.tied.clear();
    }

    /// Counts a range.
    pub(super) fn next_range(&mut self) -> usize {
        self.ranges += 1;
        self.ranges - 1
    }

    /// Notes the groups among the first `returned` of the sorted `kvs`, if any has more than one key.
    pub(super) fn note(
        &mut self,
        range: usize,
        kvs: &[KeyValue],
        returned: usize,
        equal: impl Fn(&KeyValue, &KeyValue) -> bool,
        shown: impl Fn(KeyValue) -> KeyValue,
    ) {
        let mut groups = Vec::new();
        let mut last = &kvs[..0];
        for group in kvs.chunk_by(equal) {
            let before: usize = groups.iter().sum();
            if before >= returned {
                break;
            }
            groups.push(group.len().min(returned - before));
            last = group;
        }
        if groups.len() < returned || groups.last().is_some_and(|length| *length < last.len()) {
            self.tied.push(Tied { range, groups, last: last.iter().cloned().map(shown).collect() });
        }
    }

    /// Whether the pairs of range number `range` may be `observed` although the model says `expected`.
    pub fn allow(&self, range: usize, expected: &[KeyValue], observed: &[KeyValue]) -> bool {
        let Some(tied) = self.tied.iter().find(|tied| tied.range == range) else {
            return false;
        };
        if expected.len() != observed.len() {
            return false;
        }
        let mut from = 0;
        for (at, length) in tied.groups.iter().enumerate() {
            let (expected, observed) = (&expected[from..from + length], &observed[from..from + length]);
            let last = at + 1 == tied.groups.len();
            let candidates = if last { &tied.last[..] } else { expected };
            if !picked_from(observed, candidates) {
                return false;
            }
            from += length;
        }
        true
    }
}

/// Whether `picked` are distinct elements of `candidates`, which have no key twice.
fn picked_from(picked: &[KeyValue], candidates: &[KeyValue]) -> bool {
    picked.iter().enumerate().all(|(at, one)| {
        candidates.contains(one) && !picked[..at].iter().any(|earlier| earlier.key == one.key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(key: &'static str, version: i64) -> KeyValue {
        KeyValue { key: key.into(), version, ..KeyValue::default() }
    }

    /// Sorted by version: a | b c d | e.
    fn ties(returned: usize) -> (Ties, Vec<KeyValue>) {
        let kvs = [kv("a", 1), kv("b", 2), kv("c", 2), kv("d", 2), kv("e", 3)];
        let mut ties = Ties::default();
        let range = ties.next_range();
        ties.note(range, &kvs, returned, |a, b| a.version == b.version, |kv| kv);
        (ties, kvs[..returned].to_vec())
    }

    #[test]
    fn equal_keys_come_in_any_order() {
        let (ties, expected) = ties(5);
        let answer = |order: [usize; 5]| order.map(|at| expected[at].clone());
        assert!(ties.allow(0, &expected, &answer([0, 3, 1, 2, 4])));
        assert!(!ties.allow(0, &expected, &answer([1, 0, 2, 3, 4])), "a is below b");
        assert!(!ties.allow(0, &expected, &answer([0, 1, 1, 2, 4])), "b comes once");
        assert!(!ties.allow(1, &expected, &answer([0, 3, 1, 2, 4])), "another range of the answer");
    }

    #[test]
    fn a_limit_may_cut_any_of_them_off() {
        let (ties, expected) = ties(3);
        let answer =
            |keys: [&'static str; 3], versions: [i64; 3]| [0, 1, 2].map(|at| kv(keys[at], versions[at]));
        assert!(ties.allow(0, &expected, &answer(["a", "d", "b"], [1, 2, 2])));
        assert!(!ties.allow(0, &expected, &answer(["a", "d", "e"], [1, 2, 3])), "e is above them all");
        assert!(!ties.allow(0, &expected, &answer(["a", "d", "x"], [1, 2, 2])), "there is no x");
    }

    #[test]
    fn without_ties_nothing_is_allowed_but_what_is_expected() {
        let mut ties = Ties::default();
        ties.note(0, &[kv("a", 1), kv("b", 2)], 2, |a, b| a.version == b.version, |kv| kv);
        assert_eq!(ties, Ties::default());
    }
}
