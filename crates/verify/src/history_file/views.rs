//! Views of clients' copies in a history file: `{"cache": {"client", "at", "keys", "revision", "pairs"}}`.

use std::io;

use api::mvccpb::KeyValue;
use bytes::Bytes;
use record::{CacheView, Nanos};
use serde::{Deserialize, Serialize};

use super::{FileError, parse};

/// A line of the file that contains a view of a client's copy.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    cache: View,
}

/// What a client's copy of some keys held at a time.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    client: u32,
    at: Nanos,
    keys: Keys,
    revision: i64,
    /// The pairs of the copy. Of each, only the key and the revision of its last change are used.
    pairs: Vec<KeyValue>,
}

/// The keys of a copy. This message of the API is used because it has a key and a range end, and its JSON form is that
/// of etcd's gateway.
type Keys = api::etcdserverpb::DeleteRangeRequest;

/// Reads a line that has a `"cache"`.
pub(super) fn read(file: &str, number: usize, line: &str) -> Result<CacheView, FileError> {
    let View { client, at, keys, revision, pairs } = parse::<Line>(file, number, line)?.cache;
    let pairs = pairs.into_iter().map(|kv| (kv.key, kv.mod_revision)).collect();
    Ok(CacheView { client, at, keys: (keys.key, keys.range_end), revision, pairs })
}

/// Writes one view.
pub(super) fn write(out: &mut impl io::Write, view: &CacheView) -> io::Result<()> {
    let CacheView { client, at, keys: (key, range_end), revision, pairs } = view;
    let pair = |(key, mod_revision): &(Bytes, i64)| KeyValue {
        key: key.clone(),
        mod_revision: *mod_revision,
        ..KeyValue::default()
    };
    let keys = Keys { key: key.clone(), range_end: range_end.clone(), prev_kv: false };
    let pairs = pairs.iter().map(pair).collect();
    let cache = View { client: *client, at: *at, keys, revision: *revision, pairs };
    serde_json::to_writer(&mut *out, &Line { cache })?;
    writeln!(out)
}
