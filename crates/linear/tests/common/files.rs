//! The histories in `tests/data`, for tests and benchmarks.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use histories::edn::{self, Jepsen};
use histories::{Recorded, RegisterValue, StoreHistory, jepsen_log};
use linear::models::register::Register;

/// The model of the logs of an early etcd.
pub const REGISTER: Register<RegisterValue> = Register { initial: RegisterValue(None) };

pub fn text(file: &str) -> String {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A log of an early etcd.
pub fn log(file: &str) -> jepsen_log::RegisterHistory {
    jepsen_log::read(file, text(file).as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// One of Porcupine's key-value histories.
pub fn store(file: &str) -> StoreHistory {
    match edn::read(file, text(file).as_bytes()) {
        Ok(Jepsen::Recorded(Recorded::KeyValue(history))) => history,
        other => panic!("{file}: {other:?}"),
    }
}
