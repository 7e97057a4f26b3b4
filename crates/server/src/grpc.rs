//! etcd's API over gRPC.
//!
//! All unary calls take the same path: [`CallCodec`] reads the request of the call in the path and writes its answer,
//! and the member does the rest. Only streams have code of their own.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use api::etcdserverpb::{
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, RangeRequest, RangeStreamResponse, SnapshotRequest,
    SnapshotResponse, WatchRequest, WatchResponse,
};
use api::v3electionpb::{LeaderRequest, LeaderResponse};
use api::{Error, Response as Answer};
use http::{HeaderMap, HeaderValue, Request as HttpRequest, Response as HttpResponse};
use hyper::body::Incoming;
use member::io::{Down, Meta, Up};
use tokio::sync::mpsc as channel;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codec::Codec;
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::app::App;
use crate::codec::CallCodec;
use crate::handle::Stream;
use crate::observe;

/// What gRPC adds to the largest request (`v3rpc/grpc.go`, `grpcOverheadBytes`).
const OVERHEAD: usize = 512 << 10;
/// How many answers of a stream wait for its client.
const WINDOW: usize = 16;

/// An etcd error as gRPC's status.
pub fn status(error: Error) -> Status {
    with_code(error, error.code())
}

fn with_code(error: Error, code: api::Code) -> Status {
    Status::new(Code::from(i32::from(code.number())), error.text())
}

/// What a client says about itself: in gRPC's metadata, which are HTTP's headers, and by its certificate.
pub fn meta(headers: &HeaderMap, certificate: Option<&Arc<str>>) -> Meta {
    let token = headers.get("token").or_else(|| headers.get("authorization"));
    let require_leader = headers.get("hasleader").is_some_and(|value| value == "true");
    Meta { token: token.map(token_of), certificate: certificate.cloned(), require_leader }
}

fn token_of(header: &HeaderValue) -> prost::bytes::Bytes {
    let token = header.as_bytes();
    prost::bytes::Bytes::copy_from_slice(token.strip_prefix(b"Bearer ").unwrap_or(token))
}

/// Answers one gRPC call.
pub async fn serve(app: Arc<App>, request: HttpRequest<Incoming>, meta: Meta) -> HttpResponse<Body> {
    let limit = app.max_request_bytes + OVERHEAD;
    let deadline = request.headers().get("grpc-timeout").and_then(duration);
    let path = request.uri().path().to_string();
    let response = match &*path {
        "/etcdserverpb.Watch/Watch" => {
            grpc(ProstCodec::default(), limit).streaming(Watch(app, meta), request).await
        }
        "/etcdserverpb.Lease/LeaseKeepAlive" => {
            grpc(ProstCodec::default(), limit).streaming(KeepAlive(app, meta), request).await
        }
        "/etcdserverpb.KV/RangeStream" => {
            grpc(ProstCodec::default(), limit).server_streaming(RangeStream(app, meta), request).await
        }
        "/etcdserverpb.Maintenance/Snapshot" => {
            grpc(ProstCodec::default(), limit).server_streaming(Snapshot(app, meta), request).await
        }
        "/v3electionpb.Election/Observe" => {
            grpc(ProstCodec::default(), limit).server_streaming(Observe(app, meta), request).await
        }
        path => match api::Request::METHODS.iter().find(|method| **method == path) {
            Some(method) => {
                let unary = Unary { app, meta, deadline };
                grpc(codec(method), limit).unary(unary, request).await
            }
            None => unknown(path).into_http(),
        },
    };
    as_go_says(response)
}

fn grpc<C: Codec>(codec: C, limit: usize) -> Grpc<C> {
    Grpc::new(codec).max_decoding_message_size(limit).max_encoding_message_size(usize::MAX)
}

/// The status for a call that does not exist, in the words of Go's gRPC.
fn unknown(path: &str) -> Status {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let is_known = api::Request::METHODS
        .iter()
        .any(|known| known[1..].split_once('/').is_some_and(|(of, _)| of == service));
    match is_known || service == "etcdserverpb.Watch" {
        true => Status::unimplemented(format!("unknown method {method} for service {service}")),
        false => Status::unimplemented(format!("unknown service {service}")),
    }
}

