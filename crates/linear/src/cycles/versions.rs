//! Finds the order of every key's versions, and the dependencies and anomalies that follow from it. A *version*
//! of a key is its list after one more append. The longest list that was read shows the order of all versions
//! up to it, and every other read must be a prefix of that list.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

use super::{Anomaly, AnomalyKind, Dependency, Edge, EdgeKind, Link, Step, Transaction, answered_at};
use crate::history::Outcome;

/// What is known of one key.
struct Key<'a, K, V> {
    key: &'a K,
    /// The longest list that was read.
    longest: &'a [V],
    /// The transaction that read the longest list.
    reader: u32,
    /// For each appended value: who appended it.
    appends: HashMap<&'a V, Append>,
    /// For each transaction that appended to this key: how many values it appended.
    counts: HashMap<u32, usize>,
    /// The reads, all prefixes of `longest`. Each is a transaction, and how many values it read, without those at
    /// the end that it had appended itself.
    reads: Vec<(u32, usize)>,
}

/// An append to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Append {
    /// The transaction.
    writer: u32,
    /// How many values the transaction had appended to this key before.
    rank: usize,
}

/// What is known of all keys after the transactions were read, see [`Versions::read`].
pub(super) struct Versions<'a, K, V> {
    transactions: &'a [Transaction<K, V>],
    keys: Vec<Key<'a, K, V>>,
    /// By transaction: whether it was answered, or is of unknown outcome and a transaction that happened read one
    /// of its values.
    pub(super) happened: Vec<bool>,
}

/// A read of a key.
struct Read<'a, V> {
    transaction: u32,
    key: usize,
    list: &'a [V],
    /// How many values at the end of the list are the transaction's own.
    own: usize,
}

/// What a transaction knows about a key from its own steps so far.
struct Known<'a, V> {
    /// The list that it read last.
    read: Option<&'a [V]>,
    /// The values that it appended.
    own: Vec<&'a V>,
    /// How many of these it had appended before that read.
    own_read: usize,
}

impl<V> Known<'_, V> {
    fn new() -> Self {
        Known { read: None, own: Vec::new(), own_read: 0 }
    }
}

