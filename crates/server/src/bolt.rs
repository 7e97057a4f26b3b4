//! Files of bbolt, the database of etcd: written in one go, and read as a whole. Snapshots of etcd are such files.
//!
//! # Format
//!
//! Numbers are little-endian. A file is a sequence of pages of 4096 bytes. A page begins with its number (8 bytes), what it
//! is (2), how many elements it has (2), and how many pages after it belong to it (4).
//!
//! - Pages 0 and 1 are *meta* pages. The one with the higher transaction number is the current one. It has the page of
//!   the root bucket.
//! - A *leaf* has elements of 16 bytes (flags, where the key begins counted from the element, lengths of key and value),
//!   then keys and values. A *branch* has elements of 16 bytes (where the key begins, its length, the child's page).
//! - A *bucket* is a tree of such pages. In the root bucket, the value of an element with flag 1 is another bucket: the page
//!   of its root, and a sequence (8 bytes each). A root of 0 means that a single leaf follows in the value itself.
//!
//! Architecture invariant: only snapshots use this format. The member's own store is another database.

use std::collections::BTreeMap;

use bytes::{Buf as _, BufMut as _, Bytes};

/// The length of a page.
const PAGE: usize = 4096;
/// The length of what a page begins with.
const HEAD: usize = 16;
/// The length of an element.
const ELEMENT: usize = 16;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const META: u16 = 4;
const FREELIST: u16 = 16;
/// The flag of an element whose value is a bucket.
const IS_BUCKET: u32 = 1;
/// The page of the list of free pages, of which there are none.
const FREELIST_AT: u64 = 2;
/// How deep trees are followed. A sound file has far fewer levels.
const DEPTH_MAX: usize = 32;

/// The buckets of a file, each with its pairs.
pub type Buckets = BTreeMap<Bytes, BTreeMap<Bytes, Bytes>>;

/// Why bytes are no such file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database is damaged: {0}")]
pub struct Damaged(&'static str);

// ---- writing ----------------------------------------------------------------------------------------

/// Writes a file with these buckets.
pub fn write(buckets: &Buckets) -> Vec<u8> {
    let mut pages = Pages { bytes: vec![0; 3 * PAGE] };
    let roots: Vec<(Bytes, Bytes)> = buckets
        .iter()
        .map(|(name, pairs)| {
            let mut header = Vec::with_capacity(16);
            header.put_u64_le(pages.tree(pairs.iter(), 0));
            header.put_u64_le(0);
            (name.clone(), header.into())
        })
        .collect();
    let root = pages.tree(roots.iter().map(|(name, header)| (name, header)), IS_BUCKET);
    pages.finish(root)
}

struct Pages {
    bytes: Vec<u8>,
}

impl Pages {
    /// Writes pairs, in order, as a tree. Returns the page of its root.
    fn tree<'a>(&mut self, pairs: impl Iterator<Item = (&'a Bytes, &'a Bytes)>, flags: u32) -> u64 {
        let (mut level, mut page, mut length) = (Vec::new(), Vec::new(), HEAD);
        for (key, value) in pairs {
            let more = ELEMENT + key.len() + value.len();
            if !page.is_empty() && length + more > PAGE {
                level.push(self.leaf(&std::mem::take(&mut page), flags));
                length = HEAD;
            }
            length += more;
            page.push((key, value));
        }
        level.push(self.leaf(&page, flags));
        while level.len() > 1 {
            level = self.branches(level);
        }
        level[0].1
    }

    /// Writes a leaf. Returns its first key, and its page.
    fn leaf(&mut self, pairs: &[(&Bytes, &Bytes)], flags: u32) -> (Bytes, u64) {
        let (at, mut page) = self.begin(LEAF, pairs.len());
        let mut data = pairs.len() * ELEMENT;
        for (nth, (key, value)) in pairs.iter().enumerate() {
            page.put_u32_le(flags);
            page.put_u32_le((data - nth * ELEMENT) as u32);
            page.put_u32_le(key.len() as u32);
            page.put_u32_le(value.len() as u32);
            data += key.len() + value.len();
        }
        for (key, value) in pairs {
            page.put_slice(key);
            page.put_slice(value);
        }
        self.end(page);
        (pairs.first().map_or(Bytes::new(), |(key, _)| Bytes::clone(key)), at)
    }

    /// Writes the branches above pages.
    fn branches(&mut self, children: Vec<(Bytes, u64)>) -> Vec<(Bytes, u64)> {
        let (mut level, mut page, mut length) = (Vec::new(), Vec::new(), HEAD);
        for child in children {
            let more = ELEMENT + child.0.len();
            if !page.is_empty() && length + more > PAGE {
                level.push(self.branch(&std::mem::take(&mut page)));
                length = HEAD;
            }
            length += more;
            page.push(child);
        }
        level.push(self.branch(&page));
        level
    }

    fn branch(&mut self, children: &[(Bytes, u64)]) -> (Bytes, u64) {
        let (at, mut page) = self.begin(BRANCH, children.len());
        let mut data = children.len() * ELEMENT;
        for (nth, (key, child)) in children.iter().enumerate() {
            page.put_u32_le((data - nth * ELEMENT) as u32);
            page.put_u32_le(key.len() as u32);
            page.put_u64_le(*child);
            data += key.len();
        }
        children.iter().for_each(|(key, _)| page.put_slice(key));
        self.end(page);
        (children[0].0.clone(), at)
    }

    /// Begins the next page. How many pages it takes is not known yet.
    fn begin(&self, kind: u16, count: usize) -> (u64, Vec<u8>) {
        let at = (self.bytes.len() / PAGE) as u64;
        let mut page = Vec::with_capacity(PAGE);
        page.put_u64_le(at);
        page.put_u16_le(kind);
        page.put_u16_le(count as u16);
        page.put_u32_le(0);
        (at, page)
    }

    fn end(&mut self, mut page: Vec<u8>) {
        let count = page.len().div_ceil(PAGE);
        page[12..HEAD].copy_from_slice(&(count as u32 - 1).to_le_bytes());
        page.resize(count * PAGE, 0);
        self.bytes.append(&mut page);
    }

    /// Writes the first three pages.
    fn finish(mut self, root: u64) -> Vec<u8> {
        let count = (self.bytes.len() / PAGE) as u64;
        for transaction in 0..2_u64 {
            let mut meta = Vec::with_capacity(PAGE);
            meta.put_u64_le(transaction);
            meta.put_u16_le(META);
            meta.put_u16_le(0);
            meta.put_u32_le(0);
            meta.put_u32_le(MAGIC);
            meta.put_u32_le(VERSION);
            meta.put_u32_le(PAGE as u32);
            meta.put_u32_le(0);
            meta.put_u64_le(root);
            meta.put_u64_le(0);
            meta.put_u64_le(FREELIST_AT);
            meta.put_u64_le(count);
            meta.put_u64_le(transaction);
            meta.put_u64_le(fnv(&meta[HEAD..]));
            self.bytes[transaction as usize * PAGE..][..meta.len()].copy_from_slice(&meta);
        }
        let free = &mut self.bytes[FREELIST_AT as usize * PAGE..];
        free[..8].copy_from_slice(&FREELIST_AT.to_le_bytes());
        free[8..10].copy_from_slice(&FREELIST.to_le_bytes());
        self.bytes
    }
}

