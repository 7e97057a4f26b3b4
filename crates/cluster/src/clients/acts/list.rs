//! The acts `List` and `Follow`: list a range of keys page by page and keep the result in the client's memory as a
//! copy. `Follow` then watches the keys, so that the copy stays up to date.
//!
//! Paging is that of Kubernetes (`apiserver/pkg/storage/etcd3/store.go`). All pages are read at the revision
//! of the first one. A page begins after the last key of the previous one. There is another page if the
//! answer's `count` (all keys from the page's first key on) is larger than its number of pairs. If the revision is
//! compacted before the last page, the list starts over.
//!
//! From Kubernetes 1.37 on, the ranges are streamed: a page is merged from the chunks of one stream, and `Follow` reads
//! its whole list from a single stream. If the member does not support that, the client reads pages from then on.
//!
//! `Follow` repeats a failed list, as client-go's reflector does, the code that keeps the caches of Kubernetes'
//! components.

use std::collections::BTreeMap;

use api::etcdserverpb::RangeRequest;
use api::{Error, Response};
use bytes::Bytes;
use plan::act::{Follow, Keys};
use record::Nanos;

use super::{ActInput, Command, Context, RunningAct, Step, revision};
use crate::clients::memory::Copy;

/// Wait before `Follow` repeats a failed list: the first backoff of client-go's reflector, 0.8 s.
const RELIST_WAIT: Nanos = 800_000_000;
/// The most attempts at a list, so that `Follow` ends if its member never comes back. The number is our choice.
const ATTEMPTS: u32 = 20;

/// A list under way.
pub(crate) struct List {
    keys: Keys,
    /// The most pairs in a page; 0 for no limit.
    page: u32,
    /// Whether to list by streamed ranges.
    streamed: bool,
    /// The watch to begin after the list, for the act `Follow`.
    follow: Option<Follow>,
    /// How many attempts have failed.
    attempts: u32,
    /// The first key of the next page.
    from: Bytes,
    /// The revision of the first page; 0 before it was answered.
    revision: i64,
    /// The keys of the pages so far, with their modification revisions.
    pairs: BTreeMap<Bytes, i64>,
}

impl List {
    pub(crate) fn new(keys: Keys, page: u32, streamed: bool) -> List {
        let from = keys.key.clone();
        List { keys, page, streamed, follow: None, attempts: 0, from, revision: 0, pairs: BTreeMap::new() }
    }

    /// The list with which a `Follow` fills its copy.
    pub(crate) fn follow(follow: Follow) -> List {
        List { follow: Some(follow.clone()), ..List::new(follow.keys, follow.page, follow.streamed) }
    }

    /// Requests the next page.
    fn ask(&self) -> Step {
        // A cache is filled by one stream without a limit.
        let page = if self.streamed && self.follow.is_some() { 0 } else { self.page };
        let range = RangeRequest {
            key: self.from.clone(),
            range_end: self.keys.end.clone(),
            limit: page.into(),
            revision: self.revision,
            ..RangeRequest::default()
        };
        if self.streamed { Step::AskStreamed(range, false) } else { Step::Ask(range.into()) }
    }

    /// Begins again with the first page.
    fn restart(&mut self) {
        (self.from, self.revision) = (self.keys.key.clone(), 0);
        self.pairs.clear();
        self.attempts += 1;
    }

    /// Gives up, or, for `Follow`, waits and starts over.
    fn failed(&mut self, context: &mut Context<'_>) -> Step {
        self.restart();
        if self.follow.is_none() {
            return Step::Done;
        }
        if self.attempts < ATTEMPTS {
            return Step::Wait(RELIST_WAIT);
        }
        context.count("reflectors-given-up");
        Step::Done
    }
}

impl RunningAct for List {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        match input {
            ActInput::Begin => {
                self.streamed &= !context.memory.pages_only;
                self.ask()
            }
            ActInput::WaitOver => self.ask(),
            ActInput::Answer(response @ Response::Range(range)) => {
                context.count("pages");
                if self.revision == 0 {
                    self.revision = revision(response);
                }
                self.pairs.extend(range.kvs.iter().map(|kv| (kv.key.clone(), kv.mod_revision)));
                if let Some(last) = range.kvs.last().filter(|_| range.count > range.kvs.len() as i64) {
                    self.from = [&last.key[..], b"\0"].concat().into();
                    return self.ask();
                }
                context.count("lists");
                let pairs = std::mem::take(&mut self.pairs);
                let copy = Copy { revision: self.revision, pairs, doubtful: false };
                match context.memory.copies.get_mut(&self.keys) {
                    // A watch has already brought the copy further than this list: keep the copy.
                    Some(known) if self.follow.is_none() && known.revision > copy.revision => {
                        known.doubtful = false;
                    }
                    _ => {
                        context.memory.copies.insert(self.keys.clone(), copy);
                    }
                }
                match self.follow.take() {
                    Some(follow) => Step::Stream(Command::Follow(follow, self.revision + 1)),
                    None => Step::Done,
                }
            }
            // A member before 3.7. Kubernetes tries again after ten minutes, which is longer than a run.
            ActInput::Error(Error::NoRangeStream) => {
                context.count("streams-not-supported");
                (self.streamed, context.memory.pages_only) = (false, true);
                self.ask()
            }
            ActInput::Error(Error::Compacted) if self.revision != 0 && self.attempts < ATTEMPTS => {
                context.count("lists-compacted");
                self.restart();
                self.ask()
            }
            ActInput::Answer(_) | ActInput::Error(_) | ActInput::Unknown => self.failed(context),
        }
    }
}
