//! The sequential model against the recorded answers of a real etcd (`tests/data/conformance/README.md`).
//!
//! `ETCDSIM_CONFORMANCE_DIR` names another folder of such files; every `*.jsonl` in it is used.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use api::etcdserverpb::{AuthenticateRequest, LeaseRevokeRequest, RangeRequest};
use api::{Error, Request, Response};
use etcdsim_verify::answer;
use etcdsim_verify::model::{Model, Ties, check};
use serde::Deserialize;
use serde_json::Value;

/// The first line of a file.
#[derive(Deserialize)]
struct First {
    version: String,
}

#[derive(Deserialize)]
struct Line {
    rpc: String,
    user: Option<String>,
    #[serde(default)]
    request: Value,
    #[serde(default)]
    streamed: bool,
    response: Option<Value>,
    error: Option<WireError>,
}

/// A lease with at most this time to live, in seconds, has ended when a script has waited.
const SHORT: i64 = 3;

/// Up to this length, Go's sort keeps the order of what is equal.
const STABLE_MAX: usize = 12;

#[derive(Debug, Deserialize, PartialEq)]
struct WireError {
    code: u8,
    message: String,
}

/// Where the model intentionally differs from the recorded etcd, and why. A row that no line needs is an error too.
struct Divergence {
    id: &'static str,
    reason: &'static str,
    applies: fn(&Request, &Result<Response, WireError>) -> bool,
}

/// None: on the recorded files the model answers as etcd 3.4.23. Its intended difference (an out-of-enum sort option
/// is refused, as since 3.6; 3.4 crashes) cannot be recorded.
const DIVERGENCES: &[Divergence] = &[];

#[test]
fn the_model_answers_like_the_recorded_etcd() {
    let folder = folder();
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();

    let mut checked = 0;
    let mut exercised = BTreeSet::new();
    let mut failures = Vec::new();
    for file in &files {
        checked += replay(file, &mut exercised, &mut failures);
    }
    assert!(checked > 0, "nothing was checked: {} holds no recorded answers", folder.display());
    let shown: Vec<_> = failures.iter().take(25).cloned().collect();
    assert!(failures.is_empty(), "{} of {checked} answers differ:\n{}", failures.len(), shown.join("\n"));
    for divergence in DIVERGENCES {
        let needed =
            exercised.contains(divergence.id) || std::env::var_os("ETCDSIM_CONFORMANCE_DIR").is_some();
        assert!(needed, "no line needs the divergence {} ({})", divergence.id, divergence.reason);
    }
    println!("{checked} answers in {} files agree", files.len());
}

fn folder() -> PathBuf {
    match std::env::var_os("ETCDSIM_CONFORMANCE_DIR") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/conformance"),
    }
}

