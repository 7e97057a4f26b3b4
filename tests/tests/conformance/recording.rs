//! Reads the recorded files.

use std::fs;
use std::path::{Path, PathBuf};

use api::{Request, Response};
use serde_json::Value;

/// The environment variable that names another folder of recordings.
const FOLDER: &str = "ETCDSIM_CONFORMANCE_DIR";

/// A response, or the code and text of an error.
pub type Answer = Result<Response, (u64, String)>;

/// The requests of one client to a fresh etcd, and the answers.
pub struct Recording {
    /// Its file.
    pub name: String,
    /// One line for each request, in order.
    pub lines: Vec<Line>,
}

/// A request and its answer.
pub struct Line {
    /// File and line.
    pub place: String,
    /// The RPC.
    pub rpc: String,
    /// The request as recorded.
    pub json: Value,
    /// The request.
    pub request: Request,
    /// etcd's answer.
    pub answer: Answer,
}

/// Every file of the folder, sorted by name.
pub fn recordings() -> Vec<Recording> {
    let folder = std::env::var_os(FOLDER)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data/conformance"), PathBuf::from);
    let listing = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        listing.map(|entry| entry.expect("an entry of the folder").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no *.jsonl", folder.display());
    files.iter().map(|file| recording(file)).collect()
}

fn recording(file: &Path) -> Recording {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    // The first line names the server.
    let lines: Vec<Line> =
        (1..).zip(text.lines()).skip(1).map(|(nth, text)| line(&name, nth, text)).collect();
    assert!(!lines.is_empty(), "{name} holds no request");
    Recording { name, lines }
}

fn line(name: &str, number: usize, text: &str) -> Line {
    let place = format!("{name}:{number}");
    let mut line: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}"));
    let rpc = line["rpc"].as_str().unwrap_or_else(|| panic!("{place}: no rpc")).to_string();
    let json = line["request"].take();
    let request = Request::from_json(&rpc, &json).unwrap_or_else(|error| panic!("{place}: {error}"));
    let answer =
        match (line["error"]["code"].as_u64(), line["error"]["message"].as_str()) {
            (Some(code), Some(message)) => Err((code, message.to_string())),
            _ => Ok(Response::from_json(&rpc, &line["response"])
                .unwrap_or_else(|error| panic!("{place}: {error}"))),
        };
    Line { place, rpc, json, request, answer }
}
