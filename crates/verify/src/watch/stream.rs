//! Splits one watch stream into its watchers, each with the responses it received.
//!
//! The stream is read in the order of its responses, next to the requests that were sent. The server takes requests
//! in order, and answers creations and cancellations in that order. So the id of every watcher can be predicted, and
//! every response belongs to one watcher that exists at that point. A response that does not is a [`Slip`], which W4
//! and W12 judge.
//!
//! After a slip, reading continues: a response for no watcher is skipped, and a created response with a wrong id
//! makes a watcher with that id.
//!
//! Not checked: that every cancellation is answered; responses that were still under way when the stream ended.

use std::collections::{BTreeMap, BTreeSet};

use api::Error;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use api::mvccpb::Event;
use record::{Nanos, WatchStream};

use crate::answer;
use crate::truth::Keys;

/// The id of no watcher, or of all: etcd's `InvalidWatchID`.
pub const NO_ID: i64 = -1;

/// A watcher that was created.
#[derive(Debug)]
pub struct Watcher<'a> {
    /// The number of its stream.
    pub number: usize,
    /// Its stream.
    pub stream: &'a WatchStream,
    /// Its id.
    pub id: i64,
    /// What was asked for.
    pub request: &'a WatchCreateRequest,
    /// When its client received the answer to its creation.
    pub created: Nanos,
    /// The store's revision when it was created, as its member reported it.
    pub revision: i64,
    /// What it received, in order.
    pub replies: Vec<Reply<'a>>,
    /// How it ended before its stream did.
    pub end: Option<End>,
}

impl<'a> Watcher<'a> {
    /// The keys it watches.
    pub fn keys(&self) -> Keys<'a> {
        keys(self.request)
    }
}

/// What a watcher receives.
#[derive(Debug)]
pub enum Reply<'a> {
    /// Changes.
    Batch(Batch<'a>),
    /// Progress: there are no more changes up to a revision.
    Progress {
        /// When it arrived.
        at: Nanos,
        /// The revision.
        revision: i64,
        /// Which response of the stream.
        response: usize,
    },
}

/// The events of one response, or of the fragments of one.
#[derive(Debug)]
pub struct Batch<'a> {
    /// When the last of it arrived.
    pub at: Nanos,
    /// The revision in its header.
    pub revision: i64,
    /// The events, in order.
    pub events: Vec<&'a Event>,
    /// Whether its last fragment arrived.
    pub whole: bool,
    /// The first response of the stream that belongs to it.
    pub response: usize,
}

/// How a watcher ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its client cancelled it.
    Asked,
    /// It needed revisions that are compacted.
    Compacted {
        /// When the client received that.
        at: Nanos,
        /// The revision of the compaction, as its member reported it.
        revision: i64,
        /// Which response of the stream.
        response: usize,
    },
}

/// A response that should not have come at that point of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip<'a> {
    /// Which response of the stream.
    pub response: usize,
    /// What is wrong with it.
    pub what: Wrong<'a>,
}

