//! Who leads an election, and who leads it next: a stream made of a member's reads and watches, as etcd's Go client makes
//! it (`client/v3/concurrency/election.go`, `observe`).

use std::sync::Arc;

use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{RangeRequest, ResponseHeader, WatchCreateRequest, WatchRequest};
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use api::v3electionpb::LeaderResponse;
use api::{Error, Response as Answer, key_range};
use bytes::{Bytes, BytesMut};
use member::io::{Down, Meta, Up};
use tokio::sync::mpsc as channel;
use tonic::Status;

use crate::app::App;
use crate::grpc::status;

type Sender = channel::Sender<Result<LeaderResponse, Status>>;

/// Sends the leader of an election, and each one that follows, until nobody listens.
pub fn observe(app: Arc<App>, meta: Meta, name: Bytes) -> channel::Receiver<Result<LeaderResponse, Status>> {
    let (sender, leaders) = channel::channel(1);
    tokio::spawn(async move {
        if let Err(error) = send_all(&app, &meta, name, &sender).await {
            let _ = sender.send(Err(status(error))).await;
        }
    });
    leaders
}

async fn send_all(app: &App, meta: &Meta, name: Bytes, sender: &Sender) -> Result<(), Error> {
    let mut prefix = BytesMut::from(&name[..]);
    prefix.extend_from_slice(b"/");
    let prefix = prefix.freeze();
    let end = key_range::prefix_end(&prefix);
    loop {
        let (mut header, mut leader) = first_of(app, meta, &prefix, &end).await?;
        let revision = header.map_or(0, |header| header.revision);
        if leader.is_none() {
            let mut candidates = Changes::watch(app, meta, prefix.clone(), end.clone(), revision + 1);
            while leader.is_none() {
                let (at, event) = candidates.next().await?;
                header = at;
                leader = event.kv.filter(|_| event.r#type == EventType::Put as i32);
            }
        }
        let Some(kv) = leader else { continue };
        let (key, from) = (kv.key.clone(), kv.mod_revision.max(revision) + 1);
        if sender.send(Ok(LeaderResponse { header, kv: Some(kv) })).await.is_err() {
            return Ok(());
        }
        let mut changes = Changes::watch(app, meta, key, Bytes::new(), from);
        loop {
            let (header, event) = changes.next().await?;
            if event.r#type == EventType::Delete as i32 {
                break;
            }
            if sender.send(Ok(LeaderResponse { header, kv: event.kv })).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The key with this prefix that was made first.
async fn first_of(
    app: &App,
    meta: &Meta,
    prefix: &Bytes,
    end: &Bytes,
) -> Result<(Option<ResponseHeader>, Option<KeyValue>), Error> {
    let range = RangeRequest {
        key: prefix.clone(),
        range_end: end.clone(),
        limit: 1,
        sort_order: SortOrder::Ascend as i32,
        sort_target: SortTarget::Create as i32,
        ..RangeRequest::default()
    };
    match app.handle.call(range.into(), meta.clone()).await? {
        Answer::Range(answer) => Ok((answer.header, answer.kvs.into_iter().next())),
        _ => Err(Error::Stopped),
    }
}

/// The changes of keys, one by one.
struct Changes {
    stream: crate::handle::Stream,
    /// Those of one response, which came with this header.
    waiting: (Option<ResponseHeader>, std::vec::IntoIter<Event>),
}

impl Changes {
    fn watch(app: &App, meta: &Meta, key: Bytes, range_end: Bytes, start_revision: i64) -> Changes {
        let stream = app.handle.open();
        let create = WatchCreateRequest { key, range_end, start_revision, ..WatchCreateRequest::default() };
        let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        stream.sender().send(Up::Watch(request), meta.clone());
        Changes { stream, waiting: (None, Vec::new().into_iter()) }
    }

    async fn next(&mut self) -> Result<(Option<ResponseHeader>, Event), Error> {
        loop {
            if let Some(event) = self.waiting.1.next() {
                return Ok((self.waiting.0, event));
            }
            match self.stream.next().await {
                Some(Down::Watch(response)) if response.canceled => return Err(Error::WatchCanceled),
                Some(Down::Watch(response)) => self.waiting = (response.header, response.events.into_iter()),
                Some(Down::Refused(error)) => return Err(error),
                Some(Down::Snapshot(_) | Down::Range(_) | Down::End) | None => return Err(Error::Stopped),
            }
        }
    }
}
