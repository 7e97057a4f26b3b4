//! The revision of a change, and the key of its row in the backend.

use bytes::Bytes;

/// The revision of a change of one key. `main` counts the transactions that wrote to the store; a single put,
/// a deletion and the revocation of a lease are transactions, too. `sub` counts the changes of one
/// transaction, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision {
    /// What the API calls the revision.
    pub main: i64,
    /// Clients do not see it, except that it decides the order of the events of a watch.
    pub sub: i64,
}

/// The length of a row's key in bytes, without the mark of a tombstone.
const LEN: usize = 17;
const SEPARATOR: u8 = b'_';
const TOMBSTONE: u8 = b't';

impl Revision {
    /// The revision of the first change of a transaction.
    pub(super) fn first_of(main: i64) -> Revision {
        Revision { main, sub: 0 }
    }

    /// The key of a row in the backend, in etcd's format (`mvcc/revision.go`): both numbers in big endian, so
    /// that rows are ordered by revision, followed by `t` for a tombstone.
    pub fn row_key(self, tombstone: bool) -> Bytes {
        let mut key = [0_u8; LEN + 1];
        key[..8].copy_from_slice(&self.main.to_be_bytes());
        key[8] = SEPARATOR;
        key[9..LEN].copy_from_slice(&self.sub.to_be_bytes());
        key[LEN] = TOMBSTONE;
        Bytes::copy_from_slice(&key[..LEN + usize::from(tombstone)])
    }

    /// The revision and whether the row is a tombstone; `None` if this is not a row's key.
    pub fn from_row_key(key: &[u8]) -> Option<(Revision, bool)> {
        let (main, rest) = key.split_first_chunk::<8>()?;
        let (separator, rest) = rest.split_first()?;
        let (sub, mark) = rest.split_first_chunk::<8>()?;
        let at = Revision { main: i64::from_be_bytes(*main), sub: i64::from_be_bytes(*sub) };
        let sound = *separator == SEPARATOR && at.main >= 0 && at.sub >= 0;
        match mark {
            [] if sound => Some((at, false)),
            [TOMBSTONE] if sound => Some((at, true)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_keys_are_etcds_and_sort_like_revisions() {
        let at = |main, sub| Revision { main, sub };
        assert_eq!(at(0x0102, 3).row_key(true), b"\0\0\0\0\0\0\x01\x02_\0\0\0\0\0\0\0\x03t"[..]);
        let ascending = [
            (at(2, 0), false),
            (at(2, 1), true),
            (at(2, 255), false),
            (at(2, 256), false),
            (at(300, 0), true),
        ];
        let keys = ascending.map(|(at, tombstone)| at.row_key(tombstone));
        assert!(keys.is_sorted());
        assert_eq!(keys.map(|key| Revision::from_row_key(&key)), ascending.map(Some));
    }

    #[test]
    fn other_keys_are_not_row_keys() {
        let key = Revision { main: 2, sub: 0 }.row_key(true);
        let mut others: Vec<Vec<u8>> = (0..LEN).map(|len| key[..len].to_vec()).collect();
        others.push([&key[..], b"t"].concat());
        others.push([&key[..LEN], b"x"].concat());
        others.push([&key[..8], b"-", &key[9..]].concat());
        others.push([b"\xff", &key[1..]].concat());
        for other in others {
            assert_eq!(Revision::from_row_key(&other), None, "{other:02x?}");
        }
    }
}
