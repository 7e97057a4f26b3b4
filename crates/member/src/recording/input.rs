//! Inputs as lines of a record, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Request;
use api::etcdserverpb::{RangeRequest, WatchRequest};
use bytes::{Bytes, BytesMut};
use contract::Work as _;
use contract::disk::{DiskError, DiskErrorKind};
use prost::Message as _;
use record::MemberId;
use serde::{Deserialize, Serialize};

use super::Blob;
use crate::io::{Ask, Call, Input, Meta, Up};
use crate::wire::{self, WireError};
use crate::work::{Done, Product, Work};

/// An input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noted {
    /// Not an input: the start of the process.
    Start,
    /// [`Input::Wake`](contract::Input::Wake).
    Wake,
    /// [`Input::Recovered`](contract::Input::Recovered).
    Recovered,
    /// [`Input::Stop`](contract::Input::Stop).
    Stop,
    /// [`Input::Message`](contract::Input::Message).
    Message {
        /// The sender.
        from: MemberId,
        /// The number of its packet.
        packet: u64,
        /// The message, as on a connection ([`wire`]).
        frame: Blob,
    },
    /// [`Input::Receipt`](contract::Input::Receipt).
    Receipt {
        /// The receiver.
        to: MemberId,
        /// Whether it arrived.
        arrived: bool,
    },
    /// [`Input::Call`](contract::Input::Call).
    Call {
        /// The number of the call.
        call: u64,
        /// The request. If there are several, they are membership changes to be made at once.
        asks: Vec<Asked>,
        /// Who asks.
        #[serde(flatten)]
        who: Who,
    },
    /// [`Input::Cancel`](contract::Input::Cancel), with the number of the call.
    Cancel(u64),
    /// [`Input::Item`](contract::Input::Item).
    Item {
        /// The number of the stream.
        stream: u64,
        /// The item.
        item: Sent,
        /// Who sends it.
        #[serde(flatten)]
        who: Who,
    },
    /// [`Input::Taken`](contract::Input::Taken), with the number of the stream.
    Taken(u64),
    /// [`Input::Closed`](contract::Input::Closed), with the number of the stream.
    Closed(u64),
    /// [`Input::Connections`](contract::Input::Connections).
    Connections(Vec<(MemberId, u64)>),
    /// [`Input::JobDone`](contract::Input::JobDone).
    JobDone {
        /// The number of the job.
        job: u64,
        /// Why it failed: the kind of error, and the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<(String, String)>,
    },
    /// [`Input::StoreDone`](contract::Input::StoreDone), with the reason if the job failed. After that the process
    /// ends.
    StoreDone(Option<String>),
    /// [`Input::WorkDone`](contract::Input::WorkDone).
    WorkDone {
        /// The number of the computation.
        work: u64,
        /// Its result.
        result: Computed,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The path of the call in gRPC.
    pub method: String,
    /// The request in protobuf.
    pub request: Blob,
}

/// What a client says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Blob>,
    /// The name in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Whether it wants a leader.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_leader: bool,
}

/// What a client sends on a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sent {
    /// A message on a watch stream.
    Watch(Blob),
    /// A request for a snapshot.
    Snapshot,
    /// A request for a range in chunks.
    Range(Blob),
    /// The beginning of a stream of keep-alives.
    KeepAlive,
}

/// The result of a computation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Computed {
    /// It follows from the state, and is computed again.
    Again,
    /// Whether a password was right.
    Checked(bool),
    /// The hash of a password, which has a salt.
    Hashed(String),
}

/// Why a line is not an input.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A message of another member cannot be read.
    #[error("{0}")]
    Message(#[from] WireError),
    /// A request cannot be read.
    #[error("{0}")]
    Request(#[from] api::WireError),
    /// A message of a client cannot be read.
    #[error("{0}")]
    Item(#[from] prost::DecodeError),
    /// It is the end of a computation that never began.
    #[error("computation {0} has ended, but it never began")]
    Work(u64),
    /// It is not an input.
    #[error("this is not an input: {0}")]
    None(&'static str),
}

impl Who {
    fn of(meta: &Meta) -> Who {
        let Meta { token, certificate, require_leader } = meta;
        Who {
            token: token.clone().map(Blob),
            certificate: certificate.as_deref().map(str::to_string),
            require_leader: *require_leader,
        }
    }

    fn meta(&self) -> Meta {
        Meta {
            token: self.token.clone().map(|blob| blob.0),
            certificate: self.certificate.as_deref().map(Arc::from),
            require_leader: self.require_leader,
        }
    }
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes);
        Asked { method: request.method().into(), request: Blob(bytes.freeze()) }
    }

    /// The request.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn request(&self) -> Result<Request, Unreadable> {
        Ok(Request::decode(&self.method, self.request.0.clone())?)
    }
}

impl Sent {
    /// What the client sent.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn up(&self) -> Result<Up, Unreadable> {
        Ok(match self {
            Sent::Watch(request) => Up::Watch(WatchRequest::decode(request.0.clone())?),
            Sent::Snapshot => Up::Snapshot,
            Sent::Range(request) => Up::Range(RangeRequest::decode(request.0.clone())?),
            Sent::KeepAlive => Up::KeepAlive,
        })
    }
}

