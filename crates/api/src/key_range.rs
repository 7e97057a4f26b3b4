//! Building the `range_end` of a request.
//!
//! What a `range_end` *means* is not here: `member` and `verify` each have code of their own for that, so that they do not share a mistake.

use bytes::Bytes;

/// As `range_end`: every key from `key` on. As both: every key.
pub const FROM_KEY: Bytes = Bytes::from_static(b"\0");

/// The `range_end` that, with `prefix` as `key`, means every key that begins with `prefix`.
///
/// It is the first key after them: the last byte that can be incremented is, and the bytes after it are dropped.
/// If there is no such byte (the empty prefix, or only 0xff), every key from `prefix` on begins with it, and the result is [`FROM_KEY`].
/// The empty prefix needs a `key` of one zero byte, as an empty `key` is refused.
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
