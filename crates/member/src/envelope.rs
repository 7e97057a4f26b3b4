//! What a log entry carries: etcd's `InternalRaftRequest`, with the id of the request in its header.

use api::Request;
use api::etcdserverpb::{InternalRaftRequest, RequestHeader};
use bytes::Bytes;
use prost::Message;

/// A decoded entry.
pub(crate) struct Envelope {
    /// The raft request id.
    pub(crate) id: u64,
    pub(crate) request: Request,
}

/// The entry's data for a request; `None` for a request that does not go through the log.
pub(crate) fn encode(id: u64, request: &Request) -> Option<Vec<u8>> {
    let header = Some(RequestHeader { id, ..RequestHeader::default() });
    let mut internal = InternalRaftRequest { header, ..InternalRaftRequest::default() };
    match request.clone() {
        Request::Put(put) => internal.put = Some(put),
        Request::DeleteRange(delete) => internal.delete_range = Some(delete),
        Request::Txn(txn) => internal.txn = Some(txn),
        Request::Compact(compact) => internal.compaction = Some(compact),
        Request::LeaseGrant(grant) => internal.lease_grant = Some(grant),
        Request::LeaseRevoke(revoke) => internal.lease_revoke = Some(revoke),
        _ => return None,
    }
    Some(internal.encode_to_vec())
}

/// The raft request id in an entry's data, without decoding the rest; `None` where there is none.
pub(crate) fn id_of(data: &Bytes) -> Option<u64> {
    /// The one field of `InternalRaftRequest` that matters here.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Headed {
        #[prost(message, optional, tag = "100")]
        header: Option<RequestHeader>,
    }
    Headed::decode(data.clone()).ok()?.header.map(|header| header.id)
}

/// Reads an entry's data.
pub(crate) fn decode(data: Bytes) -> Result<Envelope, String> {
    let internal = InternalRaftRequest::decode(data).map_err(|error| error.to_string())?;
    let id = internal.header.as_ref().map_or(0, |header| header.id);
    let request = None
        .or(internal.put.map(Request::Put))
        .or(internal.delete_range.map(Request::DeleteRange))
        .or(internal.txn.map(Request::Txn))
        .or(internal.compaction.map(Request::Compact))
        .or(internal.lease_grant.map(Request::LeaseGrant))
        .or(internal.lease_revoke.map(Request::LeaseRevoke));
    match request {
        Some(request) => Ok(Envelope { id, request }),
        None => Err("it holds no request this member knows".to_string()),
    }
}
