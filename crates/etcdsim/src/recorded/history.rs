//! What clients asked of real members and were told, as the members saw it: a request was made when it reached the
//! member, and answered when the answer left. That interval lies within the one that the client saw, so whatever must
//! hold for clients must hold for this history.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::etcdserverpb::RangeResponse;
use api::{Error, Request, Response};
use bytes::Bytes;
use member::io::{Down, Up};
use member::recording::{Blob, Noted, Sent, Who};
use record::history::StreamEnd;
use record::{History, MemberId, Nanos, Operation, Outcome, WatchStream};

/// Which process: the number of the record, and of the process in it.
pub(super) type ProcessId = (usize, usize);

/// The history, while it is gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    history: History,
    /// The operations that are not answered, by process and number of the call.
    calls: BTreeMap<(ProcessId, u64), usize>,
    /// The operations of all calls.
    numbers: BTreeMap<(ProcessId, u64), usize>,
    /// The streams that are open.
    streams: BTreeMap<(ProcessId, u64), Open>,
    /// The idle clients of each member, and when their last operation ended. Members do not see which requests come
    /// from the same client, so each request is assigned to any idle client.
    idle: BTreeMap<MemberId, Vec<(u32, Nanos)>>,
    clients: u32,
    /// Who has which token.
    users: BTreeMap<Bytes, Arc<str>>,
}

/// A stream.
#[derive(Debug)]
enum Open {
    /// A watch stream, by its number.
    Watch(usize),
    /// A range in chunks: its operation, and the chunks so far.
    Range(usize, RangeResponse),
    /// A stream of which nothing is judged.
    Other,
}

impl Gathered {
    /// Takes an input of a member.
    pub(super) fn input(&mut self, time: Nanos, process: ProcessId, member: MemberId, input: &Noted) {
        match input {
            Noted::Call { call, asks, who } => {
                let [asked] = &asks[..] else { return };
                let Ok(request) = asked.request() else { return };
                let operation = self.begin(time, member, who, request, false);
                self.calls.insert((process, *call), operation);
                self.numbers.insert((process, *call), operation);
            }
            Noted::Cancel(call) => {
                if let Some(operation) = self.calls.remove(&(process, *call)) {
                    self.gave_up(operation, time);
                }
            }
            Noted::Item { stream, item, who } => self.item(time, (process, *stream), member, item, who),
            Noted::Closed(stream) => self.end(time, (process, *stream), StreamEnd::Closed),
            _ => {}
        }
    }

    /// The number of the operation that is behind a call, if a client made it.
    pub(super) fn operation(&self, process: ProcessId, call: u64) -> Option<u64> {
        self.numbers.get(&(process, call)).map(|operation| *operation as u64)
    }

    /// A request reaches a member. Returns the number of its operation.
    fn begin(&mut self, time: Nanos, member: MemberId, who: &Who, request: Request, streamed: bool) -> usize {
        let idle = self.idle.entry(member).or_default();
        let client = match idle.iter().position(|(_, ended)| *ended < time) {
            Some(at) => idle.swap_remove(at).0,
            None => self.new_client(),
        };
        let user = match who {
            Who { token: Some(Blob(token)), .. } => self.users.get(token).cloned(),
            Who { certificate: Some(name), .. } => Some(Arc::from(name.as_str())),
            _ => None,
        };
        let outcome = Outcome::Unknown { gave_up: Nanos::MAX };
        let operation = Operation { client, member, user, request, streamed, call: time, outcome };
        self.history.operations.push(operation);
        self.history.operations.len() - 1
    }

    fn new_client(&mut self) -> u32 {
        self.clients += 1;
        self.clients - 1
    }

    /// Nobody waits for the answer any more. The client is not used again: its operation may still take effect.
    fn gave_up(&mut self, operation: usize, time: Nanos) {
        self.history.operations[operation].outcome = Outcome::Unknown { gave_up: time };
    }

    /// A member answers a call.
    pub(super) fn answer(
        &mut self,
        time: Nanos,
        process: ProcessId,
        call: u64,
        answer: Result<Response, Error>,
    ) {
        let Some(operation) = self.calls.remove(&(process, call)) else { return };
        self.ended(time, operation, answer);
    }