/// The checksum of a meta page: FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

// ---- reading ----------------------------------------------------------------------------------------

/// Reads all buckets of a file. Buckets within buckets are not read: etcd has none.
///
/// # Errors
/// It is no such file, or is damaged.
pub fn read(file: &Bytes) -> Result<Buckets, Damaged> {
    let reader = Reader::open(file)?;
    let mut buckets = Buckets::new();
    for (name, header, flags) in reader.tree(reader.root)? {
        if flags & IS_BUCKET == 0 || header.len() < 16 {
            return Err(Damaged("the root bucket contains something other than buckets"));
        }
        let root = header.slice(..8).get_u64_le();
        let pairs = match root {
            0 => reader.elements(&header.slice(16..))?,
            root => reader.tree(root)?,
        };
        buckets.insert(name, pairs.into_iter().map(|(key, value, _)| (key, value)).collect());
    }
    Ok(buckets)
}

struct Reader<'a> {
    file: &'a Bytes,
    page: usize,
    root: u64,
}

/// A key, its value, and the flags of the two.
type Element = (Bytes, Bytes, u32);

impl<'a> Reader<'a> {
    fn open(file: &'a Bytes) -> Result<Reader<'a>, Damaged> {
        // The second meta page is one page behind the first one, which says how long a page is.
        let first = Meta::read(file, 0);
        let lengths = [first.map_or(PAGE, |meta| meta.page), PAGE];
        let second = lengths.into_iter().find_map(|length| Meta::read(file, length));
        let meta = match (first, second) {
            (Some(first), Some(second)) if second.transaction > first.transaction => second,
            (Some(meta), _) | (None, Some(meta)) => meta,
            (None, None) => return Err(Damaged("it has no meta page")),
        };
        Ok(Reader { file, page: meta.page, root: meta.root })
    }

    /// A page with those after it that belong to it.
    fn page(&self, at: u64) -> Result<Bytes, Damaged> {
        let begin = usize::try_from(at).ok().and_then(|at| at.checked_mul(self.page));
        let begin = begin.filter(|begin| begin.checked_add(HEAD).is_some_and(|end| end <= self.file.len()));
        let begin = begin.ok_or(Damaged("a page is missing"))?;
        let more = self.file.slice(begin + 12..begin + HEAD).get_u32_le() as usize;
        let end = more
            .checked_add(1)
            .and_then(|pages| pages.checked_mul(self.page))
            .and_then(|length| begin.checked_add(length));
        let end = end.filter(|end| *end <= self.file.len()).ok_or(Damaged("a page is missing"))?;
        Ok(self.file.slice(begin..end))
    }

    /// All elements of a tree, in order.
    fn tree(&self, root: u64) -> Result<Vec<Element>, Damaged> {
        let (mut elements, mut todo) = (Vec::new(), vec![(root, 0)]);
        // A sound tree has no page twice.
        let mut pages_left = self.file.len() / self.page;
        while let Some((at, depth)) = todo.pop() {
            pages_left = pages_left.checked_sub(1).ok_or(Damaged("a tree has a page twice"))?;
            let page = self.page(at)?;
            match page.slice(8..10).get_u16_le() {
                LEAF => elements.extend(self.elements(&page)?),
                BRANCH if depth < DEPTH_MAX => {
                    let count = page.slice(10..12).get_u16_le() as usize;
                    for nth in (0..count).rev() {
                        let element = element(&page, nth)?;
                        todo.push((element.slice(8..16).get_u64_le(), depth + 1));
                    }
                }
                _ => return Err(Damaged("a page of a tree is neither leaf nor branch")),
            }
        }
        Ok(elements)
    }

    /// The elements of a leaf.
    fn elements(&self, page: &Bytes) -> Result<Vec<Element>, Damaged> {
        if page.len() < HEAD {
            return Err(Damaged("a leaf is too short"));
        }
        let count = page.slice(10..12).get_u16_le() as usize;
        let read = |nth: usize| {
            let mut element = element(page, nth)?;
            let (flags, offset) = (element.get_u32_le(), element.get_u32_le() as usize);
            let (key, value) = (element.get_u32_le() as usize, element.get_u32_le() as usize);
            let begin = HEAD + nth * ELEMENT + offset;
            if begin + key + value > page.len() {
                return Err(Damaged("a key or a value is not in its page"));
            }
            Ok((page.slice(begin..begin + key), page.slice(begin + key..begin + key + value), flags))
        };
        (0..count).map(read).collect()
    }
}

/// The element with this number.
fn element(page: &Bytes, nth: usize) -> Result<Bytes, Damaged> {
    let begin = HEAD + nth * ELEMENT;
    match begin + ELEMENT <= page.len() {
        true => Ok(page.slice(begin..begin + ELEMENT)),
        false => Err(Damaged("a page has more elements than room")),
    }
}

#[derive(Clone, Copy)]
struct Meta {
    page: usize,
    root: u64,
    transaction: u64,
}

impl Meta {
    /// The meta page at this offset, if it is sound.
    fn read(file: &Bytes, at: usize) -> Option<Meta> {
        let content = file.get(at + HEAD..at + HEAD + 64)?;
        let (content, mut sum) = content.split_at(56);
        let mut numbers = content;
        let (magic, version, page) =
            (numbers.get_u32_le(), numbers.get_u32_le(), numbers.get_u32_le() as usize);
        let _flags = numbers.get_u32_le();
        let root = numbers.get_u64_le();
        let [_sequence, _freelist, _pages, transaction] = [(); 4].map(|()| numbers.get_u64_le());
        let is_sound =
            magic == MAGIC && version == VERSION && sum.get_u64_le() == fnv(content) && page >= HEAD;
        is_sound.then_some(Meta { page, root, transaction })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: usize) -> Buckets {
        let value = |nth: usize| Bytes::from(vec![nth as u8; nth * 37 % 9000]);
        let bucket = (0..pairs).map(|nth| (Bytes::from(format!("{nth:08}")), value(nth))).collect();
        Buckets::from([("empty".into(), BTreeMap::new()), ("key".into(), bucket)])
    }

    #[test]
    fn what_is_written_is_read() {
        for pairs in [0, 1, 2, 100, 5_000] {
            let file = Bytes::from(write(&buckets(pairs)));
            assert_eq!(file.len() % PAGE, 0);
            assert_eq!(read(&file), Ok(buckets(pairs)), "{pairs}");
        }
    }

    #[test]
    fn damage_is_no_panic() {
        let file = write(&buckets(40));
        assert_eq!(read(&Bytes::new()), Err(Damaged("it has no meta page")));
        for at in (0..file.len()).step_by(7) {
            let mut damaged = file.clone();
            damaged[at] ^= 0xff;
            let _ = read(&damaged.into());
            let _ = read(&Bytes::copy_from_slice(&file[..at]));
        }
    }
}
