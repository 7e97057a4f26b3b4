//! A client of etcd's API: one connection, and calls on it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use api::etcdserverpb::{RangeRequest, RangeResponse, RangeStreamResponse};
use api::{Request, Response};
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use crate::codec::CallCodec;
use crate::net;
use crate::tls::ClientTls;
use crate::url::Url;

/// A connection to a member.
#[derive(Clone)]
pub struct Client {
    grpc: Grpc<Channel>,
    token: Option<AsciiMetadataValue>,
    requires_leader: bool,
}

#[derive(Clone)]
struct Channel(http2::SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl Client {
    /// Connects to a member.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn connect(url: &Url, tls: Option<&ClientTls>) -> io::Result<Client> {
        let socket = net::dial(url, tls).await?;
        let handshake =
            http2::Builder::new(TokioExecutor::new()).adaptive_window(true).handshake(TokioIo::new(socket));
        let (sender, connection) = handshake.await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let host = match &url.place {
            crate::url::Place::Tcp(..) => url.place.to_string(),
            crate::url::Place::Unix(_) => "localhost".into(),
        };
        let origin = format!("{}://{host}", if url.tls { "https" } else { "http" });
        let origin = origin.parse().map_err(io::Error::other)?;
        let grpc = Grpc::with_origin(Channel(sender), origin)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX);
        Ok(Client { grpc, token: None, requires_leader: false })
    }

    /// Calls with this token from now on.
    ///
    /// # Errors
    /// It has letters that a header cannot have.
    pub fn set_token(&mut self, token: &str) -> Result<(), Status> {
        let token = token.parse().map_err(|_| Status::internal("the token from the server is not text"))?;
        self.token = Some(token);
        Ok(())
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        if self.requires_leader {
            request.metadata_mut().insert("hasleader", AsciiMetadataValue::from_static("true"));
        }
        request
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }

    /// Makes a unary call.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    pub async fn call(&mut self, request: Request) -> Result<Response, Status> {
        self.ready().await?;
        let method = request.method();
        let request = self.request(request);
        let path = PathAndQuery::from_static(method);
        Ok(self.grpc.unary(request, path, codec(method)).await?.into_inner())
    }

    /// Opens a stream both ways.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    pub async fn stream<Up, Down>(
        &mut self,
        method: &'static str,
        requests: impl tokio_stream::Stream<Item = Up> + Send + 'static,
    ) -> Result<Streaming<Down>, Status>
    where
        Up: Message + 'static,
        Down: Message + Default + 'static,
    {
        self.ready().await?;
        let request = self.request(requests);
        let path = PathAndQuery::from_static(method);
        Ok(self.grpc.streaming(request, path, ProstCodec::<Up, Down>::default()).await?.into_inner())
    }

    /// Makes a call that is answered with a stream.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    pub async fn listen<Up, Down>(
        &mut self,
        method: &'static str,
        request: Up,
    ) -> Result<Streaming<Down>, Status>
    where
        Up: Message + 'static,
        Down: Message + Default + 'static,
    {
        self.ready().await?;
        let request = self.request(request);
        let path = PathAndQuery::from_static(method);
        Ok(self.grpc.server_streaming(request, path, ProstCodec::<Up, Down>::default()).await?.into_inner())
    }

    /// Reads a range in chunks (`KV.RangeStream`), and merges them.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    pub async fn stream_range(&mut self, request: RangeRequest) -> Result<RangeResponse, Status> {
        let mut chunks: Streaming<RangeStreamResponse> =
            self.listen("/etcdserverpb.KV/RangeStream", request).await?;
        let mut whole = RangeResponse::default();
        while let Some(chunk) = chunks.message().await? {
            api::merge(&mut whole, &chunk);
        }
        Ok(whole)
    }

    /// From now on, asks to be refused by a server that knows of no leader (`hasleader`).
    pub fn require_leader(&mut self) {
        self.requires_leader = true;
    }
}

/// Writes the request of one call, and reads its answer.
fn codec(path: &'static str) -> CallCodec<Request, Response> {
    CallCodec {
        path,
        write: |request, out| request.encode(out),
        read: |path, bytes| {
            Response::decode(path, bytes).map_err(|error| Status::internal(error.to_string()))
        },
    }
}
