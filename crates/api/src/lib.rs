//! The etcd v3 API: requests, responses and errors, as they are on the wire of etcd 3.7.
//!
//! * [`etcdserverpb`], [`mvccpb`], [`authpb`], [`membershippb`], [`v3lockpb`], [`v3electionpb`]: the messages, named after their protobuf packages.
//!   They are generated from our own `proto/*.proto` and committed in `src/gen/`; the test of `tests/generate` keeps the two equal.
//!   Each speaks protobuf ([`prost::Message`]) and JSON (serde, in the form of etcd's gateway).
//! * [`Request`] and [`Response`]: a unary call (one request, one answer) and its answer, as enums over all calls. Watches and snapshots are
//!   streams, so they are only messages; so are the chunks of a streamed range ([`merge`]). A keep-alive is a stream too, but each request on it and its answer count as a call.
//! * [`Part`]: one comparison or operation of a transaction.
//! * [`Error`] and [`Code`]: the errors that a call can return instead of an answer, with their exact texts and their gRPC status codes.
//! * [`key_range`]: calculates the `range_end` of a request.
//!
//! In JSON, 64-bit integers are strings, bytes are base64, enums are names, zero values are left out, and field names are those of the `.proto` files.
//! When reading, integers and enums may also be numbers, field names may be in camel case, and anything may be `null`. Unknown fields are refused.
//! An enum field may have any number, even one without a name, because a real client can send that.
//!
//! Not here: what requests do (`member` and `verify` each have code for that), gRPC itself.
//!
//! Architecture invariant: this crate depends on no other crate of the workspace, and does no input or output.
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
mod chunks;
mod code;
mod error;
mod json;
pub mod key_range;
mod parts;

pub use call::{JsonError, Request, Response, WireError};
pub use chunks::merge;
pub use code::Code;
pub use error::Error;
pub use json::bytes_base64;
pub use json::bytes_base64::decode as decode_base64;
pub use parts::{Pairs, Part, Parts};
