//! Connects the watch hub, which has all watchers of this member, with clients. A client's request goes to
//! the hub after a check of its permission. The hub's responses go to the transport, or to the lock and
//! election services if they opened the stream.

use crate::failpoint::Failpoint;
use crate::io::Effects;
use crate::member::Member;
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
        effects: &mut Effects,
    ) {
        if self.stopping.is_some() {
            return self.refuse_stream(stream, Error::Stopped, effects);
        }
        if self.is_learner() {
            return self.refuse_stream(stream, Error::NotSupportedForLearner, effects);
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
    pub(crate) fn look_after_watches(&mut self, effects: &mut Effects) {
        if self.hub.is_idle() {
            return;
        }
        self.hub.look_after(&self.store, self.now);
        let before = effects.watch.len();
        self.hub.drain(&self.store, &mut effects.watch);
        for (_, response) in &mut effects.watch[before..] {
            if let Some(header) = &mut response.header {
                header.cluster_id = self.config.cluster_id;
                header.member_id = self.config.id.raft_id();
                header.raft_term = self.applied.1;
            }
        }
        if effects.watch.len() > before {
            self.pass_before(Failpoint::BeforeSendWatchResponse, before, effects);
        }
        let own: Vec<_> =
            effects.watch.extract_if(before.., |(stream, _)| self.services.owns_stream(*stream)).collect();
        for (stream, response) in own {
            self.hub.taken(stream);
            self.service_watched(stream, response, effects);
        }
    }
}
