//! Streamed ranges (`KV.RangeStream`, since etcd 3.7): the answer of a range in chunks, all of one revision, so that
//! neither side holds the whole answer at once.
//!
//! The first chunk has at most ten pairs; the size of each chunk determines how many pairs the next one has. The last
//! chunk alone has the header, `more` and `count`. A chunk is read when the client has taken the one before, so writes
//! and compactions come between two chunks; a compaction past the revision of the stream ends it with an error. This is
//! etcd's `v3_server.go`, `RangeStream`.
//!
//! Deliberately different: a stream that asks for a negative revision stays at the revision of its first chunk, as one
//! that asks for 0 does, and a sort target without an order is refused. The flaws M-range-revision and M-range-sort do
//! what etcd 3.7 does instead.

use std::collections::{BTreeMap, BTreeSet};

use api::Error;
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::{RangeRequest, RangeResponse, ResponseHeader};
use prost::Message as _;
use record::Inner;

use crate::apply;
use crate::flaw::{Flaw, Flaws};
use crate::inner;
use crate::keeps::{Count, count};
use crate::mvcc::Store;

/// The bit of operation numbers that stand for a stream while it waits for its ReadIndex.
const STREAM: u64 = 1 << 60;

/// How many pairs the first chunk has at most.
const FIRST_CHUNK: i64 = 10;

/// The streamed ranges that are not over.
#[derive(Debug, Default)]
pub(crate) struct RangeStreams {
    /// Those that wait for ReadIndex.
    waiting: BTreeSet<u64>,
    open: BTreeMap<u64, RangeStream>,
}

/// A range of which chunks are being sent.
#[derive(Debug)]
struct RangeStream {
    /// What is left to read: the key follows the last one that was sent, the limit is what is left of it, and the
    /// revision is that of the first chunk.
    rest: RangeRequest,
    /// How many pairs the next chunk may have.
    pairs: i64,
    /// The header and the count of the answer, once the first chunk is read.
    whole: Option<(Option<ResponseHeader>, i64)>,
    /// The auth revision of the user; 0 if there is none.
    auth_revision: u64,
    flaws: Flaws,
}

/// One chunk of a range.
#[derive(Debug, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) pairs: RangeResponse,
    /// For the last chunk of its stream: the auth revision of the user.
    pub(crate) last: Option<u64>,
}

/// The operation number that stands for a stream while it waits.
pub(crate) fn operation_of(stream: u64) -> u64 {
    STREAM | stream
}

/// The stream for which an operation number stands, if it stands for one.
pub(crate) fn stream_of(operation: u64) -> Option<u64> {
    (operation >> 60 == STREAM >> 60).then_some(operation ^ STREAM)
}

/// Checks the form of a request, in etcd's order.
///
/// # Errors
/// `EmptyKey`, `InvalidSortOption`, `RangeStreamSort`, `RangeStreamFilter`.
pub(crate) fn check(request: &RangeRequest, flaws: Flaws) -> Result<(), Error> {
    apply::check_range(request)?;
    let (order, target) = (request.sort_order(), request.sort_target());
    let sorted = match (order, target) {
        (SortOrder::None | SortOrder::Ascend, SortTarget::Key) => false,
        (SortOrder::None, _) => !flaws.has(Flaw::RangeStreamSortTarget), // flaw M-range-sort
        _ => true,
    };
    if sorted {
        return Err(Error::RangeStreamSort);
    }
    if apply::is_filtered(request) { Err(Error::RangeStreamFilter) } else { Ok(()) }
}

impl RangeStreams {
    /// A stream waits for ReadIndex.
    pub(crate) fn wait(&mut self, stream: u64) {
        self.waiting.insert(stream);
    }

    /// A stream stops waiting. Returns whether it was waiting.
    pub(crate) fn waited(&mut self, stream: u64) -> bool {
        self.waiting.remove(&stream)
    }

