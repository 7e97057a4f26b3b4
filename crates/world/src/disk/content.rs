//! The bytes of a file, stored as pages that two contents can share.
//!
//! A file's cached and durable content are mostly equal. A page that both have is stored once, and copied when
//! one of them changes it. A page that was never written is not stored at all.
//!
//! Invariant: bytes of a page at or beyond the length are zero, so growing a file changes only its length.

use std::sync::Arc;

/// Size of a page of the cache in bytes, as on Linux on x86-64.
pub(super) const PAGE: u64 = 4096;
/// Size of a sector in bytes: the unit that reaches the medium whole or not at all.
pub(super) const SECTOR: u64 = 512;

/// One sector's bytes.
pub(super) type Sector = [u8; SECTOR as usize];

/// A file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    /// The pages in order; `None` for one that was never written. Those after the last one that is stored may
    /// be missing.
    pages: Vec<Option<Arc<[u8]>>>,
}

/// The numbers of the sectors that `len` bytes at `offset` touch.
pub(super) fn sectors(offset: u64, len: u64) -> std::ops::Range<u64> {
    offset / SECTOR..(offset + len).div_ceil(SECTOR)
}

impl Content {
    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from `offset`; bytes beyond the end read as zeros.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) {
        for (page, within, part) in pieces(offset, buffer.len()) {
            let into = &mut buffer[part];
            match self.pages.get(page) {
                Some(Some(bytes)) => into.copy_from_slice(&bytes[within..within + into.len()]),
                _ => into.fill(0),
            }
        }
    }

    /// Writes `data` at `offset`, extending the content where needed.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        for (page, within, part) in pieces(offset, data.len()) {
            self.write_page(page, within, &data[part]);
        }
        if !data.is_empty() {
            self.len = self.len.max(offset + data.len() as u64);
        }
    }

    /// Writes `data` at the offset `within` of a page. A page that another content shares is copied first.
    fn write_page(&mut self, page: usize, within: usize, data: &[u8]) {
        if self.pages.len() <= page {
            self.pages.resize(page + 1, None);
        }
        let slot = &mut self.pages[page];
        match slot {
            Some(bytes) if data.len() < PAGE as usize => {
                Arc::make_mut(bytes)[within..within + data.len()].copy_from_slice(data);
            }
            None if data.len() < PAGE as usize => {
                let mut bytes = [0; PAGE as usize];
                bytes[within..within + data.len()].copy_from_slice(data);
                *slot = Some(Arc::new(bytes));
            }
            _ => match slot.as_mut().and_then(Arc::get_mut) {
                Some(bytes) => bytes.copy_from_slice(data),
                None => *slot = Some(Arc::from(data)),
            },
        }
    }

    /// Sets the length, cutting the content or extending it with zeros.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.truncate(len.div_ceil(PAGE) as usize);
            let (last, within) = ((len / PAGE) as usize, (len % PAGE) as usize);
            if let Some(Some(bytes)) = self.pages.get_mut(last) {
                Arc::make_mut(bytes)[within..].fill(0);
            }
        }
        self.len = len;
    }

    /// Takes over `data`, which was written to `source` at `offset`, so that both are equal there.
    ///
    /// It shares a page if the write covers at least half of it or reaches its end: such a page is unlikely to
    /// be written again soon. Of other pages it copies the new bytes; if it shared those, the next small write
    /// to one would copy the whole page.
    pub(super) fn adopt(&mut self, source: &Content, offset: u64, data: &[u8]) {
        for (page, within, part) in pieces(offset, data.len()) {
            let Some(Some(bytes)) = source.pages.get(page) else {
                self.write_page(page, within, &data[part]);
                continue;
            };
            if within + part.len() < PAGE as usize && part.len() < PAGE as usize / 2 {
                let shared = matches!(self.pages.get(page), Some(Some(own)) if Arc::ptr_eq(own, bytes));
                if !shared {
                    self.write_page(page, within, &data[part]);
                }
                continue;
            }
            if self.pages.len() <= page {
                self.pages.resize(page + 1, None);
            }
            self.pages[page] = Some(Arc::clone(bytes));
        }
    }

    /// One sector, padded with zeros beyond the end.
    pub(super) fn sector(&self, number: u64) -> Sector {
        let mut sector = [0; SECTOR as usize];
        self.read(number * SECTOR, &mut sector);
        sector
    }

    /// Replaces the part of one sector that lies before the end.
    pub(super) fn set_sector(&mut self, number: u64, sector: &Sector) {
        let within = self.len.saturating_sub(number * SECTOR).min(SECTOR);
        self.write(number * SECTOR, &sector[..within as usize]);
    }

    /// Flips one bit of the byte at `offset`, which lies before the end.
    pub(super) fn flip(&mut self, offset: u64, bit: u32) {
        let mut byte = [0];
        self.read(offset, &mut byte);
        self.write(offset, &[byte[0] ^ 1 << bit]);
    }

    /// The ranges within `range` whose pages are stored, in order: those that were ever written.
    pub(super) fn written(&self, range: std::ops::Range<u64>) -> impl Iterator<Item = std::ops::Range<u64>> {
        let pages = self.pages.iter().enumerate().filter(|(_, page)| page.is_some());
        let end = range.end.min(self.len);
        pages
            .map(move |(page, _)| {
                let at = page as u64 * PAGE;
                at.max(range.start)..(at + PAGE).min(end)
            })
            .filter(|piece| piece.start < piece.end)
    }
}

/// The pieces of `len` bytes at `offset`, page by page: page, offset in it, part of the bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % PAGE) as usize;
        let take = (PAGE as usize - within).min(len - done);
        done += take;
        Some(((at / PAGE) as usize, within, done - take..done))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_file_grows_again_with_zeros() {
        let mut content = Content::default();
        content.write(4000, &[7; 5000]);
        content.set_len(4100);
        content.set_len(9000);
        let mut bytes = [1; 5000];
        content.read(4000, &mut bytes);
        assert_eq!(bytes[..100], [7; 100]);
        assert_eq!(bytes[100..], [0; 4900]);
    }

    #[test]
    fn a_shared_page_is_copied_before_it_changes() {
        let mut cached = Content::default();
        cached.write(0, &[1; 4096]);
        let durable = cached.clone();
        cached.write(10, &[2; 10]);
        assert_eq!(durable.sector(0), [1; 512]);
        assert_eq!(cached.sector(0)[9..21], [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
    }
}