/// tonic's answer to a message that is too large, as Go's gRPC would say it: clients know that status.
fn as_go_says(mut response: HttpResponse<Body>) -> HttpResponse<Body> {
    let headers = response.headers_mut();
    let is_out_of_range = headers.get("grpc-status").is_some_and(|code| code == "11");
    let text = headers.get("grpc-message").and_then(|text| text.to_str().ok());
    let numbers = text.filter(|text| is_out_of_range && text.contains("message%20length%20too%20large"));
    let Some(numbers) = numbers.map(|text| {
        let digits = text.replace("%20", " ");
        let numbers = digits.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
        numbers.map(str::to_string).collect::<Vec<_>>()
    }) else {
        return response;
    };
    if let [found, limit] = &numbers[..] {
        let text = format!("grpc: received message larger than max ({found} vs. {limit})");
        let status = Status::resource_exhausted(text);
        return status.into_http();
    }
    response
}

/// A time-out as gRPC writes it: a number and a unit.
fn duration(header: &HeaderValue) -> Option<Duration> {
    let text = header.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Reads the request of one call, and writes its answer.
fn codec(path: &'static str) -> CallCodec<Answer, api::Request> {
    CallCodec {
        path,
        write: |answer, out| answer.encode(out),
        read: |path, bytes| {
            let unreadable = |error| Status::internal(format!("grpc: error unmarshalling request: {error}"));
            api::Request::decode(path, bytes).map_err(unreadable)
        },
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// All unary calls.
struct Unary {
    app: Arc<App>,
    meta: Meta,
    deadline: Option<Duration>,
}

impl UnaryService<api::Request> for Unary {
    type Response = Answer;
    type Future = Boxed<Answer>;

    fn call(&mut self, request: Request<api::Request>) -> Boxed<Answer> {
        let (app, meta, deadline) = (Arc::clone(&self.app), std::mem::take(&mut self.meta), self.deadline);
        Box::pin(async move {
            let request = request.into_inner();
            let method = request.method();
            let call = app.handle.call(request, meta);
            let answer = match deadline {
                None => call.await,
                Some(deadline) => {
                    timeout(deadline, call).await.unwrap_or(Err(Error::ContextDeadlineExceeded))
                }
            };
            answer.map(Response::new).map_err(|error| with_code(error, error.code_of(method)))
        })
    }
}

/// The watch stream.
struct Watch(Arc<App>, Meta);

impl StreamingService<WatchRequest> for Watch {
    type Response = WatchResponse;
    type ResponseStream = Items<WatchResponse>;
    type Future = Boxed<Self::ResponseStream>;

    fn call(&mut self, request: Request<Streaming<WatchRequest>>) -> Self::Future {
        let (stream, meta) = (self.0.handle.open(), self.1.clone());
        let sender = stream.sender();
        let mut requests = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                sender.send(Up::Watch(request), meta.clone());
            }
        });
        let message = |item| match item {
            Down::Watch(response) => Some(response),
            _ => None,
        };
        Box::pin(async move { Ok(Response::new(Items { stream, message, has_ended: false })) })
    }
}

/// A range in chunks. The member reads the next one when gRPC has taken the one before.
struct RangeStream(Arc<App>, Meta);

impl ServerStreamingService<RangeRequest> for RangeStream {
    type Response = RangeStreamResponse;
    type ResponseStream = Items<RangeStreamResponse>;
    type Future = Boxed<Self::ResponseStream>;

    fn call(&mut self, request: Request<RangeRequest>) -> Self::Future {
        let stream = self.0.handle.open();
        stream.sender().send(Up::Range(request.into_inner()), std::mem::take(&mut self.1));
        let message = |item| match item {
            Down::Range(chunk) => Some(chunk),
            _ => None,
        };
        Box::pin(async move { Ok(Response::new(Items { stream, message, has_ended: false })) })
    }
}

