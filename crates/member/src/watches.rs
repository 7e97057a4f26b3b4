//! Connects the watch hub, which has all watchers of this member, with the owners of its streams: responses go to the
//! transport, or to the lock and election services if they opened the stream.

use api::etcdserverpb::WatchResponse;

use crate::failpoint::Failpoint;
use crate::out::Out;
use crate::replica::Replica;
use crate::watch::Hub;

impl Hub {
    /// Does what is due, and passes on the responses. Returns those on streams of the member itself; `is_own` tells its
    /// streams from those of clients.
    pub(crate) fn due(
        &mut self,
        replica: &Replica,
        is_own: impl Fn(u64) -> bool,
        out: &mut Out<'_>,
    ) -> Vec<(u64, WatchResponse)> {
        let mut own = Vec::new();
        if self.is_idle() {
            return own;
        }
        self.look_after(&replica.store, out.now.clock);
        let mut responses = std::mem::take(&mut self.responses);
        self.drain(&replica.store, &mut responses);
        if !responses.is_empty() {
            out.pass(Failpoint::BeforeSendWatchResponse);
        }
        for (stream, mut response) in responses.drain(..) {
            if let Some(header) = &mut response.header {
                replica.stamp(header);
            }
            if is_own(stream) {
                own.push((stream, response));
            } else {
                out.send_watch(stream, response);
            }
        }
        self.responses = responses;
        own
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::etcdserverpb::watch_request::RequestUnion;
    use api::etcdserverpb::{ResponseHeader, WatchCreateRequest, WatchRequest};
    use record::MemberId;

    use super::*;
    use crate::config::Config;
    use crate::io::{Down, Effects};
    use contract::Now;

    #[test]
    fn responses_go_to_those_who_opened_the_stream() {
        let config = Config { cluster_id: 9, ..Config::new(MemberId::new(3), Arc::new([])) };
        let (mut hub, replica) = (Hub::new(&config), Replica::empty(&config, (5, 7)));
        for stream in [1, 2] {
            let create = WatchCreateRequest { key: "k".into(), ..WatchCreateRequest::default() };
            let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
            hub.request(&replica.store, 0, stream, request, Ok(()));
        }
        assert_eq!(hub.due_at(), 0);
        let (mut effects, mut armed) = (Effects::default(), None);
        let mut out = Out::new(&mut effects, &mut armed, Now::default());
        let own = hub.due(&replica, |stream| stream == 2, &mut out);
        assert!(hub.due(&replica, |_| false, &mut out).is_empty());
        let ([(2, own)], [(1, Down::Watch(sent))]) = (&own[..], &effects.items[..]) else {
            panic!("each response goes where its stream was opened: {own:?}, {:?}", effects.items);
        };
        let header = ResponseHeader { cluster_id: 9, member_id: 3, revision: 1, raft_term: 7 };
        assert_eq!((own.header, sent.header), (Some(header), Some(header)));
        assert_eq!(hub.due_at(), u64::MAX, "watchers that are up to date wait for a change");
    }
}
