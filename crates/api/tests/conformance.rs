//! Requests to a real etcd, and its answers, recorded at its JSON gateway, are read and written without loss.
//! `data/etcd-3.4.23.jsonl` has a few dozen lines of the recordings: every field and every error of the recordings occurs in it.

use etcdsim_api::{Code, Error, Request, Response};
use prost::Message;
use serde_json::Value;

const RECORDED: &str = include_str!("data/etcd-3.4.23.jsonl");

fn lines() -> impl Iterator<Item = Value> {
    RECORDED.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"))
}

fn rpc(line: &Value) -> &str {
    line["rpc"].as_str().expect("a line names its call")
}

#[test]
fn requests_round_trip() {
    for line in lines() {
        let request = Request::from_json(rpc(&line), &line["request"])
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(request.rpc_name(), rpc(&line));
        let written = request.to_json();
        assert!(differs_in_zeros_only(&line["request"], &written), "{} became {written}", line["request"]);
        assert_eq!(Request::from_json(rpc(&line), &written).expect("our own form is read"), request);
        assert_eq!(
            serde_json::from_value::<Request>(serde_json::to_value(&request).unwrap())
                .expect("the tagged form is read"),
            request
        );
    }
}

/// The gateway leaves zeros out, as we do; so here nothing may differ.
#[test]
fn responses_round_trip() {
    for line in lines().filter(|line| line.get("response").is_some()) {
        let response = Response::from_json(rpc(&line), &line["response"])
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(response.rpc_name(), rpc(&line));
        assert_eq!(response.to_json(), line["response"]);
        assert!(response.header().is_some(), "{line}");
        assert_eq!(
            serde_json::from_value::<Response>(serde_json::to_value(&response).unwrap())
                .expect("the tagged form is read"),
            response
        );
    }
}

#[test]
fn errors_are_known() {
    for line in lines().filter(|line| line.get("error").is_some()) {
        let text = line["error"]["message"].as_str().expect("a message");
        let error = Error::from_text(text).unwrap_or_else(|| panic!("unknown: {text}"));
        let code: Code = serde_json::from_value(line["error"]["code"].clone()).expect("a code");
        assert_eq!(error.code_in_3_4(), code, "{text}");
        assert_eq!(error.code(), code, "{text}");
    }
}

#[test]
fn the_wire_form_round_trips_too() {
    for line in lines() {
        if let Request::Txn(txn) = Request::from_json(rpc(&line), &line["request"]).expect("a request") {
            assert_eq!(
                etcdsim_api::etcdserverpb::TxnRequest::decode(txn.encode_to_vec().as_slice())
                    .expect("our own bytes are read"),
                txn
            );
        }
    }
}

/// Whether `written` is `given` without some fields that are zero there.
fn differs_in_zeros_only(given: &Value, written: &Value) -> bool {
    let zero = |value: &Value| {
        matches!(value.as_str(), Some("" | "0" | "NONE" | "KEY" | "EQUAL" | "VERSION"))
            || [Value::from(false), Value::Array(Vec::new())].contains(value)
    };
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            written.keys().all(|name| given.contains_key(name))
                && given.iter().all(|(name, value)| {
                    written.get(name).map_or(zero(value), |written| differs_in_zeros_only(value, written))
                })
        }
        (Value::Array(given), Value::Array(written)) => {
            given.len() == written.len()
                && given.iter().zip(written).all(|(given, written)| differs_in_zeros_only(given, written))
        }
        _ => given == written,
    }
}