/// What a member sends on a stream, as messages of gRPC.
struct Items<T> {
    stream: Stream,
    /// The message in an item, if the stream has such items.
    message: fn(Down) -> Option<T>,
    has_ended: bool,
}

impl<T> tokio_stream::Stream for Items<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let item = std::task::ready!(self.stream.poll_next(context));
        let error = match item {
            Some(Down::End) => None,
            Some(Down::Refused(error)) => Some(error),
            item => match item.and_then(self.message) {
                Some(message) => return Poll::Ready(Some(Ok(message))),
                None => Some(Error::Stopped),
            },
        };
        self.has_ended = true;
        Poll::Ready(error.map(|error| Err(status(error))))
    }
}

/// The stream of keep-alives: each request is a call. The member sends nothing on the stream itself; it only ends it if
/// the client wants a leader and there is none.
struct KeepAlive(Arc<App>, Meta);

impl StreamingService<LeaseKeepAliveRequest> for KeepAlive {
    type Response = LeaseKeepAliveResponse;
    type ResponseStream = ReceiverStream<Result<LeaseKeepAliveResponse, Status>>;
    type Future = Boxed<Self::ResponseStream>;

    fn call(&mut self, request: Request<Streaming<LeaseKeepAliveRequest>>) -> Self::Future {
        let (app, meta) = (Arc::clone(&self.0), self.1.clone());
        let (sender, answers) = channel::channel(WINDOW);
        tokio::spawn(async move {
            let mut stream = app.handle.open();
            stream.sender().send(Up::KeepAlive, meta.clone());
            let mut renewals = pin!(renew(&app, &meta, request.into_inner(), &sender));
            let ended = poll_fn(|context| match renewals.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => stream.poll_next(context),
            });
            if let Some(Down::Refused(error)) = ended.await {
                let _ = sender.send(Err(status(error))).await;
            }
        });
        Box::pin(async move { Ok(Response::new(ReceiverStream::new(answers))) })
    }
}

/// Answers requests to renew leases, until there are no more or one fails.
async fn renew(
    app: &App,
    meta: &Meta,
    mut requests: Streaming<LeaseKeepAliveRequest>,
    answers: &channel::Sender<Result<LeaseKeepAliveResponse, Status>>,
) {
    while let Ok(Some(request)) = requests.message().await {
        let answer = match app.handle.call(request.into(), meta.clone()).await {
            Ok(Answer::LeaseKeepAlive(answer)) => Ok(answer),
            Ok(_) => return,
            Err(error) => Err(status(error)),
        };
        let is_last = answer.is_err();
        if answers.send(answer).await.is_err() || is_last {
            return;
        }
    }
}

/// The stream of a snapshot.
struct Snapshot(Arc<App>, Meta);

impl ServerStreamingService<SnapshotRequest> for Snapshot {
    type Response = SnapshotResponse;
    type ResponseStream = ReceiverStream<Result<SnapshotResponse, Status>>;
    type Future = Boxed<Self::ResponseStream>;

    fn call(&mut self, _: Request<SnapshotRequest>) -> Self::Future {
        let (app, meta) = (Arc::clone(&self.0), std::mem::take(&mut self.1));
        Box::pin(async move {
            let pieces = app.snapshot(meta).await.map_err(|error| match error {
                Ok(error) => status(error),
                Err(text) => Status::internal(text),
            })?;
            Ok(Response::new(ReceiverStream::new(pieces)))
        })
    }
}

/// The stream of an election's leaders.
struct Observe(Arc<App>, Meta);

impl ServerStreamingService<LeaderRequest> for Observe {
    type Response = LeaderResponse;
    type ResponseStream = ReceiverStream<Result<LeaderResponse, Status>>;
    type Future = Boxed<Self::ResponseStream>;

    fn call(&mut self, request: Request<LeaderRequest>) -> Self::Future {
        let (app, meta) = (Arc::clone(&self.0), std::mem::take(&mut self.1));
        let leaders = observe::observe(app, meta, request.into_inner().name);
        Box::pin(async move { Ok(Response::new(ReceiverStream::new(leaders))) })
    }
}
