//! Splits a large watch response into fragments, for watchers that asked for it (`sendFragments` in etcd's
//! `api/v3rpc/watch.go`).

use std::collections::VecDeque;

use api::etcdserverpb::WatchResponse;
use prost::Message as _;
use prost::encoding::encoded_len_varint;

/// The most bytes that the member adds to a response header later: two ids and a term, each a varint of up to
/// 10 bytes with a tag of 1 byte.
const HEADER_BYTES: u64 = 33;

/// Splits the response into as few parts as possible, each below `limit` bytes. An event is never split, so a
/// part with one large event may be larger. All parts but the last are marked as fragments.
pub(super) fn split(mut response: WatchResponse, limit: u64) -> VecDeque<WatchResponse> {
    let mut parts = VecDeque::new();
    if response.events.len() > 1 && response.encoded_len() as u64 + HEADER_BYTES >= limit {
        let events = std::mem::take(&mut response.events);
        let part = || WatchResponse { fragment: true, ..response.clone() };
        let empty = part().encoded_len() as u64 + HEADER_BYTES;
        let (mut current, mut size) = (part(), empty);
        for event in events {
            // The tag, the length, the event.
            let len = event.encoded_len() as u64;
            let added = 1 + encoded_len_varint(len) as u64 + len;
            if !current.events.is_empty() && size + added >= limit {
                parts.push_back(std::mem::replace(&mut current, part()));
                size = empty;
            }
            current.events.push(event);
            size += added;
        }
        response = WatchResponse { fragment: false, ..current };
    }
    parts.push_back(response);
    parts
}
