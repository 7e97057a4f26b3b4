//! The store gives the same answers as a real etcd, word for word.
//!
//! Each file is a history of one client with a fresh single-member etcd (`tests/data/conformance`). Each
//! request is checked and applied as a member does it, and the whole answer is compared.
//!
//! Not compared: header fields that identify the server (cluster, member and term), the time left of a lease,
//! the order of a lease's keys. Compared, although etcd leaves it open: the order of ties in a sorted range.
//! Up to twelve pairs, etcd's sort keeps them in key order.

use std::fs;
use std::path::{Path, PathBuf};

use api::{Error, JsonError, Request, Response};
use etcdsim_member::apply::{apply, check_request};
use etcdsim_member::config::EtcdVersion;
use etcdsim_member::mvcc::Store;
use serde_json::Value;

/// Environment variable that names another folder of recordings.
const FOLDER: &str = "ETCDSIM_CONFORMANCE_DIR";

/// etcd's default.
const MAX_TXN_OPS: u32 = 128;

/// Answers that differ on purpose: the file's name, the line, the reason.
const INTENDED: &[(&str, usize, &str)] = &[];

/// A response, or the code and the text of an error.
type Answer = Result<Response, (u64, String)>;

#[test]
fn answers_are_those_of_a_real_etcd() {
    let folder = std::env::var_os(FOLDER).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/conformance"),
        PathBuf::from,
    );
    let listing = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no *.jsonl", folder.display());

    let failures: Vec<String> = files.iter().flat_map(|file| replay(file)).collect();
    let shown = failures.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} answers differ, first\n{shown}", failures.len());
}

/// The differences between a file's answers and ours.
fn replay(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (mut store, mut count, mut failures) = (Store::new(), 0, Vec::new());
    store.set_version(EtcdVersion::V3_4);
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{}:{number}", file.display());
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
        // The first line names the server.
        let Some(rpc) = line["rpc"].as_str() else { continue };
        let request = Request::from_json(rpc, &line["request"]);
        let request = request.unwrap_or_else(|error| panic!("{place}: {error}"));
        let theirs = recorded(rpc, &line).unwrap_or_else(|error| panic!("{place}: {error}"));
        let ours = answer(&mut store, &request);
        let intended = INTENDED.iter().any(|(name, at, _)| *at == number && file.ends_with(name));
        if (ours == theirs) == intended {
            let request = &line["request"];
            failures.push(format!("{place}: {rpc} {request}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
        }
        count += 1;
    }
    assert!(count > 0, "{} holds no request", file.display());
    failures
}

fn answer(store: &mut Store, request: &Request) -> Answer {
    let failed = |error: Error| (u64::from(error.code_in_3_4().number()), error.text().to_string());
    check_request(request, MAX_TXN_OPS).map_err(failed)?;
    apply(store, request).result.map(comparable).map_err(failed)
}

fn recorded(rpc: &str, line: &Value) -> Result<Answer, JsonError> {
    let error = &line["error"];
    match error["code"].as_u64() {
        Some(code) => Ok(Err((code, error["message"].as_str().unwrap_or_default().to_string()))),
        None => Ok(Ok(comparable(Response::from_json(rpc, &line["response"])?))),
    }
}

/// The response without the parts that may differ.
fn comparable(mut response: Response) -> Response {
    if let Some(header) = response.header_mut() {
        header.cluster_id = 0;
        header.member_id = 0;
        header.raft_term = 0;
    }
    if let Response::LeaseTimeToLive(response) = &mut response {
        response.ttl = response.ttl.clamp(-1, 0);
        response.keys.sort();
    }
    response
}
