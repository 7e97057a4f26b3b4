//! How fast histories of etcd are read and judged: `cargo bench -p etcdsim-verify`.

use api::Request;
use api::etcdserverpb::*;
use bytes::Bytes;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use etcdsim_verify::history_file::HistoryFile;
use etcdsim_verify::model::Model;
use etcdsim_verify::{Expectations, judge};
use record::{Operation, Outcome};

const OPERATIONS: usize = 50_000;

fn main() {
    divan::main();
}

fn key(number: usize) -> Bytes {
    Bytes::from(format!("key-{}", number % 20))
}

/// A client's request: half reads, the rest puts and guarded puts.
fn request(number: usize) -> Request {
    match number % 10 {
        0..5 => Request::Range(RangeRequest { key: key(number * 7), ..RangeRequest::default() }),
        5..9 => Request::Put(PutRequest {
            key: key(number * 3),
            value: format!("value {number}").into(),
            ..PutRequest::default()
        }),
        _ => Request::DeleteRange(DeleteRangeRequest { key: key(number), ..DeleteRangeRequest::default() }),
    }
}

/// Clients take turns, and each gets the answer that a correct etcd gives.
fn history() -> HistoryFile {
    let mut model = Model::default();
    let operations = (0..OPERATIONS).map(|number| {
        let request = request(number);
        let mut response = model.apply(&request).expect("nothing here is refused");
        if let Some(header) = response.header_mut() {
            (header.cluster_id, header.member_id, header.raft_term) =
                (5278540502951007215, 164887650803794, 2);
        }
        let call = 1_000_000 * number as u64;
        let outcome = Outcome::Answer { at: call + 700_000, response };
        Operation {
            client: number as u32 % 8,
            member: record::MemberId::new(number as u32 % 3),
            user: None,
            request,
            streamed: false,
            call,
            outcome,
        }
    });
    let mut file = HistoryFile::default();
    file.history.operations = operations.collect();
    file
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn reads(bencher: Bencher<'_, '_>) {
    let mut text = Vec::new();
    history().write(&mut text).expect("a Vec takes every byte");
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| HistoryFile::read_from("bench.jsonl", &text[..]).expect("what was written"));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn judges(bencher: Bencher<'_, '_>) {
    let (record, expectations) = history().into_record();
    let expectations = Expectations { validate: false, ..expectations };
    bencher.counter(ItemsCount::new(OPERATIONS)).bench_local(|| {
        let verdict = judge(&record, &expectations);
        assert!(verdict.holds());
    });
}
