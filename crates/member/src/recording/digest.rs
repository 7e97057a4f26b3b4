//! The digest that stands for the effects of a step in a record. Two steps with the same digest have done the same.

use api::{Error, Response};
use bytes::{BufMut as _, BytesMut};
use contract::Store as _;
use contract::disk::DiskOp;
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_64;

use crate::backend::Backend;
use crate::io::{Down, Effects};
use crate::wire;

/// The digest of effects, without their facts. What the driver computes, and the data of snapshots, enter only by their
/// number and kind: they follow from the state.
pub(super) fn of(effects: &Effects) -> u64 {
    let mut bytes = BytesMut::new();
    let out = &mut bytes;
    if let Some(job) = &effects.store {
        out.put_u64_le(Backend::mark(job).map_or(1, |mark| mark << 1));
    }
    for (to, message) in &effects.messages {
        out.put_u64_le(to.raft_id());
        wire::put(message, out);
    }
    for (stream, item) in &effects.items {
        out.put_u64_le(*stream);
        put_item(item, out);
    }
    for (call, answer) in &effects.answers {
        out.put_u64_le(*call);
        put_answer(answer, out);
    }
    for job in &effects.jobs {
        out.put_u64_le(job.id);
        job.ops.iter().for_each(|op| put_op(op, out));
    }
    for (work, _) in &effects.work {
        out.put_u64_le(*work);
    }
    out.put_u64_le(effects.wake_at);
    xxh3_64(&bytes)
}

fn put_error(error: Error, out: &mut BytesMut) {
    out.put_slice(error.text().as_bytes());
}

fn put_item(item: &Down, out: &mut BytesMut) {
    match item {
        Down::Watch(response) => {
            out.put_u8(1);
            response.encode(out).expect("the buffer grows");
        }
        Down::Snapshot(_) => out.put_u8(2),
        Down::Range(chunk) => {
            out.put_u8(3);
            chunk.encode(out).expect("the buffer grows");
        }
        Down::End => out.put_u8(4),
        Down::Refused(error) => {
            out.put_u8(5);
            put_error(*error, out);
        }
    }
}

fn put_answer(answer: &Result<Response, Error>, out: &mut BytesMut) {
    match answer {
        Ok(response) => {
            out.put_u8(1);
            out.put_slice(response.method().as_bytes());
            response.encode(out);
        }
        Err(error) => {
            out.put_u8(2);
            put_error(*error, out);
        }
    }
}

fn put_op(op: &DiskOp, out: &mut BytesMut) {
    let (tag, path) = match op {
        DiskOp::Create { path } => (1, path),
        DiskOp::Append { path, data } => {
            out.put_slice(data);
            (2, path)
        }
        DiskOp::WriteAt { path, offset, data } => {
            out.put_u64_le(*offset);
            out.put_slice(data);
            (3, path)
        }
        DiskOp::Truncate { path, len } => {
            out.put_u64_le(*len);
            (4, path)
        }
        DiskOp::Rename { from, to } => {
            out.put_slice(from.as_bytes());
            (5, to)
        }
        DiskOp::Remove { path } => (6, path),
        DiskOp::Sync { path } => (7, path),
        DiskOp::SyncDir { path } => (8, path),
    };
    out.put_u8(tag);
    out.put_slice(path.as_bytes());
}
