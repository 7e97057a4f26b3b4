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
    files.retain(|path| is_of_the_store(path));
    files.sort();
    assert!(!files.is_empty(), "{} holds no recording", folder.display());

    let failures: Vec<String> = files.iter().flat_map(|file| replay(file)).collect();
    let shown = failures.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} answers differ, first\n{shown}", failures.len());
}

/// Whether a file has only requests that the store answers: a random script of 3.4, or one about keys.
fn is_of_the_store(path: &Path) -> bool {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    name.ends_with(".jsonl") && (name.contains("-seed") || name.contains("-keys"))
}

/// The differences between a file's answers and ours.
fn replay(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (mut store, mut count, mut failures) = (Store::new(), 0, Vec::new());
    let of_3_4 = text.lines().next().is_some_and(|first| first.contains("\"version\": \"3.4."));
    store.set_version(if of_3_4 { EtcdVersion::V3_4 } else { EtcdVersion::V3_7 });
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{}:{number}", file.display());
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
        // The first line names the server.
        let Some(rpc) = line["rpc"].as_str() else { continue };
        let request = Request::from_json(rpc, &line["request"]);
        let request = request.unwrap_or_else(|error| panic!("{place}: {error}"));
        let theirs = recorded(rpc, &line).unwrap_or_else(|error| panic!("{place}: {error}"));
        if let Request::HashKv(_) = request {
            // Whether it answers is a member's business. What it answers follows from the store.
            if let Ok(Response::HashKv(theirs)) = &theirs {
                let hash = store.freeze().etcd_hash(theirs.hash_revision);
                if hash != theirs.hash {
                    failures.push(format!("{place}: the hash is {hash}, and etcd's is {}", theirs.hash));
                }
            }
            continue;
        }
        let ours = answer(&mut store, &request, of_3_4);
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

fn answer(store: &mut Store, request: &Request, of_3_4: bool) -> Answer {
    let failed = |error: Error| {
        let code = if of_3_4 { error.code_in_3_4() } else { error.code() };
        (u64::from(code.number()), error.text().to_string())
    };
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
