//! Connects the watch hub, which has all watchers of this member, with clients. A client's request goes to
//! the hub after a check of its permission. The hub's responses go to the transport, or to the lock and
//! election services if they opened the stream.

use crate::failpoint::Failpoint;
use crate::member::Member;
use crate::out::Out;
use api::Error;
use api::etcdserverpb::WatchRequest;
use api::etcdserverpb::watch_request::RequestUnion;
use bytes::Bytes;

impl Member {
    /// Handles a client's message on a watch stream.
    pub(crate) fn watch(
        &mut self,
        stream: u64,
        request: WatchRequest,
        token: Option<&Bytes>,
        out: &mut Out<'_>,
    ) {
        if self.stopping.is_some() {
            return self.refuse_stream(stream, Error::Stopped, out);
        }
        if self.is_learner() {
            return self.refuse_stream(stream, Error::NotSupportedForLearner, out);
        }
        let permitted = match &request.request_union {
            Some(RequestUnion::CreateRequest(create)) => self.may_read(token, &create.key, &create.range_end),
            _ => true,
        };
        self.hub.request(&self.store, self.now, stream, request, permitted);
    }

    /// Whether the user of a token may read a range.
    fn may_read(&mut self, token: Option<&Bytes>, key: &Bytes, end: &Bytes) -> bool {
        let who = self.auth.who(token.map(|token| &token[..]), self.now);
        who.is_ok_and(|who| self.auth.permit_range(&who.unwrap_or_default(), key, end).is_ok())
    }

    /// Lets the hub do what is due, and passes on its responses.
    pub(crate) fn look_after_watches(&mut self, out: &mut Out<'_>) {
        if self.hub.is_idle() {
            return;
        }
        self.hub.look_after(&self.store, self.now);
        let mut responses = Vec::new();
        self.hub.drain(&self.store, &mut responses);
        if !responses.is_empty() {
            out.pass(Failpoint::BeforeSendWatchResponse);
        }
        let mut own = Vec::new();
        for (stream, mut response) in responses {
            if let Some(header) = &mut response.header {
                header.cluster_id = self.config.cluster_id;
                header.member_id = self.config.id.raft_id();
                header.raft_term = self.applied.1;
            }
            if self.services.owns_stream(stream) {
                own.push((stream, response));
            } else {
                out.send_watch(stream, response);
            }
        }
        for (stream, response) in own {
            self.hub.taken(stream);
            self.service_watched(stream, response, out);
        }
    }
}