    fn ended(&mut self, time: Nanos, operation: usize, answer: Result<Response, Error>) {
        let operation = &mut self.history.operations[operation];
        let at = time.max(operation.call + 1);
        if let (Request::Authenticate(request), Ok(Response::Authenticate(answer))) =
            (&operation.request, &answer)
        {
            let token = Bytes::copy_from_slice(answer.token.as_bytes());
            self.users.insert(token, Arc::from(request.name.as_str()));
        }
        operation.outcome = match answer {
            Ok(response) => Outcome::Answer { at, response },
            Err(error) => Outcome::Error { at, error },
        };
        self.idle.entry(operation.member).or_default().push((operation.client, at));
    }

    /// A client sends something on a stream.
    fn item(&mut self, time: Nanos, stream: (ProcessId, u64), member: MemberId, item: &Sent, who: &Who) {
        match item.up() {
            Ok(Up::Watch(request)) => {
                let watch = match self.streams.get(&stream) {
                    Some(Open::Watch(watch)) => *watch,
                    _ => {
                        let client = self.new_client();
                        let (sent, received) = (Vec::new(), Vec::new());
                        let watch = WatchStream { client, member, opened: time, sent, received, ended: None };
                        self.history.watches.push(watch);
                        let watch = self.history.watches.len() - 1;
                        self.streams.insert(stream, Open::Watch(watch));
                        watch
                    }
                };
                self.history.watches[watch].sent.push((time, request));
            }
            Ok(Up::Range(request)) => {
                let operation = self.begin(time, member, who, request.into(), true);
                self.streams.insert(stream, Open::Range(operation, RangeResponse::default()));
            }
            Ok(Up::Snapshot | Up::KeepAlive) | Err(_) => _ = self.streams.insert(stream, Open::Other),
        }
    }

    /// A member sends something on a stream.
    pub(super) fn sent(&mut self, time: Nanos, process: ProcessId, stream: u64, item: Down) {
        let stream = (process, stream);
        match (item, self.streams.get_mut(&stream)) {
            (Down::Watch(response), Some(Open::Watch(watch))) => {
                self.history.watches[*watch].received.push((time, response));
            }
            (Down::Range(chunk), Some(Open::Range(_, whole))) => api::merge(whole, &chunk),
            (Down::End, Some(Open::Range(operation, whole))) => {
                let (operation, whole) = (*operation, std::mem::take(whole));
                self.streams.remove(&stream);
                self.ended(time, operation, Ok(whole.into()));
            }
            (Down::Refused(error), Some(Open::Range(operation, _))) => {
                let operation = *operation;
                self.streams.remove(&stream);
                self.ended(time, operation, Err(error));
            }
            (Down::Refused(error), _) => self.end(time, stream, StreamEnd::Refused(error)),
            _ => {}
        }
    }

    /// A stream ends.
    fn end(&mut self, time: Nanos, stream: (ProcessId, u64), how: StreamEnd) {
        match self.streams.remove(&stream) {
            Some(Open::Watch(watch)) => self.history.watches[watch].ended = Some((time, how)),
            Some(Open::Range(operation, _)) => self.gave_up(operation, time),
            Some(Open::Other) | None => {}
        }
    }

    /// A process ends, and all that its clients wait for with it.
    pub(super) fn process_ended(&mut self, time: Nanos, process: ProcessId) {
        let of_process = |at: &(ProcessId, u64)| at.0 == process;
        let calls: Vec<_> = self.calls.keys().copied().filter(of_process).collect();
        for call in calls {
            if let Some(operation) = self.calls.remove(&call) {
                self.gave_up(operation, time);
            }
        }
        let streams: Vec<_> = self.streams.keys().copied().filter(of_process).collect();
        streams.into_iter().for_each(|stream| self.end(time, stream, StreamEnd::Broken));
    }

    /// The history. What is not answered at the end stays open.
    pub(super) fn into_history(mut self, end: Nanos) -> History {
        for operation in &mut self.history.operations {
            if let Outcome::Unknown { gave_up } = &mut operation.outcome {
                *gave_up = (*gave_up).min(end);
            }
        }
        self.history
    }
}
