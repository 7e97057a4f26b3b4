//! 64-bit digests of requests, outcomes and watch responses. They enter the trace hash in place of the messages.

use std::hash::{Hash, Hasher};

use api::Request;
use record::Outcome;

/// A hasher without a random key. Its result is the same on all computers of the same word size and byte order.
#[derive(Default)]
struct Digest(u64);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = record::hash::digest(bytes) ^ self.0.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.write_u64(value as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}

/// The digest of a request.
pub(crate) fn request(request: &Request) -> u64 {
    of(request)
}

/// The digest of a watch response.
pub(crate) fn watch(response: &api::etcdserverpb::WatchResponse) -> u64 {
    of(response)
}

/// The digest of an operation's outcome.
pub(crate) fn outcome(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Answer { response, .. } => of(response),
        Outcome::Error { error, .. } => record::hash::digest(error.text().as_bytes()),
        Outcome::Unknown { .. } => 0,
    }
}

/// The digest of a value.
fn of(value: &impl Hash) -> u64 {
    let mut digest = Digest::default();
    value.hash(&mut digest);
    digest.finish()
}
