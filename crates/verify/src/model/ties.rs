//! Which parts of an answer have no defined order.
//!
//! etcd sorts with Go's unstable `sort.Sort`: keys that the sort target does not tell apart come in any order,
//! and where the limit cuts through such a group, any of it may be returned.

use api::mvccpb::KeyValue;

/// The ties in the sorted ranges of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    ranges: usize,
    tied: Vec<Tied>,
}

/// The ties of one range.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tied {
    /// Which range of the answer, counted in the order in which they are answered.
    range: usize,
    /// The lengths of the groups of equal keys, in order, over what is returned.
    groups: Vec<usize>,
    /// All of the last group, also what the limit cut off.
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

    /// Whether the `range`-th range of an answer may be `observed` where the model says `expected`.
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

/// Whether `picked` are different ones of `candidates`, which have no key twice.
fn picked_from(picked: &[KeyValue], candidates: &[KeyValue]) -> bool {
    picked.iter().enumerate().all(|(at, one)| {
        candidates.contains(one) && !picked[..at].iter().any(|earlier| earlier.key == one.key)
    })
}
