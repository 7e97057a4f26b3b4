//! Serves connections: one task for each address that listens, one for each connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::time::sleep;
use tonic::body::Body;

use crate::app::App;
use crate::net::Listener;
use crate::tls::Peer;
use crate::{grpc, http as plain, peer_server};

/// How long the headers of a request over HTTP/1.1 may take.
const HEADERS_MAX: Duration = Duration::from_secs(30);
/// The pause after the system failed to accept a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Who is served at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Clients.
    Clients,
    /// Other members.
    Members,
    /// Those who monitor the server.
    Observers,
}

/// How connections are kept.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The time between two pings; `None` for no pings.
    pub ping: Option<Duration>,
    /// How long an answer to a ping may take.
    pub pong: Duration,
    /// How many streams a client may have open on a connection.
    pub streams: u32,
}

/// Accepts connections at an address for ever.
pub async fn accept(app: Arc<App>, listener: Listener, whom: Whom, keeping: Keeping) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .max_concurrent_streams(keeping.streams)
        .keep_alive_interval(keeping.ping)
        .keep_alive_timeout(keeping.pong);
    let builder = Arc::new(builder);
    loop {
        let accepted = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(url = %listener.url, %error, "a connection was not accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        let (app, builder) = (Arc::clone(&app), Arc::clone(&builder));
        tokio::spawn(async move {
            let (socket, peer) = match accepted.shake_hands().await {
                Ok(connection) => connection,
                Err(error) => return tracing::warn!(%error, "a connection was refused"),
            };
            let service = service_fn(move |request| answer(Arc::clone(&app), whom, peer.clone(), request));
            let served = builder.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection has ended");
            }
        });
    }
}

/// Answers one request.
async fn answer(
    app: Arc<App>,
    whom: Whom,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let response = match whom {
        Whom::Members => peer_server::serve(app, request).await.map(Body::new),
        Whom::Observers => plain::observe(&app, request.method(), request.uri()).await,
        Whom::Clients => {
            let meta = grpc::meta(request.headers(), peer.certificate.as_ref());
            let kind = request.headers().get("content-type").map(|kind| kind.as_bytes());
            match kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
                true => grpc::serve(app, request, meta).await,
                false => plain::serve(app, request, meta).await,
            }
        }
    };
    Ok(response)
}