/// Replays one file on a fresh model and returns how many answers it compared.
///
/// The model has no watches, members or maintenance: their lines are left out. It has no locks and elections either, and
/// they change the store: where they begin, a file ends.
fn replay(file: &Path, exercised: &mut BTreeSet<&'static str>, failures: &mut Vec<String>) -> usize {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut model = Model::default();
    let mut ties = Ties::default();
    let (mut checked, mut short) = (0, BTreeSet::new());
    let first: First = serde_json::from_str(text.lines().next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{}:1: {error}", file.display()));
    let of_3_4 = first.version.starts_with("3.4.");
    model.leave_leases_out(!of_3_4);
    if !of_3_4 {
        model.require_rights_of_3_7();
    }
    for (number, line) in text.lines().enumerate().skip(1) {
        let place = format!("{}:{}", file.display(), number + 1);
        let line: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
        if line.rpc == "Wait" {
            // The model has no time.
            for id in std::mem::take(&mut short) {
                let _ = model.apply(&LeaseRevokeRequest { id }.into());
            }
            continue;
        }
        if line.rpc.starts_with("Watch") {
            continue;
        }
        let request =
            Request::from_json(&line.rpc, &line.request).unwrap_or_else(|error| panic!("{place}: {error}"));
        if matches!(request, Request::Lock(_) | Request::Campaign(_)) {
            break;
        }
        if !Model::covers(&request) {
            continue;
        }
        let recorded = match (line.response, line.error) {
            (Some(response), None) => {
                let response = Response::from_json(&line.rpc, &response);
                Ok(response.unwrap_or_else(|error| panic!("{place}: {error}")))
            }
            (None, Some(error)) => Err(error),
            _ => panic!("{place}: a line has either a response or an error"),
        };
        // Who cannot log in asks without a user.
        let login = |user: &String| AuthenticateRequest { name: user.clone(), password: user.clone() };
        let user = line.user.as_ref().filter(|user| model.apply(&login(user).into()).is_ok());
        let user = user.map(String::as_str);
        let ours = match (&request, line.streamed) {
            (Request::Range(range), true) => {
                stream_refused(range).map_or_else(|| model.apply_noting_as(user, &request, &mut ties), Err)
            }
            _ => model.apply_noting_as(user, &request, &mut ties),
        };
        if let (Request::LeaseGrant(grant), Ok(Response::LeaseGrant(granted))) = (&request, &ours)
            && granted.ttl <= SHORT
        {
            short.insert(grant.id);
        }
        checked += 1;
        let Some(difference) = compare(ours, &recorded, &ties, of_3_4) else { continue };
        match DIVERGENCES.iter().find(|divergence| (divergence.applies)(&request, &recorded)) {
            Some(divergence) => drop(exercised.insert(divergence.id)),
            None => failures.push(format!("{place}: {} {}: {difference}", line.rpc, line.request)),
        }
    }
    checked
}

/// Why a range is not streamed, if it is not; the model knows only whole ranges. What refuses the range itself comes first.
fn stream_refused(range: &RangeRequest) -> Option<Error> {
    if check(&range.clone().into()).is_err() {
        return None;
    }
    let by_key_upwards = range.sort_order == 1 && range.sort_target == 0;
    let bounds = [
        range.min_mod_revision,
        range.max_mod_revision,
        range.min_create_revision,
        range.max_create_revision,
    ];
    if range.sort_order != 0 && !by_key_upwards {
        Some(Error::RangeStreamSort)
    } else if bounds.iter().any(|bound| *bound != 0) {
        Some(Error::RangeStreamFilter)
    } else {
        None
    }
}

/// Compares whole answers, except for what differs between servers, the time a lease has left, and ties.
fn compare(
    ours: Result<Response, Error>,
    recorded: &Result<Response, WireError>,
    ties: &Ties,
    of_3_4: bool,
) -> Option<String> {
    match (ours, recorded) {
        (Ok(ours), Ok(recorded)) => {
            let (left, right) = (normal(ours.clone()), normal(recorded.clone()));
            if left == right {
                return None;
            }
            let tied = *ties != Ties::default() && answer::difference(&ours, recorded, ties).is_none();
            (!tied).then(|| format!("\n  the model: {left:?}\n  recorded:  {right:?}"))
        }
        (Err(ours), Err(recorded)) => {
            let code = if of_3_4 { ours.code_in_3_4() } else { ours.code() };
            let ours = WireError { code: code.number(), message: ours.text().to_string() };
            (ours != *recorded).then(|| format!("\n  the model: {ours:?}\n  recorded:  {recorded:?}"))
        }
        (ours, recorded) => Some(format!("\n  the model: {ours:?}\n  recorded:  {recorded:?}")),
    }
}

fn normal(mut response: Response) -> Response {
    if let Some(header) = response.header_mut() {
        (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
    }
    match &mut response {
        Response::LeaseTimeToLive(response) => {
            response.ttl = response.ttl.signum();
            response.keys.sort();
        }
        Response::LeaseLeases(response) => response.leases.sort_by_key(|lease| lease.id),
        Response::RoleGet(response) if response.perm.len() > STABLE_MAX => {
            response.perm.sort_by_key(|permission| format!("{permission:?}"));
        }
        Response::Authenticate(response) => response.token.clear(),
        Response::Alarm(response) => {
            // The model has none, as etcd 3.4.
            response.header = None;
            response.alarms.sort_by_key(|alarm| (alarm.alarm, alarm.member_id));
        }
        _ => {}
    }
    response
}