    /// A stream begins to send chunks, for a user with this auth revision.
    pub(crate) fn open(&mut self, stream: u64, request: RangeRequest, auth_revision: u64, flaws: Flaws) {
        let open = RangeStream { rest: request, pairs: FIRST_CHUNK, whole: None, auth_revision, flaws };
        self.open.insert(stream, open);
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("streamed-ranges", self.waiting.len() + self.open.len())]
    }

    /// The client's end of a stream is gone.
    pub(crate) fn closed(&mut self, stream: u64) {
        self.waiting.remove(&stream);
        self.open.remove(&stream);
    }

    /// Reads the next chunk of a stream; `None` if chunks of this stream are not being sent. `largest` is the size of
    /// the largest request, which decides how large chunks become. After an error and after the last chunk, the stream
    /// is over.
    pub(crate) fn next(&mut self, stream: u64, store: &Store, largest: u64) -> Option<Result<Chunk, Error>> {
        let open = self.open.get_mut(&stream)?;
        let (asked, first) = (open.rest.revision, open.whole.is_none());
        let revision = if asked > 0 { asked } else { store.revision() };
        inner::tell(|| Inner::Chunk { stream, revision, first });
        let chunk = open.next(store, largest);
        if chunk.as_ref().map_or(true, |chunk| chunk.last.is_some()) {
            self.open.remove(&stream);
        }
        Some(chunk)
    }
}

