//! The set of keys that the fields `key` and `range_end` of a request mean together.

/// A set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRange<'a> {
    /// One key.
    Single(&'a [u8]),
    /// This key and all after it.
    From(&'a [u8]),
    /// From the first, inclusive, to the second, exclusive. It is empty if the second is not after the first.
    Between(&'a [u8], &'a [u8]),
}

impl<'a> KeyRange<'a> {
    /// Without an end, the range is one key; with an end of one zero byte, it is all keys from `key` on.
    pub fn new(key: &'a [u8], range_end: &'a [u8]) -> KeyRange<'a> {
        match range_end {
            [] => KeyRange::Single(key),
            [0] => KeyRange::From(key),
            _ => KeyRange::Between(key, range_end),
        }
    }

    /// Whether the range contains `key`.
    pub fn contains(self, key: &[u8]) -> bool {
        match self {
            KeyRange::Single(only) => only == key,
            KeyRange::From(first) => first <= key,
            KeyRange::Between(first, end) => first <= key && key < end,
        }
    }
}
