//! What every connection of clients and members needs: the way to the event loop, and values that do not change.

use std::sync::Arc;

use api::Error;
use api::etcdserverpb::{RangeRequest, SnapshotResponse, StatusResponse};
use member::Member;
use member::io::{Down, Meta, Up};
use record::MemberId;
use serde_json::{Value, json};
use tokio::sync::mpsc as channel;
use tonic::Status;

use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::peers::{Removed, Shown};
use crate::snapshot;

/// How many pieces of a snapshot wait for its client.
const WINDOW: usize = 16;

/// The pieces of a snapshot.
pub type Pieces = channel::Receiver<Result<SnapshotResponse, Status>>;

/// What every connection needs.
pub struct App {
    /// The event loop.
    pub handle: Handle,
    /// This member.
    pub own: MemberId,
    /// The cluster.
    pub cluster: u64,
    /// The largest request, in bytes.
    pub max_request_bytes: usize,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The members that were removed.
    pub removed: Removed,
}

impl App {
    /// Which version this server is, and the cluster, as `/version` shows it.
    pub async fn version(&self) -> Value {
        let cluster =
            self.handle.look(|member| member.cluster_version().to_string()).await.unwrap_or_default();
        let cluster = if cluster.is_empty() { "not_decided".into() } else { cluster };
        json!({ "etcdserver": member::VERSION, "etcdcluster": cluster, "storage": member::VERSION })
    }

    /// The members, as etcd's `/members` shows them at a peer address.
    pub async fn members(&self) -> Value {
        let members = self.handle.look(Member::members).await.unwrap_or_default();
        let shown: Vec<Shown> = members.into_iter().map(Shown::from).collect();
        json!(shown)
    }

    /// Reads a key that need not exist, to see whether reads work.
    ///
    /// # Errors
    /// Reads do not work.
    pub async fn probe(&self, serializable: bool) -> Result<(), Error> {
        let range = RangeRequest {
            key: "health".into(),
            serializable,
            limit: 1,
            keys_only: true,
            ..RangeRequest::default()
        };
        match self.handle.call(range.into(), Meta::default()).await {
            // A read without a user is not allowed, but the refusal shows that this member serves.
            Ok(_) | Err(Error::UserEmpty | Error::PermissionDenied) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A snapshot in etcd's form, piece by piece.
    ///
    /// # Errors
    /// The member's refusal, or what is wrong with its snapshot.
    pub async fn snapshot(&self, meta: Meta) -> Result<Pieces, Result<Error, String>> {
        let mut stream = self.handle.open();
        stream.sender().send(Up::Snapshot, meta);
        let own = match stream.next().await {
            Some(Down::Snapshot(own)) => own,
            Some(Down::Refused(error)) => return Err(Ok(error)),
            Some(Down::Watch(_) | Down::Range(_) | Down::End) | None => return Err(Ok(Error::Stopped)),
        };
        let (sender, receiver) = channel::channel(WINDOW);
        #[allow(clippy::disallowed_methods, reason = "a server computes on other threads")]
        let made = tokio::task::spawn_blocking(move || snapshot::pieces(own)).await;
        let pieces = made.map_err(|error| Err(error.to_string()))?.map_err(|error| Err(error.to_string()))?;
        tokio::spawn(async move {
            for piece in pieces {
                if sender.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    /// The member's status, without a check of who asks.
    ///
    /// # Errors
    /// It has stopped.
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.handle.look(Member::report).await.ok_or(Error::Stopped)
    }
}