/// What is wrong with a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong<'a> {
    /// It answers a creation that was not asked for, or not yet.
    NotAsked,
    /// The answer to the creation has an id other than this one. A refusal must have [`NO_ID`].
    Id(i64, &'a WatchCreateRequest),
    /// The creation should have been refused for this reason.
    Accepted(Error, &'a WatchCreateRequest),
    /// There was no reason for this refusal.
    Refused(&'a WatchCreateRequest),
    /// It was refused because of the user's rights; the stream does not show whether rights are checked.
    RefusedUser(&'a WatchCreateRequest),
    /// It is for a watcher that does not exist: not yet, no longer, or never.
    NoWatcher,
    /// It cancels a watcher without a reason, and its client did not ask for that.
    Cancelled,
    /// It creates a watcher and carries events too, or names a compaction and does not cancel.
    Mixed,
    /// It is a fragment, of a watcher that did not ask for fragments.
    Fragment,
    /// It comes between the fragments of another response.
    Between,
}

/// The content of a stream.
#[derive(Debug, Default)]
pub struct Transcript<'a> {
    /// Its watchers, in the order of their creation.
    pub watchers: Vec<Watcher<'a>>,
    /// Responses that should not have come at that point of the stream.
    pub slips: Vec<Slip<'a>>,
    /// Creations that were not answered: when they were sent, and what they asked for.
    pub unanswered: Vec<(Nanos, &'a WatchCreateRequest)>,
    /// How many creations were answered.
    pub creations: usize,
    /// How many cancellations arrived, asked for or not.
    pub cancellations: usize,
}

/// Reads a stream; `number` is its index in the history.
pub fn read(number: usize, stream: &WatchStream) -> Transcript<'_> {
    let mut reader = Reader {
        number,
        stream,
        sent: 0,
        used: BTreeSet::new(),
        doubtful: BTreeSet::new(),
        next: 0,
        acknowledge: BTreeSet::new(),
        living: BTreeMap::new(),
        open: None,
        found: Transcript::default(),
    };
    for (response, (at, said)) in stream.received.iter().enumerate() {
        reader.take(response, *at, said);
    }
    while let Some((at, request)) = reader.next_creation(Nanos::MAX) {
        reader.found.unanswered.push((at, request));
    }
    reader.found
}

/// The stream as far as it was read: what the server must have done so far.
struct Reader<'a> {
    /// The number of the stream in the history.
    number: usize,
    stream: &'a WatchStream,
    /// How many of the requests the server has certainly processed.
    sent: usize,
    /// The ids that are in use on the server.
    used: BTreeSet<i64>,
    /// Ids of watchers that a compaction cancelled. Versions of etcd differ in whether these ids are free again.
    doubtful: BTreeSet<i64>,
    /// The id that the server tries next if the client leaves the choice to it.
    next: i64,
    /// The cancellations that must be answered.
    acknowledge: BTreeSet<i64>,
    /// The watchers that exist for the client, by id.
    living: BTreeMap<i64, usize>,
    /// The watcher whose next fragments must follow.
    open: Option<usize>,
    found: Transcript<'a>,
}

impl<'a> Reader<'a> {
    /// Takes the next response of the stream.
    fn take(&mut self, response: usize, at: Nanos, said: &'a WatchResponse) {
        let living = self.living.get(&said.watch_id).copied();
        if let Some(open) = self.open.take() {
            if living == Some(open) && !said.created && !said.canceled && !said.events.is_empty() {
                return self.fragment(open, at, said);
            }
            self.slip(response, Wrong::Between);
        }
        match said {
            _ if said.created => self.creation(response, at, said),
            _ if said.canceled => self.cancellation(response, at, said, living),
            _ if said.compact_revision != 0 => self.slip(response, Wrong::Mixed),
            _ if said.events.is_empty() && !said.fragment => self.progress(response, at, said, living),
            _ => self.batch(response, at, said, living),
        }
    }

    /// Notes that the response should not have come here.
    fn slip(&mut self, response: usize, what: Wrong<'a>) {
        self.found.slips.push(Slip { response, what });
    }

    /// Takes the requests sent up to the time `by`, up to the next request to create a watcher, and returns that one.
    fn next_creation(&mut self, by: Nanos) -> Option<(Nanos, &'a WatchCreateRequest)> {
        self.take_cancellations(by);
        let (at, request) = self.stream.sent.get(self.sent).filter(|(at, _)| *at <= by)?;
        let Some(RequestUnion::CreateRequest(request)) = &request.request_union else {
            unreachable!("all others were taken before")
        };
        self.sent += 1;
        Some((*at, request))
    }

    /// Takes the requests sent up to the time `by`, but stops at the next creation. The server does not answer the
    /// cancellation of an unknown id.
    fn take_cancellations(&mut self, by: Nanos) {
        while let Some((_, request)) = self.stream.sent.get(self.sent).filter(|(at, _)| *at <= by) {
            match &request.request_union {
                Some(RequestUnion::CreateRequest(_)) => break,
                Some(RequestUnion::CancelRequest(cancel)) => {
                    if self.used.remove(&cancel.watch_id) | self.doubtful.remove(&cancel.watch_id) {
                        self.acknowledge.insert(cancel.watch_id);
                    }
                }
                Some(RequestUnion::ProgressRequest(_)) | None => {}
            }
            self.sent += 1;
        }
    }

    /// Takes a response that answers the creation of a watcher.
    fn creation(&mut self, response: usize, at: Nanos, said: &'a WatchResponse) {
        self.found.creations += 1;
        if !said.events.is_empty() {
            self.slip(response, Wrong::Mixed);
        }
        let Some((_, request)) = self.next_creation(at) else {
            return self.slip(response, Wrong::NotAsked);
        };
        if said.canceled {
            return self.refusal(response, said, request);
        }
        if let Some(reason) = self.reason_against(request) {
            self.slip(response, Wrong::Accepted(reason, request));
        }
        let expected = self.foretell(request, said.watch_id);
        if expected != said.watch_id {
            self.slip(response, Wrong::Id(expected, request));
        }
        if request.watch_id == 0 {
            self.next = said.watch_id + 1;
        }
        self.used.insert(said.watch_id);
        self.doubtful.remove(&said.watch_id);
        self.living.insert(said.watch_id, self.found.watchers.len());
        self.found.watchers.push(Watcher {
            number: self.number,
            stream: self.stream,
            id: said.watch_id,
            request,
            created: at,
            revision: answer::revision(said.header.as_ref()),
            replies: Vec::new(),
            end: None,
        });
    }

    /// The id that the watcher must get. If versions of etcd differ in that, this is the id that it got.
    fn foretell(&self, request: &WatchCreateRequest, got: i64) -> i64 {
        if request.watch_id != 0 {
            return request.watch_id;
        }
        let mut id = self.next;
        while self.used.contains(&id) || (self.doubtful.contains(&id) && got != id) {
            id += 1;
        }
        id
    }

    /// Why the creation must be refused.
    fn reason_against(&self, request: &WatchCreateRequest) -> Option<Error> {
        if keys(request).are_none() {
            Some(Error::WatchEmptyRange)
        } else if request.watch_id != 0 && self.used.contains(&request.watch_id) {
            Some(Error::WatchDuplicateId)
        } else {
            None
        }
    }

    /// Takes a response that refuses the creation of a watcher.
    fn refusal(&mut self, response: usize, said: &WatchResponse, request: &'a WatchCreateRequest) {
        let right = match Error::from_text(without_status(&said.cancel_reason)) {
            Some(Error::WatchEmptyRange) => keys(request).are_none(),
            Some(Error::WatchDuplicateId) => {
                let taken =
                    self.used.contains(&request.watch_id) || self.doubtful.contains(&request.watch_id);
                request.watch_id != 0 && taken
            }
            Some(Error::Compacted) => request.start_revision < 0,
            Some(
                Error::PermissionDenied | Error::InvalidAuthToken | Error::AuthOldRevision | Error::UserEmpty,
            ) if said.watch_id == NO_ID => return self.slip(response, Wrong::RefusedUser(request)),
            Some(
                Error::PermissionDenied | Error::InvalidAuthToken | Error::AuthOldRevision | Error::UserEmpty,
            ) => true,
            // The store's own error text, which lacks the prefix "etcdserver: ".
            None => {
                request.start_revision < 0
                    && Error::Compacted.text().strip_prefix("etcdserver: ") == Some(&said.cancel_reason)
            }
            Some(_) => false,
        };
        if !right {
            self.slip(response, Wrong::Refused(request));
        } else if said.watch_id != NO_ID {
            self.slip(response, Wrong::Id(NO_ID, request));
        }
    }

    /// Takes a response that cancels a watcher.
    fn cancellation(&mut self, response: usize, at: Nanos, said: &WatchResponse, living: Option<usize>) {
        self.found.cancellations += 1;
        let id = said.watch_id;
        if said.compact_revision == 0 {
            self.take_cancellations(at);
            if !self.acknowledge.remove(&id) {
                let what = if living.is_some() { Wrong::Cancelled } else { Wrong::NoWatcher };
                self.slip(response, what);
            }
        } else if living.is_none() {
            self.slip(response, Wrong::NoWatcher);
        } else if self.used.remove(&id) {
            self.doubtful.insert(id);
        }
        if let Some(watcher) = living {
            self.living.remove(&id);
            self.found.watchers[watcher].end = Some(match said.compact_revision {
                0 => End::Asked,
                revision => End::Compacted { at, revision, response },
            });
        }
    }

    /// Takes a progress notification.
    fn progress(&mut self, response: usize, at: Nanos, said: &WatchResponse, living: Option<usize>) {
        let revision = answer::revision(said.header.as_ref());
        match living {
            // Progress for all watchers counts for those whose creation was answered. The member holds back events for
            // the others.
            None if said.watch_id == NO_ID => {
                for watcher in self.living.values() {
                    self.found.watchers[*watcher].replies.push(Reply::Progress { at, revision, response });
                }
            }
            None => self.slip(response, Wrong::NoWatcher),
            Some(watcher) => {
                self.found.watchers[watcher].replies.push(Reply::Progress { at, revision, response });
            }
        }
    }

    /// Takes a response with events.
    fn batch(&mut self, response: usize, at: Nanos, said: &'a WatchResponse, living: Option<usize>) {
        let Some(number) = living else { return self.slip(response, Wrong::NoWatcher) };
        let revision = answer::revision(said.header.as_ref());
        let watcher = &mut self.found.watchers[number];
        let events = said.events.iter().collect();
        let batch = Batch { at, revision, events, whole: !said.fragment, response };
        watcher.replies.push(Reply::Batch(batch));
        if said.fragment {
            self.open = Some(number);
            if !watcher.request.fragment {
                self.slip(response, Wrong::Fragment);
            }
        }
    }

    /// Takes a further fragment.
    fn fragment(&mut self, watcher: usize, at: Nanos, said: &'a WatchResponse) {
        let Some(Reply::Batch(batch)) = self.found.watchers[watcher].replies.last_mut() else {
            unreachable!("what came in between closed the fragments")
        };
        batch.at = at;
        batch.events.extend(&said.events);
        batch.whole = !said.fragment;
        self.open = said.fragment.then_some(watcher);
    }
}

/// The text of an error, without the status code that Go's gRPC prints before it. The code is there if the error is
/// about the caller's rights.
fn without_status(reason: &str) -> &str {
    let status = reason.strip_prefix("rpc error: code = ");
    status.and_then(|status| status.split_once(" desc = ")).map_or(reason, |(_, text)| text)
}

/// The keys of a creation. No key means the first key there is.
pub fn keys(request: &WatchCreateRequest) -> Keys<'_> {
    let key = if request.key.is_empty() { b"\0" } else { &request.key[..] };
    Keys { key, end: &request.range_end }
}
