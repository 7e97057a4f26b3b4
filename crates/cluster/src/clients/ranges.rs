//! Streamed ranges: a client calls `RangeStream` and merges the chunks that arrive. In the history it is one range,
//! whose answer is either complete or missing.

use std::sync::Arc;

use api::Response;
use api::etcdserverpb::{RangeRequest, RangeStreamResponse};
use record::StreamEnd;

use super::Clients;
use crate::desk::Desk;
use crate::etcd::Ended;

impl Clients {
    /// A client requests a range in chunks; the history records the call.
    pub(super) fn call_streamed(&mut self, desk: &mut Desk<'_>, client: usize, range: RangeRequest) {
        let state = &mut self.all[client];
        let (member, gives_up) = (state.member(), state.gives_up(desk.now()));
        let call = desk.note_call(state.caller(client), member, range.clone().into(), gives_up);
        desk.history.operations[call as usize].streamed = true;
        desk.count_work("streamed-ranges");
        (state.current, state.chunks) = (Some((call, member)), Default::default());
        self.open_range(desk, client, call, Arc::new(range));
    }

    /// A chunk of a range has arrived.
    pub(super) fn take_chunk(&mut self, client: usize, operation: u64, chunk: &RangeStreamResponse) {
        let state = &mut self.all[client];
        if state.current.is_some_and(|(current, _)| current == operation) {
            api::merge(&mut state.chunks, chunk);
        }
    }

    /// The last chunk of a range has arrived, and the member has ended the stream.
    pub(super) fn range_complete(&mut self, desk: &mut Desk<'_>, client: usize, operation: u64) {
        let answer = Response::Range(std::mem::take(&mut self.all[client].chunks));
        self.ended(desk, operation, Ended::Answer(Ok(answer)));
    }

    /// The stream of a range has ended early: the client has no answer, even if chunks have arrived.
    pub(super) fn range_ended(&mut self, desk: &mut Desk<'_>, operation: u64, end: StreamEnd) {
        let how = match end {
            StreamEnd::Refused(error) => Ended::Answer(Err(error)),
            StreamEnd::Broken | StreamEnd::Closed => Ended::Reset,
        };
        self.ended(desk, operation, how);
    }
}
