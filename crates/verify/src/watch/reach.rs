//! How far each watcher got: the changes that it must have received, going by its own responses alone.
//!
//! K1 uses this when it searches for what made the revisions that no answer acknowledges (`k1/gaps`). At that point
//! nothing else shows what the store contained.

use record::WatchStream;

use super::ledger::{first, is_delete, is_filtered};
use super::stream::{self, Reply, Watcher};
use crate::truth::Keys;

/// A watcher's keys, the range of revisions in which it must have received every change of them, and what it
/// received.
#[derive(Debug)]
pub struct Reach<'a> {
    key: &'a [u8],
    end: &'a [u8],
    /// Whether it filtered out puts, and whether it filtered out deletions.
    filtered: [bool; 2],
    /// The revision from which on every change must have arrived.
    first: i64,
    /// The revision up to which every change must have arrived.
    last: i64,
    /// The highest revision that its responses name.
    pub newest: i64,
    /// The events that it received, in order: the revision, the key, and whether it is a deletion.
    received: Vec<(i64, &'a [u8], bool)>,
}

impl Reach<'_> {
    /// Whether it should have received this change and did not.
    pub fn misses(&self, key: &[u8], revision: i64, deleted: bool) -> bool {
        (self.first..=self.last).contains(&revision)
            && !self.filtered[usize::from(deleted)]
            && Keys { key: self.key, end: self.end }.contain(key)
            && self.received.binary_search(&(revision, key, deleted)).is_err()
    }
}

/// The reach of every watcher of these streams.
pub fn of(streams: &[WatchStream]) -> Vec<Reach<'_>> {
    let transcripts = streams.iter().enumerate().map(|(number, stream)| stream::read(number, stream));
    transcripts.flat_map(|transcript| transcript.watchers).map(|watcher| reach(&watcher)).collect()
}

/// The reach of one watcher, as its stream shows it.
fn reach<'a>(watcher: &Watcher<'a>) -> Reach<'a> {
    let keys = watcher.keys();
    let mut reach = Reach {
        key: keys.key,
        end: keys.end,
        filtered: [is_filtered(watcher, false), is_filtered(watcher, true)],
        first: first(watcher),
        last: 0,
        newest: watcher.revision,
        received: Vec::new(),
    };
    for reply in &watcher.replies {
        match reply {
            Reply::Progress { revision, .. } => {
                reach.last = reach.last.max(*revision);
                reach.newest = reach.newest.max(*revision);
            }
            Reply::Batch(batch) => {
                let mut last = 0;
                for event in &batch.events {
                    let Some(kv) = &event.kv else { continue };
                    reach.received.push((kv.mod_revision, &kv.key, is_delete(event)));
                    last = last.max(kv.mod_revision);
                }
                // In fragments, the rest of the last revision may still have been on its way.
                reach.last = reach.last.max(last - i64::from(!batch.whole));
                reach.newest = reach.newest.max(last);
                reach.newest = reach.newest.max(batch.revision);
            }
        }
    }
    // As they arrive they are nearly in order.
    reach.received.sort();
    reach.received.dedup();
    reach.received.shrink_to_fit();
    reach
}
