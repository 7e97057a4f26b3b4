//! Watching keys, until interrupted.

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use api::mvccpb::event::EventType;
use serde_json::json;

use crate::args::{Form, Global, Watch};
use crate::keys::bounds;
use crate::session::connect;
use crate::{Failure, Outcome, show};

/// Watches.
pub async fn watch(global: &Global, args: Watch) -> Outcome {
    let (key, range_end) = bounds(&args.range)?;
    let create = WatchCreateRequest {
        key,
        range_end,
        start_revision: args.rev,
        prev_kv: args.prev_kv,
        progress_notify: args.progress_notify,
        ..WatchCreateRequest::default()
    };
    let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let mut client = connect(global).await?;
    // The request side of the stream stays open: if it ended, etcd would take the client for gone.
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    let _ = sender.send(request).await;
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut answers = client.stream::<_, WatchResponse>("/etcdserverpb.Watch/Watch", requests).await?;
    while let Some(answer) = answers.message().await? {
        if answer.canceled {
            let reason = match &*answer.cancel_reason {
                _ if answer.compact_revision > 0 => api::Error::Compacted.text(),
                "" => "watch canceled",
                reason => reason,
            };
            eprintln!("watch was canceled ({reason})");
            return Err(canceled());
        }
        show_one(&answer, global);
    }
    Err(canceled())
}

/// The failure, with etcdctl's exit code.
fn canceled() -> Failure {
    Failure { code: 5, text: "watch is canceled by the server".into() }
}

fn show_one(answer: &WatchResponse, global: &Global) {
    if global.write_out == Form::Json {
        println!("{}", show::with_numbers(json!(answer), false));
        return;
    }
    for event in &answer.events {
        let kind = if event.r#type == EventType::Delete as i32 { "DELETE" } else { "PUT" };
        println!("{kind}");
        for kv in event.prev_kv.iter().chain(&event.kv) {
            show::pair(kv, false, global);
        }
    }
}