impl RangeStream {
    fn next(&mut self, store: &Store, largest: u64) -> Result<Chunk, Error> {
        let last = Some(self.auth_revision);
        // As in etcd, a negative limit means no limit, and such a range is not divided.
        if self.rest.count_only || self.rest.limit < 0 {
            return Ok(Chunk { pairs: apply::range(store, &self.rest)?, last });
        }
        let (pairs, limit) = (self.pairs, self.rest.limit);
        let take = if limit > 0 { pairs.min(limit) } else { pairs };
        let mut chunk = apply::range(store, &RangeRequest { limit: take, ..self.rest.clone() })?;
        let (header, count) = *self.whole.get_or_insert((chunk.header, chunk.count));
        let stays = self.rest.revision < 0 && self.flaws.has(Flaw::RangeStreamUnpinned); // flaw M-range-revision
        if self.rest.revision <= 0 && !stays {
            self.rest.revision = store.revision();
        }
        match chunk.kvs.last() {
            Some(before) if chunk.more && take != limit => {
                self.rest.key = [&before.key[..], b"\0"].concat().into();
                self.rest.limit -= if limit > 0 { take } else { 0 };
                let bytes = chunk.encoded_len() as u64;
                if bytes < largest / 2 {
                    self.pairs = self.pairs.saturating_mul(2);
                } else if bytes > largest.saturating_mul(2) {
                    self.pairs = (self.pairs / 2).max(1);
                }
                let pairs = RangeResponse { kvs: chunk.kvs, ..RangeResponse::default() };
                Ok(Chunk { pairs, last: None })
            }
            _ => {
                (chunk.header, chunk.count) = (header, count);
                Ok(Chunk { pairs: chunk, last })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::RangeStreamResponse;
    use api::merge;

    use super::*;

    const LARGEST: u64 = 1_572_864;

    /// A store with `keys` keys, each with a value of this many bytes.
    fn store(keys: usize, bytes: usize) -> Store {
        let mut store = Store::new();
        for key in 0..keys {
            store.write().put(&format!("k{key:04}").into(), vec![b'v'; bytes].into(), 0);
        }
        store
    }

    fn all() -> RangeRequest {
        RangeRequest { key: "k".into(), range_end: "l".into(), ..RangeRequest::default() }
    }

    /// The chunks of a stream; `between` happens after each but the last.
    fn chunks(
        store: &mut Store,
        request: &RangeRequest,
        flaws: Flaws,
        mut between: impl FnMut(&mut Store),
    ) -> Result<Vec<RangeResponse>, Error> {
        let (mut streams, mut chunks) = (RangeStreams::default(), Vec::new());
        streams.open(7, request.clone(), 3, flaws);
        while let Some(chunk) = streams.next(7, store, LARGEST) {
            let Chunk { pairs, last } = chunk?;
            chunks.push(pairs);
            match last {
                Some(revision) => assert_eq!(revision, 3),
                None => between(store),
            }
        }
        Ok(chunks)
    }

    fn merged(chunks: Vec<RangeResponse>) -> RangeResponse {
        let mut whole = RangeResponse::default();
        for chunk in chunks {
            merge(&mut whole, &RangeStreamResponse { range_response: Some(chunk) });
        }
        whole
    }

    fn sizes(chunks: &[RangeResponse]) -> Vec<usize> {
        chunks.iter().map(|chunk| chunk.kvs.len()).collect()
    }

    #[test]
    fn merged_chunks_are_the_answer_of_the_range() {
        let mut store = store(100, 1);
        let range = all();
        for request in [
            range.clone(),
            RangeRequest { revision: 50, ..range.clone() },
            RangeRequest { limit: 10, ..range.clone() },
            RangeRequest { limit: 11, ..range.clone() },
            RangeRequest { limit: 100, ..range.clone() },
            RangeRequest { limit: -1, ..range.clone() },
            RangeRequest { keys_only: true, ..range.clone() },
            RangeRequest { count_only: true, ..range.clone() },
            RangeRequest { key: "k0007".into(), range_end: "".into(), ..range.clone() },
            RangeRequest { key: "x".into(), range_end: "y".into(), ..range.clone() },
            RangeRequest { key: "\0".into(), range_end: "\0".into(), ..range.clone() },
        ] {
            let answer = apply::range(&store, &request).unwrap();
            let chunks = chunks(&mut store, &request, Flaws::NONE, |_| {}).unwrap();
            let bare = |chunk: &RangeResponse| chunk.header.is_none() && !chunk.more && chunk.count == 0;
            let (last, earlier) = chunks.split_last().unwrap();
            assert!(last.header.is_some() && earlier.iter().all(bare), "{request:?}");
            assert_eq!(merged(chunks), answer, "{request:?}");
        }
    }

    #[test]
    fn chunks_grow_while_they_are_small_and_shrink_while_they_are_large() {
        let none = |_: &mut Store| {};
        let small = chunks(&mut store(100, 1), &all(), Flaws::NONE, none).unwrap();
        assert_eq!(sizes(&small), [10, 20, 40, 30]);
        let middling = chunks(&mut store(30, 100_000), &all(), Flaws::NONE, none).unwrap();
        assert_eq!(sizes(&middling), [10, 10, 10]);
        let large = chunks(&mut store(18, 1_000_000), &all(), Flaws::NONE, none).unwrap();
        assert_eq!(sizes(&large), [10, 5, 2, 1]);
    }

    #[test]
    fn a_stream_stays_at_the_revision_of_its_first_chunk() {
        for revision in [0, -5, 21] {
            let mut store = store(20, 1);
            let request = RangeRequest { revision, ..all() };
            let before = apply::range(&store, &request).unwrap();
            let put = |store: &mut Store| store.write().put(&"k9".into(), "new".into(), 0);
            assert_eq!(merged(chunks(&mut store, &request, Flaws::NONE, put).unwrap()), before);
        }
        let mut store = store(20, 1);
        let put = |store: &mut Store| store.write().put(&"k9".into(), "new".into(), 0);
        let flawed = Flaws::NONE.with(Flaw::RangeStreamUnpinned);
        let mixed = chunks(&mut store, &RangeRequest { revision: -1, ..all() }, flawed, put).unwrap();
        assert_eq!(sizes(&mixed), [10, 11]);
    }

    #[test]
    fn a_compaction_between_two_chunks_ends_the_stream() {
        let mut store = store(20, 1);
        let compact = |store: &mut Store| {
            store.write().put(&"x".into(), "".into(), 0);
            store.compact(store.revision()).unwrap();
        };
        assert_eq!(chunks(&mut store, &all(), Flaws::NONE, compact), Err(Error::Compacted));
    }

    #[test]
    fn what_a_stream_does_not_support() {
        let (sort, flawed) = (Error::RangeStreamSort, Flaws::NONE.with(Flaw::RangeStreamSortTarget));
        let by = |order: SortOrder, target: SortTarget| RangeRequest {
            sort_order: order as i32,
            sort_target: target as i32,
            ..all()
        };
        for (request, expected) in [
            (all(), Ok(())),
            (by(SortOrder::Ascend, SortTarget::Key), Ok(())),
            (by(SortOrder::Descend, SortTarget::Key), Err(sort)),
            (by(SortOrder::None, SortTarget::Value), Err(sort)),
            (by(SortOrder::Ascend, SortTarget::Mod), Err(sort)),
            (RangeRequest { sort_order: 9, ..all() }, Err(Error::InvalidSortOption)),
            (RangeRequest { min_mod_revision: 1, ..all() }, Err(Error::RangeStreamFilter)),
            (RangeRequest::default(), Err(Error::EmptyKey)),
        ] {
            assert_eq!(check(&request, Flaws::NONE), expected, "{request:?}");
        }
        assert_eq!(check(&by(SortOrder::None, SortTarget::Value), flawed), Ok(()));
    }

    #[test]
    fn a_stream_that_waits_has_an_operation_number() {
        assert_eq!(stream_of(operation_of(5)), Some(5));
        for other in [5, 1 << 61 | 5, 1 << 62, 1 << 63, u64::MAX] {
            assert_eq!(stream_of(other), None, "{other}");
        }
        let mut streams = RangeStreams::default();
        streams.wait(5);
        assert!(streams.waited(5) && !streams.waited(5));
    }
}