/// The kinds of errors of a disk, by name.
const KINDS: [DiskErrorKind; 6] = [
    DiskErrorKind::NotFound,
    DiskErrorKind::Exists,
    DiskErrorKind::PastEnd,
    DiskErrorKind::Io,
    DiskErrorKind::Full,
    DiskErrorKind::Dead,
];

impl Noted {
    /// An input as a line.
    pub fn of(input: &Input) -> Noted {
        match input {
            Input::Wake => Noted::Wake,
            Input::Recovered => Noted::Recovered,
            Input::Stop => Noted::Stop,
            Input::Message { from, packet, message } => {
                let mut frame = BytesMut::new();
                wire::put(message, &mut frame);
                Noted::Message { from: *from, packet: *packet, frame: Blob(frame.freeze()) }
            }
            Input::Receipt { to, arrived } => Noted::Receipt { to: *to, arrived: *arrived },
            Input::Call { call, request } => {
                let asks = match &request.what {
                    Call::Api(request) => vec![Asked::of(request)],
                    Call::Reconfigure(changes) => changes.iter().map(Asked::of).collect(),
                };
                Noted::Call { call: *call, asks, who: Who::of(&request.meta) }
            }
            Input::Cancel { call } => Noted::Cancel(*call),
            Input::Item { stream, item } => {
                let sent = match &item.what {
                    Up::Watch(request) => Sent::Watch(Blob(request.encode_to_vec().into())),
                    Up::Snapshot => Sent::Snapshot,
                    Up::Range(request) => Sent::Range(Blob(request.encode_to_vec().into())),
                    Up::KeepAlive => Sent::KeepAlive,
                };
                Noted::Item { stream: *stream, item: sent, who: Who::of(&item.meta) }
            }
            Input::Taken { stream } => Noted::Taken(*stream),
            Input::Closed { stream } => Noted::Closed(*stream),
            Input::Connections(connections) => Noted::Connections(connections.clone()),
            Input::JobDone { job, result } => {
                let failed = result.as_ref().err();
                let failed = failed.map(|error| (error.kind.to_string(), error.path.to_string()));
                Noted::JobDone { job: *job, failed }
            }
            Input::StoreDone(result) => {
                Noted::StoreDone(result.as_ref().err().map(|error| error.to_string()))
            }
            Input::WorkDone { work, done } => {
                let result = match &done.0 {
                    Product::Checked(right) => Computed::Checked(*right),
                    Product::Hashed(hash) => Computed::Hashed(hash.clone()),
                    Product::Image(_) | Product::Snapshot(_) | Product::Received(_) | Product::Discarded => {
                        Computed::Again
                    }
                };
                Noted::WorkDone { work: *work, result }
            }
        }
    }

    /// The input. Computations that have ended are taken from those that were begun.
    ///
    /// # Errors
    /// It is not an input. The failure of a store is not one either: the process has ended.
    pub fn input(&self, begun: &mut BTreeMap<u64, Work>) -> Result<Input, Unreadable> {
        Ok(match self {
            Noted::Start => return Err(Unreadable::None("a process starts once")),
            Noted::Wake => Input::Wake,
            Noted::Recovered => Input::Recovered,
            Noted::Stop => Input::Stop,
            Noted::Message { from, packet, frame } => {
                let (head, body) = frame.0.split_at_checked(wire::HEAD).ok_or(WireError::Lacks("head"))?;
                let message = wire::read(head[wire::HEAD - 1], Bytes::copy_from_slice(body))?;
                Input::Message { from: *from, packet: *packet, message }
            }
            Noted::Receipt { to, arrived } => Input::Receipt { to: *to, arrived: *arrived },
            Noted::Call { call, asks, who } => {
                let mut requests = asks.iter().map(Asked::request).collect::<Result<Vec<_>, _>>()?;
                let what = match requests.len() {
                    1 => Call::Api(requests.remove(0)),
                    _ => Call::Reconfigure(requests),
                };
                Input::Call { call: *call, request: Box::new(Ask { what, meta: who.meta() }) }
            }
            Noted::Cancel(call) => Input::Cancel { call: *call },
            Noted::Item { stream, item, who } => {
                Input::Item { stream: *stream, item: Box::new(Ask { what: item.up()?, meta: who.meta() }) }
            }
            Noted::Taken(stream) => Input::Taken { stream: *stream },
            Noted::Closed(stream) => Input::Closed { stream: *stream },
            Noted::Connections(connections) => Input::Connections(connections.clone()),
            Noted::JobDone { job, failed } => {
                let kind_of = |name: &str| KINDS.into_iter().find(|kind| kind.to_string() == name);
                let result = match failed {
                    None => Ok(()),
                    Some((kind, path)) => {
                        let kind = kind_of(kind).ok_or(Unreadable::None("there is no such disk error"))?;
                        Err(DiskError { kind, path: path.as_str().into() })
                    }
                };
                Input::JobDone { job: *job, result }
            }
            Noted::StoreDone(None) => Input::StoreDone(Ok(())),
            Noted::StoreDone(Some(_)) => return Err(Unreadable::None("the process has ended")),
            Noted::WorkDone { work, result } => {
                let begun = begun.remove(work).ok_or(Unreadable::Work(*work))?;
                let done = match result {
                    Computed::Again => begun.perform(),
                    Computed::Checked(right) => Done(Product::Checked(*right)),
                    Computed::Hashed(hash) => Done(Product::Hashed(hash.clone())),
                };
                Input::WorkDone { work: *work, done }
            }
        })
    }
}
