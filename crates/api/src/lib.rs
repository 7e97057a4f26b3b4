//! The etcd v3 API: requests, responses and errors, as they are on the wire of etcd 3.6.
//!
//! * [`etcdserverpb`], [`mvccpb`], [`authpb`], [`membershippb`], [`v3lockpb`], [`v3electionpb`]: the messages, named after their protobuf packages.
//!   They are generated from our own `proto/*.proto` and committed in `src/gen/`; the test of `tests/generate` keeps the two equal.
//!   Each speaks protobuf ([`prost::Message`]) and JSON (serde, in the form of etcd's gateway).
//! * [`Request`] and [`Response`]: any unary call and its answer. A round of a keep-alive counts as one; watches and snapshots are streams and do not.
//! * [`Part`]: one comparison or operation of a request that may be a transaction.
//! * [`Error`] and [`Code`]: what a call answers instead, by its exact text.
//! * [`key_range`]: the `range_end` of a request.
//!
//! JSON: 64-bit integers are strings, bytes are base64, enums are names, zero values are left out, field names are those of the `.proto` files.
//! When reading, integers and enums may also be numbers, field names may be in camel case, and anything may be `null`. Unknown fields are refused.
//! An enum field may have any number: a real client can send a number that has no name, and so can ours.
//!
//! Not here: what any of it means (`member` and `verify` each know that), services, gRPC itself.
//!
//! Architecture invariant: this crate knows no other crate of the workspace, and does no input or output.
//! Architecture invariant: a build needs neither `protoc` nor a build script.

#[rustfmt::skip]
#[path = "gen/authpb.rs"]
#[allow(missing_docs)]
pub mod authpb;
#[rustfmt::skip]
#[path = "gen/etcdserverpb.rs"]
#[allow(missing_docs)]
pub mod etcdserverpb;
#[rustfmt::skip]
#[path = "gen/membershippb.rs"]
#[allow(missing_docs)]
pub mod membershippb;
#[rustfmt::skip]
#[path = "gen/mvccpb.rs"]
#[allow(missing_docs)]
pub mod mvccpb;
#[rustfmt::skip]
#[path = "gen/v3electionpb.rs"]
#[allow(missing_docs)]
pub mod v3electionpb;
#[rustfmt::skip]
#[path = "gen/v3lockpb.rs"]
#[allow(missing_docs)]
pub mod v3lockpb;

mod call;
mod code;
mod error;
mod json;
pub mod key_range;
mod parts;

pub use call::{JsonError, Request, Response};
pub use code::Code;
pub use error::Error;
pub use json::bytes_base64::decode as decode_base64;
pub use parts::{Pairs, Part, Parts};