impl<'a, K, V> Versions<'a, K, V>
where
    K: Clone + Eq + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    /// Reads the history. The error is all anomalies.
    pub(super) fn read(transactions: &'a [Transaction<K, V>]) -> Result<Self, Vec<Anomaly>> {
        let mut numbers: HashMap<&K, usize> = HashMap::new();
        let happened: Vec<bool> =
            transactions.iter().map(|transaction| answered_at(transaction).is_some()).collect();
        let mut versions = Versions { transactions, keys: Vec::new(), happened };
        let mut anomalies = Vec::new();
        for (index, transaction) in transactions.iter().enumerate() {
            for step in &transaction.steps {
                let (Step::Append(key, _) | Step::Read(key, _)) = step;
                let number = *numbers.entry(key).or_insert(versions.keys.len());
                if number == versions.keys.len() {
                    versions.keys.push(Key::new(key));
                }
                if let Step::Append(_, value) = step {
                    anomalies.extend(versions.append(index as u32, number, value));
                }
            }
        }
        if !anomalies.is_empty() {
            return Err(anomalies);
        }
        // The reads of a transaction that has happened show which others have. `open` are those whose reads are still
        // to be looked at.
        let mut open: Vec<u32> = (0..transactions.len() as u32).collect();
        open.retain(|&index| versions.happened[index as usize]);
        let mut reads = Vec::new();
        while let Some(index) = open.pop() {
            versions.reads_of(index, &numbers, &mut reads, &mut anomalies, &mut open);
        }
        reads.sort_by_key(|read| read.transaction);
        versions.order(&reads, &mut anomalies);
        if anomalies.is_empty() { Ok(versions) } else { Err(anomalies) }
    }

    /// Records an append of transaction `index` to key `number`. The anomaly is that the value was appended
    /// before.
    fn append(&mut self, index: u32, number: usize, value: &'a V) -> Option<Anomaly> {
        let key = &mut self.keys[number];
        let count = key.counts.entry(index).or_insert(0);
        let before = key.appends.insert(value, Append { writer: index, rank: *count });
        *count += 1;
        let other = before?.writer;
        let sentence = format!(
            "{value:?} is appended to {:?} by {} and by {}",
            key.key,
            name(self.transactions, other),
            name(self.transactions, index),
        );
        Some(Anomaly { kind: AnomalyKind::AppendedTwice, transactions: vec![other, index], sentence })
    }

    /// Adds the reads of one transaction that has happened. A transaction of unknown outcome whose values it read has
    /// happened as well, and is added to `open`.
    fn reads_of(
        &mut self,
        index: u32,
        numbers: &HashMap<&K, usize>,
        reads: &mut Vec<Read<'a, V>>,
        anomalies: &mut Vec<Anomaly>,
        open: &mut Vec<u32>,
    ) {
        let mut known: HashMap<usize, Known<'a, V>> = HashMap::new();
        for step in &self.transactions[index as usize].steps {
            match step {
                Step::Append(key, value) => {
                    known.entry(numbers[key]).or_insert_with(Known::new).own.push(value)
                }
                Step::Read(_, None) => {}
                Step::Read(key, Some(list)) => {
                    let number = numbers[key];
                    let known = known.entry(number).or_insert_with(Known::new);
                    let since = &known.own[known.own_read..];
                    let fits = list.len() >= since.len()
                        && list[list.len() - since.len()..].iter().eq(since.iter().copied())
                        && known.read.is_none_or(|before| list[..list.len() - since.len()] == *before);
                    if !fits {
                        let sentence = format!(
                            "{} read {list:?} from {key:?}, which does not fit its own earlier steps",
                            name(self.transactions, index)
                        );
                        let kind = AnomalyKind::Internal;
                        anomalies.push(Anomaly { kind, transactions: vec![index], sentence });
                        continue;
                    }
                    (known.read, known.own_read) = (Some(list.as_slice()), known.own.len());
                    let read = Read { transaction: index, key: number, list, own: known.own.len() };
                    self.elements(&read, anomalies, open);
                    reads.push(read);
                }
            }
        }
    }

    /// Checks who appended each element of a list that was read.
    fn elements(&mut self, read: &Read<'a, V>, anomalies: &mut Vec<Anomaly>, open: &mut Vec<u32>) {
        let key = &self.keys[read.key];
        let (mut seen, mut twice) = (HashSet::new(), false);
        let who = name(self.transactions, read.transaction);
        let mut add = |kind, others: &[u32], sentence| {
            let transactions = [&[read.transaction], others].concat();
            anomalies.push(Anomaly { kind, transactions, sentence });
        };
        for (at, value) in read.list.iter().enumerate() {
            if !seen.insert(value) && !twice {
                twice = true;
                let sentence = format!("{who} read {:?} from {:?}: {value:?} twice", read.list, key.key);
                add(AnomalyKind::DuplicateElement, &[], sentence);
            }
            let Some(&Append { writer, .. }) = key.appends.get(value) else {
                let sentence = format!("{who} read {value:?} from {:?}, which nobody appended", key.key);
                add(AnomalyKind::Unwritten, &[], sentence);
                continue;
            };
            if writer == read.transaction && at + read.own < read.list.len() {
                let sentence = format!("{who} read {value:?} from {:?} before it appended it", key.key);
                add(AnomalyKind::Internal, &[], sentence);
            }
            match self.transactions[writer as usize].outcome {
                Outcome::Failed { .. } => {
                    let writer_name = name(self.transactions, writer);
                    let sentence =
                        format!("{who} read {value:?} from {:?}, but {writer_name} failed", key.key);
                    add(AnomalyKind::AbortedRead, &[writer], sentence);
                }
                Outcome::Unknown if !self.happened[writer as usize] => {
                    self.happened[writer as usize] = true;
                    open.push(writer);
                }
                Outcome::Unknown | Outcome::Answered { .. } => {}
            }
        }
        let last = read.list.last().and_then(|last| key.appends.get(last));
        let Some(&Append { writer, rank }) = last else { return };
        if writer != read.transaction && rank + 1 < key.counts[&writer] {
            let writer_name = name(self.transactions, writer);
            let sentence = format!(
                "{who} read {:?} from {:?} in the middle of the appends of {writer_name}",
                read.list, key.key
            );
            add(AnomalyKind::IntermediateRead, &[writer], sentence);
        }
    }

    /// Takes the longest list of each key as the order of its versions, if all other reads are prefixes of it.
    fn order(&mut self, reads: &[Read<'a, V>], anomalies: &mut Vec<Anomaly>) {
        for read in reads {
            let key = &mut self.keys[read.key];
            if read.list.len() > key.longest.len() {
                (key.longest, key.reader) = (read.list, read.transaction);
            }
        }
        for read in reads {
            let key = &mut self.keys[read.key];
            if key.longest.starts_with(read.list) {
                key.reads.push((read.transaction, read.list.len() - read.own));
                continue;
            }
            let sentence = format!(
                "{} read {:?} from {:?}, but {} read {:?}",
                name(self.transactions, read.transaction),
                read.list,
                key.key,
                name(self.transactions, key.reader),
                key.longest,
            );
            let transactions = vec![read.transaction, key.reader];
            anomalies.push(Anomaly { kind: AnomalyKind::IncompatibleOrders, transactions, sentence });
        }
        if anomalies.is_empty() {
            for key in &self.keys {
                anomalies.extend(torn(self.transactions, key));
            }
        }
    }

    /// All dependencies that follow from keys.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = Vec::new();
        for (number, key) in self.keys.iter().enumerate() {
            let mut add = |kind, from: u32, to: u32| {
                if from != to {
                    dependencies.push(Dependency { from, to, link: Link::Key(kind, number as u32) });
                }
            };
            let writer = |at: usize| key.appends[&key.longest[at]].writer;
            for at in 1..key.longest.len() {
                add(EdgeKind::WriteWrite, writer(at - 1), writer(at));
            }
            // The transactions that appended to the key, but not within the longest list: they come after it.
            let mut unseen: Vec<u32> = key.counts.keys().copied().collect();
            let in_order: HashSet<u32> = (0..key.longest.len()).map(writer).collect();
            unseen.retain(|index| self.happened[*index as usize] && !in_order.contains(index));
            unseen.sort_unstable();
            if let Some(last) = key.longest.len().checked_sub(1) {
                unseen.iter().for_each(|&later| add(EdgeKind::WriteWrite, writer(last), later));
            }
            for &(reader, length) in &key.reads {
                if length > 0 {
                    add(EdgeKind::WriteRead, writer(length - 1), reader);
                }
                // If the reader itself appended the next value, the edge from that append to the following one
                // orders it before all others.
                if length < key.longest.len() {
                    add(EdgeKind::ReadWrite, reader, writer(length));
                } else {
                    unseen.iter().for_each(|&later| add(EdgeKind::ReadWrite, reader, later));
                }
            }
        }
        dependencies
    }

    /// Puts a dependency into the form that the verdict reports, with a sentence.
    pub(super) fn edge(&self, Dependency { from, to, link }: Dependency) -> Edge {
        let (first, second) = (name(self.transactions, from), name(self.transactions, to));
        let (kind, sentence) = match link {
            Link::Time => {
                let called = self.transactions[to as usize].call;
                let at = answered_at(&self.transactions[from as usize]).unwrap_or(u64::MAX);
                let sentence =
                    format!("{first} was answered at {at}, before {second} was called at {called}");
                (EdgeKind::RealTime, sentence)
            }
            Link::Key(kind, number) => {
                let key = self.keys[number as usize].key;
                let sentence = match kind {
                    EdgeKind::WriteRead => format!("{second} read from {key:?} what {first} had appended"),
                    EdgeKind::ReadWrite => format!("{first} read {key:?} without what {second} appended"),
                    EdgeKind::WriteWrite | EdgeKind::RealTime => {
                        format!("{second} appended to {key:?} after what {first} had appended")
                    }
                };
                (kind, sentence)
            }
        };
        Edge { from, to, kind, sentence }
    }
}

