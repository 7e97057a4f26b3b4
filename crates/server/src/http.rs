//! Everything at a client address that is not gRPC: health, version, metrics, and the JSON gateway (`api/etcdhttp`).

use std::sync::Arc;

use api::Error;
use api::etcdserverpb::AlarmType;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use member::io::Meta;
use tonic::body::Body;

use crate::app::App;
use crate::gateway;
use crate::metrics::Seen;

/// What `/livez` looks at.
const LIVE: &[Check] = &[Check::SerializableRead];
/// What `/readyz` looks at.
const READY: &[Check] =
    &[Check::NonLearner, Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead];

/// Something that must be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    NonLearner,
    DataCorruption,
    SerializableRead,
    LinearizableRead,
}

impl Check {
    const fn name(self) -> &'static str {
        match self {
            Check::NonLearner => "non_learner",
            Check::DataCorruption => "data_corruption",
            Check::SerializableRead => "serializable_read",
            Check::LinearizableRead => "linearizable_read",
        }
    }

    /// Fails with the reason if it is not healthy.
    async fn look(self, app: &App) -> Result<(), String> {
        let said = |error: Error| error.text().to_string();
        match self {
            Check::NonLearner => match app.status().await.map_err(said)?.is_learner {
                true => Err("not supported for learner".into()),
                false => Ok(()),
            },
            Check::DataCorruption => match alarms(app).await.map_err(said)?.contains(&"CORRUPT") {
                true => Err("alarm activated: CORRUPT".into()),
                false => Ok(()),
            },
            Check::SerializableRead => app.probe(true).await.map_err(said),
            Check::LinearizableRead => app.probe(false).await.map_err(said),
        }
    }
}

/// The alarms that are on.
async fn alarms(app: &App) -> Result<Vec<&'static str>, Error> {
    let errors = app.status().await?.errors;
    let all = [AlarmType::Nospace, AlarmType::Corrupt].map(|alarm| alarm.as_str_name());
    Ok(all.into_iter().filter(|name| errors.iter().any(|error| error.contains(name))).collect())
}

/// Answers a request at a client address.
pub async fn serve(app: Arc<App>, request: Request<Incoming>, meta: Meta) -> Response<Body> {
    let mut response = match request.uri().path() {
        // As in etcd, a certificate's name counts over gRPC only.
        path if path.starts_with("/v3/") => {
            gateway::serve(app, request, Meta { certificate: None, ..meta }).await
        }
        _ => observe(&app, request.method(), request.uri()).await,
    };
    let headers = response.headers_mut();
    headers.insert(
        "access-control-allow-headers",
        HeaderValue::from_static("accept, content-type, authorization"),
    );
    headers
        .insert("access-control-allow-methods", HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE"));
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    response
}

/// Answers those who monitor this server: at client addresses, and at those for metrics.
pub async fn observe(app: &App, method: &Method, uri: &http::Uri) -> Response<Body> {
    let path = uri.path();
    let (name, check) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let query = uri.query().unwrap_or("");
    let checks = match name {
        "health" | "version" | "metrics" if !check.is_empty() => return not_found(),
        "livez" => LIVE,
        "readyz" => READY,
        "health" | "version" | "metrics" => &[],
        _ => return not_found(),
    };
    if method != Method::GET {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
        response.headers_mut().insert("allow", HeaderValue::from_static("GET"));
        return response;
    }
    match name {
        "health" => health(app, query).await,
        "version" => json(StatusCode::OK, app.version().await.to_string()),
        "metrics" => {
            let seen = app.handle.look(Seen::of).await;
            let mut response = text(StatusCode::OK, app.metrics.text(seen));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert("content-type", kind);
            response
        }
        _ => look_at(app, checks, check, query).await,
    }
}

/// Answers `/livez`, `/readyz`, and each check alone.
async fn look_at(app: &App, checks: &[Check], only: &str, query: &str) -> Response<Body> {
    let wanted = |check: &&Check| match only {
        "" => match values(query, "allowlist").collect::<Vec<_>>() {
            allowed if !allowed.is_empty() => allowed.contains(&check.name()),
            _ => !values(query, "exclude").any(|excluded| excluded == check.name()),
        },
        only => only == check.name(),
    };
    let wanted: Vec<&Check> = checks.iter().filter(wanted).collect();
    if wanted.is_empty() && !only.is_empty() {
        return not_found();
    }
    let (mut report, mut is_well) = (String::new(), true);
    for check in wanted {
        match check.look(app).await {
            Ok(()) => report += &format!("[+]{} ok\n", check.name()),
            Err(why) => {
                is_well = false;
                report += &format!("[-]{} failed: {why}\n", check.name());
            }
        }
    }
    if !is_well {
        return text(StatusCode::SERVICE_UNAVAILABLE, report + "\n");
    }
    let is_verbose =
        !only.is_empty() || query.split('&').any(|part| part.split('=').next() == Some("verbose"));
    text(StatusCode::OK, if is_verbose { report + "ok\n" } else { "ok\n".into() })
}

/// The values of a name in a query.
fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    query
        .split('&')
        .filter_map(move |part| part.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

/// Answers `/health`.
async fn health(app: &App, query: &str) -> Response<Body> {
    let is_serializable = values(query, "serializable").any(|value| value == "true");
    let why = match is_ill(app, query, is_serializable).await {
        None => return json(StatusCode::OK, r#"{"health":"true","reason":""}"#.into()),
        Some(why) => why,
    };
    let answer = format!(r#"{{"health":"false","reason":{}}}"#, serde_json::Value::String(why));
    json(StatusCode::SERVICE_UNAVAILABLE, answer)
}

/// Why this member is not healthy.
async fn is_ill(app: &App, query: &str, is_serializable: bool) -> Option<String> {
    let status = app.status().await;
    let on = alarms(app).await;
    let (status, on) = match (status, on) {
        (Ok(status), Ok(on)) => (status, on),
        (Err(error), _) | (_, Err(error)) => return Some(error.text().into()),
    };
    if let Some(alarm) =
        on.into_iter().find(|alarm| !values(query, "exclude").any(|excluded| excluded == *alarm))
    {
        return Some(format!("ALARM {alarm}"));
    }
    if !is_serializable && status.leader == 0 {
        return Some("RAFT NO LEADER".into());
    }
    app.probe(is_serializable).await.err().map(|error| format!("RANGE ERROR:{}", error.text()))
}

/// An answer in JSON, with the type that etcd's own handlers give it.
fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = with(status, body.into());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = with(status, body.into());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn with(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = status;
    response
}
