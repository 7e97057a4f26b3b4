//! Calculates the `range_end` of a request. A request names a range of keys by its first key, `key`, and by `range_end`, the first key after it.
//!
//! Not here: which keys are in a range. `member` and `verify` each have code of their own for that, so that they do not share a mistake.

use bytes::Bytes;

/// One zero byte. As `range_end` it means every key from `key` on; as `key` and `range_end` it means every key.
pub const FROM_KEY: Bytes = Bytes::from_static(b"\0");

/// The `range_end` that, with `prefix` as `key`, means every key that begins with `prefix`.
///
/// It is the first key after all of these: the last byte below 0xff is incremented, and the bytes after it are dropped.
/// If there is no such byte (the prefix is empty, or only 0xff), every key from `prefix` on begins with `prefix`, and the result is [`FROM_KEY`].
/// With an empty prefix, use one zero byte as `key`, because etcd refuses an empty `key`.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    match prefix.iter().rposition(|byte| *byte != 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end.into()
        }
        None => FROM_KEY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_behind_a_prefix() {
        for (prefix, end) in [
            (&b"a"[..], &b"b"[..]),
            (b"ab", b"ac"),
            (b"a\xff", b"b"),
            (b"a\xff\xff", b"b"),
            (b"a\0", b"a\x01"),
            (b"\xff\xff", b"\0"),
            (b"", b"\0"),
        ] {
            assert_eq!(prefix_end(prefix), end, "{prefix:?}");
        }
    }
}