impl<'a, K, V> Key<'a, K, V> {
    fn new(key: &'a K) -> Self {
        let (appends, counts) = (HashMap::new(), HashMap::new());
        Key { key, longest: &[], reader: 0, appends, counts, reads: Vec::new() }
    }
}

/// Finds a transaction whose appends are not next to each other in the longest list, which is an anomaly. Only the
/// last transaction in the list may have appended more values than the list shows.
fn torn<K: Debug, V: Eq + Hash + Debug>(
    transactions: &[Transaction<K, V>],
    key: &Key<'_, K, V>,
) -> Option<Anomaly> {
    // The append before this one, if its transaction appended more values after it.
    let mut unfinished: Option<Append> = None;
    for value in key.longest {
        let append = key.appends[value];
        let right = match unfinished {
            Some(Append { writer, rank }) => append == Append { writer, rank: rank + 1 },
            None => append.rank == 0,
        };
        if !right {
            let writer = unfinished.unwrap_or(append).writer;
            let sentence = format!(
                "{} read {:?} from {:?}, where the appends of {} are not in one piece",
                name(transactions, key.reader),
                key.longest,
                key.key,
                name(transactions, writer),
            );
            let transactions = vec![key.reader, writer];
            return Some(Anomaly { kind: AnomalyKind::LostAppend, transactions, sentence });
        }
        unfinished = Some(append).filter(|append| append.rank + 1 < key.counts[&append.writer]);
    }
    None
}

/// How sentences name a transaction.
fn name<K, V>(transactions: &[Transaction<K, V>], index: u32) -> String {
    format!("transaction {index} of client {}", transactions[index as usize].client)
}
