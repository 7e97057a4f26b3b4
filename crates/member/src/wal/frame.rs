//! A frame: the header and checksums around a batch of records in a segment. The module documentation of
//! `wal` has the layout.

use crate::flaw::{Flaw, Flaws};

/// The length of a frame's header, in bytes.
pub(super) const HEADER: usize = 24;
/// A frame's length is a multiple of this.
pub(super) const ALIGNMENT: usize = 8;

/// The first bytes of every frame.
const MAGIC: [u8; 4] = *b"wal1";

/// The position of a frame, and the checksum of the frame before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The segment's number.
    pub(super) segment: u64,
    /// The frame's offset in it.
    pub(super) offset: u64,
    /// The checksum of the previous frame of the segment; 0 for the first frame.
    pub(super) chain: u32,
}

/// A frame's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The length of the payload, in bytes.
    length: usize,
    /// Up to this offset, the segment was known to be durable when the frame was made.
    pub(super) durable: u64,
    /// The checksum of the payload.
    payload_crc: u32,
}

impl Header {
    /// Reads the header at `offset`; `None` if there is no valid one.
    pub(super) fn parse(content: &[u8], segment: u64, offset: u64) -> Option<Header> {
        let bytes = content.get(offset as usize..)?.first_chunk::<HEADER>()?;
        if bytes[..4] != MAGIC || u32_at(bytes, 20) != header_crc(bytes, segment, offset) {
            return None;
        }
        Some(Header {
            length: u32_at(bytes, 4) as usize,
            durable: u64::from_le_bytes(*bytes[8..].first_chunk()?),
            payload_crc: u32_at(bytes, 16),
        })
    }

    /// Length of the whole frame.
    pub(super) fn frame_length(&self) -> usize {
        HEADER + self.length
    }
}

/// Completes a frame, which consists of 24 bytes of space for the header and the payload: whitens the payload
/// and writes the header. Returns the checksum of the payload.
pub(super) fn seal(frame: &mut [u8], place: Place, durable: u64) -> u32 {
    let (header, payload) = frame.split_at_mut(HEADER);
    let length = u32::try_from(payload.len()).unwrap_or_else(|_| {
        panic!("a batch of {} bytes: raft should have limited the size of a Ready", payload.len());
    });
    whiten(payload, place);
    let payload_crc = crc32c::crc32c_append(place.chain, payload);
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&durable.to_le_bytes());
    header[16..20].copy_from_slice(&payload_crc.to_le_bytes());
    let header_crc = header_crc(header, place.segment, place.offset);
    header[20..].copy_from_slice(&header_crc.to_le_bytes());
    payload_crc
}

/// The error for a frame that cannot be read, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad(pub(super) &'static str);

/// Checks the frame at `place` and undoes the whitening of its payload, in `content` itself. Returns the
/// checksum and the payload.
pub(super) fn open(content: &mut [u8], place: Place, flaws: Flaws) -> Result<(u32, &[u8]), Bad> {
    let header = Header::parse(content, place.segment, place.offset).ok_or(Bad("no frame begins there"))?;
    let start = place.offset as usize + HEADER;
    let payload = content.get_mut(start..start + header.length).ok_or(Bad("the frame is cut off"))?;
    let matches = crc32c::crc32c_append(place.chain, payload) == header.payload_crc;
    // Flaw X1: it need not match.
    if !matches && !flaws.has(Flaw::FrameChecksumIgnored) {
        return Err(Bad("the frame's checksum does not match"));
    }
    whiten(payload, place);
    Ok((header.payload_crc, payload))
}

/// Whitens a payload, or undoes that: combines it by XOR with a pattern that depends on the position in the
/// log, so that zeros are not stored as zeros.
fn whiten(payload: &mut [u8], place: Place) {
    // 2^64 divided by the golden ratio. It is odd, so the product differs for each value of the counter.
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut counter = (place.segment << 40).wrapping_add(place.offset).wrapping_add(1);
    for word in payload.as_chunks_mut::<8>().0 {
        let mixed = counter.wrapping_mul(ODD);
        *word = (u64::from_le_bytes(*word) ^ mixed ^ mixed >> 29).to_le_bytes();
        counter = counter.wrapping_add(8);
    }
}

/// The checksum of a header, which also covers where the frame is.
fn header_crc(header: &[u8], segment: u64, offset: u64) -> u32 {
    let mut bytes = [0; 36];
    bytes[..20].copy_from_slice(&header[..20]);
    bytes[20..28].copy_from_slice(&segment.to_le_bytes());
    bytes[28..].copy_from_slice(&offset.to_le_bytes());
    crc32c::crc32c(&bytes)
}

/// The number at this offset of a header.
fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
