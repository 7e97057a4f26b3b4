//! Turns watchers, changes and watch responses into text for people.

use api::etcdserverpb::watch_create_request::FilterType;
use api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use record::Nanos;

use super::{KEYS_SHOWN, key, key_value, span, time, with_revision};
use crate::answer::NOT_RECORDED;

/// What a watcher was asked to watch: `a..b from revision 5`.
pub fn watcher(request: &WatchCreateRequest) -> String {
    let first = if request.key.is_empty() { &b"\0"[..] } else { &request.key[..] };
    let mut text = span(first, &request.range_end);
    match request.start_revision {
        0 => text.push_str(" from now on"),
        start => text.push_str(&format!(" from revision {start}")),
    }
    for filter in &request.filters {
        match FilterType::try_from(*filter) {
            Ok(FilterType::Noput) => text.push_str(" without puts"),
            Ok(FilterType::Nodelete) => text.push_str(" without deletes"),
            Err(_) => text.push_str(&format!(" with filter {filter}")),
        }
    }
    for (set, name) in [(request.prev_kv, " with prev_kv"), (request.fragment, " in fragments")] {
        if set {
            text.push_str(name);
        }
    }
    text
}

/// A change: `put a="1" (create 2, mod 2, version 1)` or `delete a at revision 3`.
pub fn change(deleted: bool, kv: &KeyValue) -> String {
    if deleted {
        format!("delete {} at revision {}", key(&kv.key), kv.mod_revision)
    } else {
        format!("put {}", key_value(kv))
    }
}

/// A response on one line: `12.301 s  watcher 0: put a="1" (create 2, mod 2, version 1)  -> revision 2`.
pub fn watch_response(at: Nanos, response: &WatchResponse) -> String {
    let who = match response.watch_id {
        // etcd's `InvalidWatchID`, which a progress notification for all watchers has.
        -1 => "all watchers".to_string(),
        id => format!("watcher {id}"),
    };
    let mut what = Vec::new();
    if response.created {
        what.push("created".to_string());
    }
    if response.canceled {
        what.push("cancelled".to_string());
    }
    match response.compact_revision {
        0 => {}
        NOT_RECORDED => what.push("compacted".to_string()),
        revision => what.push(format!("compacted at {revision}")),
    }
    if !response.cancel_reason.is_empty() {
        what.push(format!("\"{}\"", response.cancel_reason));
    }
    match &response.events[..] {
        [] if what.is_empty() => what.push("progress".to_string()),
        events if events.len() <= KEYS_SHOWN => what.extend(events.iter().map(event)),
        events => what.push(many(events)),
    }
    if response.fragment {
        what.push("more to follow".to_string());
    }
    let revision = response.header.as_ref().map_or(0, |header| header.revision);
    format!("{}  {who}: {}{}", time(at), what.join(", "), with_revision("  -> ", revision))
}

fn event(event: &Event) -> String {
    let Some(kv) = &event.kv else { return "an event without a key".to_string() };
    let mut text = change(event.r#type == EventType::Delete as i32, kv);
    if let Some(before) = &event.prev_kv {
        text.push_str(&format!(" was {}", key_value(before)));
    }
    text
}

/// Many events, by their first and last revision.
fn many(events: &[Event]) -> String {
    let revisions = || events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision);
    let (first, last) = (revisions().next().unwrap_or(0), revisions().next_back().unwrap_or(0));
    format!("{} events of revisions {first} to {last}", events.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::etcdserverpb::ResponseHeader;

    #[test]
    fn a_watcher_and_what_it_is_told_are_a_line_each() {
        let request = WatchCreateRequest {
            key: "a".into(),
            range_end: "b".into(),
            start_revision: 5,
            filters: vec![1],
            ..WatchCreateRequest::default()
        };
        assert_eq!(watcher(&request), "a..b from revision 5 without deletes");
        assert_eq!(watcher(&WatchCreateRequest::default()), "\"\\x00\" from now on");
        let kv = KeyValue { key: "a".into(), mod_revision: 7, ..KeyValue::default() };
        let event = Event { r#type: 1, kv: Some(kv), prev_kv: None };
        let header = Some(ResponseHeader { revision: 7, ..ResponseHeader::default() });
        let mut response = WatchResponse { header, events: vec![event], ..WatchResponse::default() };
        let line = watch_response(1_000_000_000, &response);
        assert_eq!(line, "1.000 s  watcher 0: delete a at revision 7  -> revision 7");
        (response.events, response.watch_id) = (Vec::new(), -1);
        assert_eq!(watch_response(0, &response), "0.000 s  all watchers: progress  -> revision 7");
    }
}
