//! Connects the watch hub, which has all watchers of this member, with those who watch: its responses go to the
//! transport, or to the lock and election services if they opened the stream.

use api::etcdserverpb::WatchResponse;

use crate::failpoint::Failpoint;
use crate::out::Out;
use crate::replica::Replica;
use crate::watch::Hub;

impl Hub {
    /// Does what is due, and passes on the responses. Returns those on streams of the member itself, which `is_own`
    /// tells from clients' streams.
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
