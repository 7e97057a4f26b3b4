//! The servers themselves, each asked on its own.

use std::time::Duration;

use api::Response;
use api::etcdserverpb::{HashKvRequest, MemberListRequest, RangeRequest, StatusRequest, StatusResponse};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::args::{Endpoint, Form, Global};
use crate::session::{ask, call, connect_to};
use crate::{Failure, Outcome, show};

/// Asks every server.
pub async fn endpoint(global: &Global, what: Endpoint) -> Outcome {
    let (Endpoint::Health { cluster } | Endpoint::Status { cluster } | Endpoint::Hashkv { cluster, .. }) =
        what;
    let endpoints = if cluster { all_of_cluster(global).await? } else { global.endpoints.clone() };
    let (mut shown, mut is_well) = (Vec::new(), true);
    for endpoint in &endpoints {
        let asked = match what {
            Endpoint::Health { .. } => {
                let (well, answer) = health(global, endpoint).await;
                is_well &= well;
                Ok(answer)
            }
            Endpoint::Status { .. } => status(global, endpoint).await,
            Endpoint::Hashkv { rev, .. } => hash(global, endpoint, rev).await,
        };
        match asked {
            Ok(answer) => shown.extend(answer),
            Err(Failure { text, .. }) => {
                is_well = false;
                eprintln!("Failed to get the status of endpoint {endpoint} ({text})");
            }
        }
    }
    if global.write_out == Form::Json {
        println!("{}", Value::Array(shown));
    }
    match is_well {
        true => Ok(()),
        false => Err(Failure { code: 1, text: "unhealthy cluster".into() }),
    }
}

/// The addresses at which all members serve clients.
async fn all_of_cluster(global: &Global) -> Result<Vec<String>, Failure> {
    match ask(global, MemberListRequest { linearizable: true }.into()).await? {
        Response::MemberList(answer) => {
            Ok(answer.members.into_iter().flat_map(|member| member.client_urls).collect())
        }
        _ => Ok(Vec::new()),
    }
}

async fn health(global: &Global, endpoint: &str) -> (bool, Option<Value>) {
    #[allow(clippy::disallowed_methods, reason = "it says how long a real server took")]
    let begun = Instant::now();
    let read = async {
        let mut client = connect_to(endpoint, global).await?;
        call(&mut client, global, RangeRequest { key: "health".into(), ..RangeRequest::default() }.into())
            .await
    };
    let why = match read.await {
        Ok(_) => None,
        // A server that refuses for lack of permission does serve.
        Err(Failure { text, .. }) if text == api::Error::PermissionDenied.text() => None,
        Err(Failure { text, .. }) => Some(text),
    };
    let took = in_go(begun.elapsed());
    if global.write_out == Form::Json {
        let mut answer = json!({ "endpoint": endpoint, "health": why.is_none(), "took": took });
        if let Some(why) = &why {
            answer["error"] = json!(why);
        }
        return (why.is_none(), Some(answer));
    }
    match &why {
        None => println!("{endpoint} is healthy: successfully committed proposal: took = {took}"),
        Some(why) => eprintln!("{endpoint} is unhealthy: failed to commit proposal: {why}"),
    }
    (why.is_none(), None)
}

/// A duration as Go writes it.
fn in_go(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{}ms", time.as_micros() as f64 / 1000.0),
        _ => format!("{}s", time.as_secs_f64()),
    }
}

async fn status(global: &Global, endpoint: &str) -> Result<Option<Value>, Failure> {
    let mut client = connect_to(endpoint, global).await?;
    let answer = call(&mut client, global, StatusRequest {}.into()).await?;
    if global.write_out == Form::Json {
        let status = show::with_numbers(answer.to_json(), true);
        return Ok(Some(json!({ "Endpoint": endpoint, "Status": status })));
    }
    if let Response::Status(status) = answer {
        println!("{endpoint}, {}", line(&status));
    }
    Ok(None)
}

fn line(status: &StatusResponse) -> String {
    let member = status.header.map_or(0, |header| header.member_id);
    let size = status.db_size.max(1);
    let unused = (size - status.db_size_in_use.min(size)) * 100 / size;
    let downgrade = status.downgrade_info.clone().unwrap_or_default();
    format!(
        "{member:x}, {}, {}, {}, {}, {unused}%, {}, {}, {}, {}, {}, {}, {}, {}, {}",
        status.version,
        status.storage_version,
        bytes(status.db_size),
        bytes(status.db_size_in_use),
        bytes(status.db_size_quota),
        status.leader == member,
        status.is_learner,
        status.raft_term,
        status.raft_index,
        status.raft_applied_index,
        status.errors.join(", "),
        downgrade.target_version,
        downgrade.enabled,
    )
}

/// A number of bytes for people, in units of a thousand.
fn bytes(count: i64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" || value >= 10.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

async fn hash(global: &Global, endpoint: &str, revision: i64) -> Result<Option<Value>, Failure> {
    let mut client = connect_to(endpoint, global).await?;
    let answer = call(&mut client, global, HashKvRequest { revision }.into()).await?;
    if global.write_out == Form::Json {
        let hash = show::with_numbers(answer.to_json(), false);
        return Ok(Some(json!({ "Endpoint": endpoint, "HashKV": hash })));
    }
    if let Response::HashKv(hash) = answer {
        println!("{endpoint}, {}, {}", hash.hash, hash.hash_revision);
    }
    Ok(None)
}
