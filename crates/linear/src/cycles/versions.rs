//! The order of every key's versions, and the dependencies that follow from it.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

use super::{Anomaly, AnomalyKind, Dependency, Edge, EdgeKind, Link, Outcome, Step, Transaction};

/// What is known of one key.
struct Key<'a, K, V> {
    key: &'a K,
    /// The longest list that was read, and by whom.
    longest: &'a [V],
    reader: u32,
    /// Who appended what, and as how manieth of its own appends to this key.
    appends: HashMap<&'a V, (u32, usize)>,
    /// By transaction that appended: how many values.
    counts: HashMap<u32, usize>,
    /// Who read a list that begins with so many values of others; all are beginnings of `longest`.
    reads: Vec<(u32, usize)>,
}

pub(super) struct Versions<'a, K, V> {
    transactions: &'a [Transaction<K, V>],
    keys: Vec<Key<'a, K, V>>,
    /// By transaction: whether it was committed, or is of unknown outcome and was seen.
    pub(super) happened: Vec<bool>,
}

/// A read: who, of which key, what, and how many of the last values are its own.
struct Read<'a, V> {
    transaction: u32,
    key: usize,
    list: &'a [V],
    own: usize,
}

/// What a transaction knows of a key by what it did so far.
struct Known<'a, V> {
    /// What it read last.
    read: Option<&'a [V]>,
    /// What it appended, of which the first `own_read` before that read.
    own: Vec<&'a V>,
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
    /// Reads the history; an error holds all direct anomalies.
    pub(super) fn read(transactions: &'a [Transaction<K, V>]) -> Result<Self, Vec<Anomaly>> {
        let mut numbers: HashMap<&K, usize> = HashMap::new();
        let happened: Vec<bool> = transactions
            .iter()
            .map(|transaction| matches!(transaction.outcome, Outcome::Committed { .. }))
            .collect();
        let mut versions = Versions { transactions, keys: Vec::new(), happened };
        let mut anomalies = Vec::new();
        for (index, transaction) in transactions.iter().enumerate() {
            for step in &transaction.ops {
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
        // Who has happened tells who else has.
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

    fn append(&mut self, index: u32, number: usize, value: &'a V) -> Option<Anomaly> {
        let key = &mut self.keys[number];
        let count = key.counts.entry(index).or_insert(0);
        let before = key.appends.insert(value, (index, *count));
        *count += 1;
        let (other, _) = before?;
        let sentence = format!(
            "{value:?} is appended to {:?} by {} and by {}",
            key.key,
            name(self.transactions, other),
            name(self.transactions, index),
        );
        Some(Anomaly { kind: AnomalyKind::AppendedTwice, transactions: vec![other, index], sentence })
    }

    /// The reads of one transaction that has happened, and whoever is seen in them.
    fn reads_of(
        &mut self,
        index: u32,
        numbers: &HashMap<&K, usize>,
        reads: &mut Vec<Read<'a, V>>,
        anomalies: &mut Vec<Anomaly>,
        open: &mut Vec<u32>,
    ) {
        let mut known: HashMap<usize, Known<'a, V>> = HashMap::new();
        for step in &self.transactions[index as usize].ops {
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
                            "{} read {list:?} from {key:?}, which does not fit what it did before",
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

    /// Looks at where the elements of a list come from.
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
            let Some(&(writer, _)) = key.appends.get(value) else {
                let sentence = format!("{who} read {value:?} from {:?}, which nobody appended", key.key);
                add(AnomalyKind::Unwritten, &[], sentence);
                continue;
            };
            if writer == read.transaction && at + read.own < read.list.len() {
                let sentence = format!("{who} read {value:?} from {:?} before it appended it", key.key);
                add(AnomalyKind::Internal, &[], sentence);
            }
            match self.transactions[writer as usize].outcome {
                Outcome::Failed => {
                    let writer_name = name(self.transactions, writer);
                    let sentence =
                        format!("{who} read {value:?} from {:?}, but {writer_name} failed", key.key);
                    add(AnomalyKind::AbortedRead, &[writer], sentence);
                }
                Outcome::Unknown if !self.happened[writer as usize] => {
                    self.happened[writer as usize] = true;
                    open.push(writer);
                }
                Outcome::Unknown | Outcome::Committed { .. } => {}
            }
        }
        let Some(&(writer, place)) = read.list.last().and_then(|last| key.appends.get(last)) else { return };
        if writer != read.transaction && place + 1 < key.counts[&writer] {
            let writer_name = name(self.transactions, writer);
            let sentence = format!(
                "{who} read {:?} from {:?} before {writer_name} had appended all it did",
                read.list, key.key
            );
            add(AnomalyKind::IntermediateRead, &[writer], sentence);
        }
    }

    /// Makes the longest list of each key the order of its versions, if all others fit.
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

    /// All dependencies by keys.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = Vec::new();
        for (number, key) in self.keys.iter().enumerate() {
            let mut add = |kind, from: u32, to: u32| {
                if from != to {
                    dependencies.push((from, to, Link::Key(kind, number as u32)));
                }
            };
            let writer = |place: usize| key.appends[&key.longest[place]].0;
            for place in 1..key.longest.len() {
                add(EdgeKind::WriteWrite, writer(place - 1), writer(place));
            }
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
                // Its own appends may follow; then the edge between writers says the rest.
                if length < key.longest.len() {
                    add(EdgeKind::ReadWrite, reader, writer(length));
                } else {
                    unseen.iter().for_each(|&later| add(EdgeKind::ReadWrite, reader, later));
                }
            }
        }
        dependencies
    }

    /// A dependency in words.
    pub(super) fn edge(&self, from: u32, to: u32, link: Link) -> Edge {
        let (first, second) = (name(self.transactions, from), name(self.transactions, to));
        let (kind, sentence) = match link {
            Link::Time => {
                let called = self.transactions[to as usize].call;
                let at = match self.transactions[from as usize].outcome {
                    Outcome::Committed { at } => at,
                    Outcome::Failed | Outcome::Unknown => u64::MAX,
                };
                let sentence =
                    format!("{first} was committed at {at} before {second} was called at {called}");
                (EdgeKind::RealTime, sentence)
            }
            Link::Key(kind, number) => {
                let key = self.keys[number as usize].key;
                let sentence = match kind {
                    EdgeKind::WriteRead => format!("{second} read from {key:?} what {first} had appended"),
                    EdgeKind::ReadWrite => format!("{first} read {key:?} without what {second} appended"),
                    EdgeKind::WriteWrite | EdgeKind::RealTime => {
                        format!("{second} appended to {key:?} behind what {first} had appended")
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

/// Whether what each transaction appended stands together; only the end of the list may hold a beginning.
fn torn<K: Debug, V: Eq + Hash + Debug>(
    transactions: &[Transaction<K, V>],
    key: &Key<'_, K, V>,
) -> Option<Anomaly> {
    let mut before: Option<(u32, usize)> = None;
    for value in key.longest {
        let (writer, place) = key.appends[value];
        let right = match before {
            Some((last, at)) if at + 1 < key.counts[&last] => (writer, place) == (last, at + 1),
            _ => place == 0,
        };
        if !right {
            let writer =
                before.filter(|&(last, at)| at + 1 < key.counts[&last]).map_or(writer, |(last, _)| last);
            let sentence = format!(
                "{} read {:?} from {:?}: not all that {} appended stands there together",
                name(transactions, key.reader),
                key.longest,
                key.key,
                name(transactions, writer),
            );
            let transactions = vec![key.reader, writer];
            return Some(Anomaly { kind: AnomalyKind::LostAppend, transactions, sentence });
        }
        before = Some((writer, place));
    }
    None
}

fn name<K, V>(transactions: &[Transaction<K, V>], index: u32) -> String {
    format!("transaction {index} of client {}", transactions[index as usize].client)
}
