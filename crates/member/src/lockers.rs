//! Connects the lock and election services with the member. A client's call goes to the services; the
//! requests and watchers that the services want go to the member, which handles them like those of any
//! client; the results go back to the services.

use api::etcdserverpb::WatchResponse;
use api::{Error, Request, Response};
use bytes::Bytes;

use crate::member::Member;
use crate::out::Out;
use crate::services::Ask;

impl Member {
    /// A client calls the lock or election service.
    pub(crate) fn serve_service(
        &mut self,
        operation: u64,
        request: Request,
        token: Option<Bytes>,
        out: &mut Out<'_>,
    ) {
        let mut asks = Vec::new();
        self.services.begin(operation, request, token, &mut asks);
        self.serve_asks(asks, out);
    }

    /// A request that the services made was answered. `inner` is the operation number that they gave it.
    pub(crate) fn service_answered(
        &mut self,
        inner: u64,
        result: Result<Response, Error>,
        out: &mut Out<'_>,
    ) {
        let mut asks = Vec::new();
        self.services.answered(inner, result, &mut asks);
        self.serve_asks(asks, out);
    }

    /// The client of a request is gone. Only calls of the services are abandoned; other requests continue.
    pub(crate) fn abandon(&mut self, operation: u64, out: &mut Out<'_>) {
        let mut asks = Vec::new();
        self.services.abandon(operation, &mut asks);
        self.serve_asks(asks, out);
    }

    /// Refuses a watch stream and tells its client, or the services if the stream is theirs.
    pub(crate) fn refuse_stream(&mut self, stream: u64, error: Error, out: &mut Out<'_>) {
        self.hub.closed(stream);
        if self.services.owns_stream(stream) {
            let mut asks = Vec::new();
            self.services.watch_ended(stream, error, &mut asks);
            self.serve_asks(asks, out);
        } else {
            out.end_watch(stream, error);
        }
    }

    /// A response arrived on a stream that the services opened.
    pub(crate) fn service_watched(&mut self, stream: u64, response: WatchResponse, out: &mut Out<'_>) {
        let mut asks = Vec::new();
        self.services.watched(stream, response, &mut asks);
        self.serve_asks(asks, out);
    }

    /// Does what the services want done.
    fn serve_asks(&mut self, asks: Vec<Ask>, out: &mut Out<'_>) {
        for ask in asks {
            match ask {
                Ask::Request { inner, request, token } => {
                    self.request(inner, request, token.as_ref(), out);
                }
                Ask::Watch { stream, request, token } => self.watch(stream, request, token.as_ref(), out),
                Ask::CloseWatch { stream } => self.hub.closed(stream),
                Ask::Reply { operation, result } => {
                    let result = self.with_header(result);
                    self.reply(operation, result, out);
                }
            }
        }
    }
}
