//! Handles a client's requests on a watch stream: create a watcher, cancel one, request progress. The first
//! two are answered at once, with a control response.

use api::Error;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use record::inner::WatcherCause;

use super::watcher::Watcher;
use super::{Hub, NO_WATCHER, Name, header};
use crate::flaw::Flaw;
use crate::mvcc::Store;

impl Hub {
    /// Handles a client's request on a stream; the first one opens the stream. `permitted` says whether the
    /// user may read the range of a watcher to be created, or why not; other requests ignore it.
    pub(crate) fn request(
        &mut self,
        store: &Store,
        now: u64,
        stream: u64,
        request: WatchRequest,
        permitted: Result<(), Error>,
    ) {
        self.now = now;
        self.streams.entry(stream).or_default();
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => {
                let (watch_id, refused) = match self.create(store, stream, create, permitted) {
                    Ok(id) => (id, None),
                    // Flaw M-14563: the answer to a user without rights names watcher 0.
                    Err(reason) if is_of_rights(reason) && self.flaws.has(Flaw::RefusedWatchHasId) => {
                        (0, Some(reason))
                    }
                    Err(reason) => (NO_WATCHER, Some(reason)),
                };
                let answer = WatchResponse {
                    header: header(store.revision()),
                    watch_id,
                    created: true,
                    canceled: refused.is_some(),
                    cancel_reason: refused.map(text_of).unwrap_or_default(),
                    ..WatchResponse::default()
                };
                self.control(stream, answer);
            }
            Some(RequestUnion::CancelRequest(cancel)) => {
                let name = Name { stream, id: cancel.watch_id };
                if !self.forget(name) {
                    return; // As in etcd, there is no response for an unknown id.
                }
                let answer = WatchResponse {
                    header: header(store.revision()),
                    watch_id: name.id,
                    canceled: true,
                    ..WatchResponse::default()
                };
                self.control(stream, answer);
            }
            Some(RequestUnion::ProgressRequest(_)) => self.progress_requested(store, stream),
            None => {}
        }
    }

    /// The client's side of `stream` is gone: removes the stream and its watchers.
    pub(crate) fn closed(&mut self, stream: u64) {
        let Some(open_stream) = self.streams.get(&stream) else { return };
        for id in open_stream.watchers.keys().copied().collect::<Vec<_>>() {
            self.forget(Name { stream, id });
        }
        self.streams.remove(&stream);
        self.to_drain.remove(&stream);
    }

    /// Creates a watcher and returns its id, or the reason for refusing it. The checks are in etcd's order.
    fn create(
        &mut self,
        store: &Store,
        stream: u64,
        request: WatchCreateRequest,
        permitted: Result<(), Error>,
    ) -> Result<i64, Error> {
        // Flaw M-20693: a negative start revision is accepted.
        if request.start_revision < 0 && !self.flaws.has(Flaw::WatchRevMinusOne) {
            return Err(Error::Compacted);
        }
        permitted.map_err(of_rights)?;
        let current = store.revision();
        self.last_serial += 1;
        let watcher = Watcher::new(&request, self.last_serial, current)?;
        let open_stream = self.streams.get_mut(&stream).expect("the request opened the stream");
        let id = match request.watch_id {
            0 => {
                while open_stream.watchers.contains_key(&open_stream.next_id) {
                    open_stream.next_id += 1;
                }
                open_stream.next_id += 1;
                open_stream.next_id - 1
            }
            taken if open_stream.watchers.contains_key(&taken) => return Err(Error::WatchDuplicateId),
            free => free,
        };
        let name = Name { stream, id };
        let group = watcher.group_at(current);
        open_stream.watchers.insert(id, watcher);
        open_stream.outbox.void_progress();
        if request.progress_notify {
            self.watch_progress(name);
        }
        if self.synced.is_empty() {
            self.notified = current;
        }
        self.join(name, group);
        let at = (current, store.compact_revision());
        self.tell_move(name, self.place(name), WatcherCause::Created, at);
        Ok(id)
    }

    /// Removes a watcher and returns whether it existed. Its notices stay in the channel and are dropped when
    /// they reach the front.
    fn forget(&mut self, name: Name) -> bool {
        if !self
            .streams
            .get(&name.stream)
            .is_some_and(|open_stream| open_stream.watchers.contains_key(&name.id))
        {
            return false;
        }
        self.tell_move(name, self.place(name), WatcherCause::Ended, (0, 0));
        self.stop_progress(name);
        self.leave(name);
        let open_stream = self.streams.get_mut(&name.stream).expect("it was there a moment ago");
        open_stream.watchers.remove(&name.id);
        true
    }
}

/// Whether a watcher is refused with this error because of its user.
fn is_of_rights(error: Error) -> bool {
    use Error::{AuthOldRevision, InvalidAuthToken, PermissionDenied, UserEmpty};
    matches!(error, InvalidAuthToken | AuthOldRevision | UserEmpty | PermissionDenied)
}

/// The error for a watcher that is refused for this reason, because its user has no right to it: etcd names three
/// causes, and says `permission denied` otherwise (`v3rpc/watch.go`).
fn of_rights(error: Error) -> Error {
    if is_of_rights(error) { error } else { Error::PermissionDenied }
}

/// The text of the reason. etcd writes an error about rights as gRPC's library for Go does.
fn text_of(reason: Error) -> String {
    match is_of_rights(reason) {
        true => format!("rpc error: code = {:?} desc = {reason}", reason.code()),
        false => reason.to_string(),
    }
}
