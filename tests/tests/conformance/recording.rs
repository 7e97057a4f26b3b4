//! Reads the recorded files.

use std::fs;
use std::path::{Path, PathBuf};

use api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use api::{Request, Response};
use plan::EtcdVersion;
use serde_json::Value;

/// The environment variable that names another folder of recordings.
const FOLDER: &str = "ETCDSIM_CONFORMANCE_DIR";

/// A response, or the code and text of an error.
pub type Answer = Result<Response, (u64, String)>;

/// What one client asked of a fresh etcd, and what it was answered.
pub struct Recording {
    /// Its file.
    pub name: String,
    /// The etcd it is of.
    pub version: EtcdVersion,
    /// The id of its only member; 0 if the file does not say.
    pub member: u64,
    /// One line for each step, in order.
    pub lines: Vec<Line>,
    /// What each watcher was told, as one response.
    pub received: Vec<WatchResponse>,
}

/// A step of the client.
pub struct Line {
    /// File and line.
    pub place: String,
    /// When etcd had answered, in milliseconds after the start of the script; `None` if the file does not say.
    pub at: Option<u64>,
    /// What the client did.
    pub step: Step,
}

/// What a client did.
pub enum Step {
    /// A call.
    Ask(Box<Asked>),
    /// Creates a watcher on one of the client's streams.
    Watch {
        /// The stream.
        stream: u32,
        /// The watcher.
        create: WatchCreateRequest,
    },
    /// Cancels a watcher, by its number in the file.
    Cancel(u32),
    /// Closes a stream.
    Close(u32),
    /// Waits, in milliseconds.
    Wait(u64),
}

/// A request and its answer.
pub struct Asked {
    /// The user; his password is his name.
    pub user: Option<String>,
    /// The RPC.
    pub rpc: String,
    /// The request as recorded.
    pub json: Value,
    /// The request.
    pub request: Request,
    /// Whether it is a range in chunks.
    pub streamed: bool,
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
    let mut rows = (1..).zip(text.lines()).map(|(number, text)| {
        let place = format!("{name}:{number}");
        let row: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}"));
        (place, row)
    });
    // The first line names the server.
    let (place, first) = rows.next().unwrap_or_else(|| panic!("{name} is empty"));
    let version = match first["version"].as_str() {
        Some(version) if version.starts_with("3.4.") => EtcdVersion::V3_4,
        Some(version) if version.starts_with("3.7.") => EtcdVersion::V3_7,
        version => panic!("{place}: no rules for etcd {version:?}"),
    };
    let member = first["member_id"].as_str().map_or(0, |id| id.parse().expect("a member's id"));
    let (mut lines, mut received) = (Vec::new(), Vec::new());
    for (place, row) in rows {
        match row["rpc"].as_str() {
            Some("Watched") => received.push(message(&place, &row["response"])),
            Some(rpc) => lines.push(line(place, rpc.to_string(), row)),
            None => panic!("{place}: no rpc"),
        }
    }
    assert!(!lines.is_empty(), "{name} holds no request");
    Recording { name, version, member, lines, received }
}

fn message<T: serde::de::DeserializeOwned>(place: &str, json: &Value) -> T {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{place}: {error}"))
}

fn line(place: String, rpc: String, mut row: Value) -> Line {
    let number = |field: &str| {
        let number = row[field].as_u64().unwrap_or_else(|| panic!("{place}: no {field}"));
        u32::try_from(number).unwrap_or_else(|_| panic!("{place}: {field} is too large"))
    };
    let at = row["at"].as_u64();
    let step = match &*rpc {
        "Watch" => Step::Watch { stream: number("stream"), create: message(&place, &row["request"]) },
        "WatchCancel" => Step::Cancel(number("watcher")),
        "WatchClose" => Step::Close(number("stream")),
        "Wait" => Step::Wait(number("ms").into()),
        _ => {
            let json = row["request"].take();
            let request = Request::from_json(&rpc, &json).unwrap_or_else(|error| panic!("{place}: {error}"));
            let answer = match (row["error"]["code"].as_u64(), row["error"]["message"].as_str()) {
                (Some(code), Some(message)) => Err((code, message.to_string())),
                _ => Ok(Response::from_json(&rpc, &row["response"])
                    .unwrap_or_else(|error| panic!("{place}: {error}"))),
            };
            let user = row["user"].as_str().map(str::to_string);
            let streamed = row["streamed"] == true;
            Step::Ask(Box::new(Asked { user, rpc, json, request, streamed, answer }))
        }
    };
    Line { place, at, step }
}
