//! Requests on a stream, and the immediate answers to them.

use api::Error;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};

use super::watcher::Watcher;
use super::{Hub, NO_WATCHER, Name, header};
use crate::flaw::Flaw;
use crate::mvcc::Store;

impl Hub {
    /// A client's request on a stream; the first one opens the stream. `permitted` says whether the client
    /// may read the range it wants to watch; only creations use it.
    pub(crate) fn request(
        &mut self,
        store: &Store,
        now: u64,
        stream: u64,
        request: WatchRequest,
        permitted: bool,
    ) {
        self.now = now;
        self.streams.entry(stream).or_default();
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => {
                let (watch_id, refused) = match self.create(store, stream, create, permitted) {
                    Ok(id) => (id, None),
                    Err(reason) => (NO_WATCHER, Some(reason)),
                };
                let answer = WatchResponse {
                    header: header(store.revision()),
                    watch_id,
                    created: true,
                    canceled: refused.is_some(),
                    cancel_reason: refused.map(|reason| reason.to_string()).unwrap_or_default(),
                    ..WatchResponse::default()
                };
                self.control(stream, answer);
            }
            Some(RequestUnion::CancelRequest(cancel)) => {
                let name = Name { stream, id: cancel.watch_id };
                if !self.forget(name) {
                    return; // etcd does not answer for unknown ids.
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

    /// The client of `stream` is gone, and all its watchers with it.
    pub(crate) fn closed(&mut self, stream: u64) {
        let Some(open) = self.streams.get(&stream) else { return };
        for id in open.watchers.keys().copied().collect::<Vec<_>>() {
            self.forget(Name { stream, id });
        }
        self.streams.remove(&stream);
        self.to_drain.remove(&stream);
    }

    /// Creates a watcher and returns its id, or the reason why not; the checks come in etcd's order.
    fn create(
        &mut self,
        store: &Store,
        stream: u64,
        request: WatchCreateRequest,
        permitted: bool,
    ) -> Result<i64, Error> {
        // M-20693: accepted if nothing was compacted.
        if request.start_revision < 0 && !self.flaws.has(Flaw::WatchRevMinusOne) {
            return Err(Error::Compacted);
        }
        if !permitted {
            return Err(Error::PermissionDenied);
        }
        let current = store.revision();
        self.last_serial += 1;
        let watcher = Watcher::new(&request, self.last_serial, current)?;
        let open = self.streams.get_mut(&stream).expect("the request opened the stream");
        let id = match request.watch_id {
            0 => {
                while open.watchers.contains_key(&open.next_id) {
                    open.next_id += 1;
                }
                open.next_id += 1;
                open.next_id - 1
            }
            taken if open.watchers.contains_key(&taken) => return Err(Error::WatchDuplicateId),
            free => free,
        };
        let name = Name { stream, id };
        let group = watcher.group_at(current);
        open.watchers.insert(id, watcher);
        open.outbox.discard_progress();
        if request.progress_notify {
            self.watch_progress(name);
        }
        if self.synced.is_empty() {
            self.notified = current;
        }
        self.join(name, group);
        Ok(id)
    }

    /// Removes a watcher and returns whether it existed. Its notices in the channel are dropped when they are
    /// due.
    fn forget(&mut self, name: Name) -> bool {
        if !self.streams.get(&name.stream).is_some_and(|open| open.watchers.contains_key(&name.id)) {
            return false;
        }
        self.stop_progress(name);
        self.leave(name);
        let open = self.streams.get_mut(&name.stream).expect("it was there a moment ago");
        open.watchers.remove(&name.id);
        true
    }
}
