//! Connects the watch hub, which has all watchers of this member, with clients. A client's request goes to
//! the hub after a check of its permission. The hub's responses go to the transport, or to the lock and
//! election services if they opened the stream.

use crate::failpoint::Failpoint;
use crate::member::Member;
use crate::out::Out;

impl Member {
    /// Lets the hub do what is due, and passes on its responses.
    pub(crate) fn look_after_watches(&mut self, out: &mut Out<'_>) {
        if self.hub.is_idle() {
            return;
        }
        self.hub.look_after(&self.replica.store, self.now);
        let mut responses = Vec::new();
        self.hub.drain(&self.replica.store, &mut responses);
        if !responses.is_empty() {
            out.pass(Failpoint::BeforeSendWatchResponse);
        }
        let mut own = Vec::new();
        for (stream, mut response) in responses {
            if let Some(header) = &mut response.header {
                header.cluster_id = self.config.cluster_id;
                header.member_id = self.config.id.raft_id();
                header.raft_term = self.replica.term();
            }
            if self.services.owns_stream(stream) {
                own.push((stream, response));
            } else {
                out.send_watch(stream, response);
            }
        }
        for (stream, response) in own {
            self.hub.taken(stream);
            self.with_wants(out, |own, _, wants| own.services.watched(stream, response, wants));
        }
    }
}
