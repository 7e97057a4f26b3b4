//! How the rest of the server talks to the event loop: calls with an answer, streams, messages of other members, and
//! questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use api::{Error, Request, Response};
use contract::Types;
use contract::disk::DiskError;
use member::Member;
use member::backend::BackendError;
use member::io::{Ask, Call, Done, Down, Effects, Etcd, Message, Meta, Up};
use record::MemberId;
use tokio::sync::mpsc as channel;
use tokio::sync::oneshot;

/// A job for the store.
pub type StoreJob = <<Etcd as Types>::Store as contract::Store>::Job;

/// What a call is answered with.
pub type Answer = Result<Response, Error>;

/// What the event loop takes in.
pub enum Event {
    /// A client calls.
    Call {
        /// The number of the call.
        call: u64,
        /// What it asks.
        ask: Box<Ask<Call>>,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
    },
    /// Nobody waits for the answer any more.
    Cancel(u64),
    /// A client opens a stream.
    Open {
        /// The number of the stream.
        stream: u64,
        /// Where the member's items go.
        items: channel::UnboundedSender<Down>,
    },
    /// A client sends an item.
    Item {
        /// The number of the stream.
        stream: u64,
        /// The item.
        item: Box<Ask<Up>>,
    },
    /// An item of a stream is on its way to the client.
    Taken(u64),
    /// The client's side of a stream is gone.
    Closed(u64),
    /// A message of another member.
    Message {
        /// The sender.
        from: MemberId,
        /// The message.
        message: Message,
    },
    /// The fate of a message about which the member wants to know.
    Receipt {
        /// The receiver.
        to: MemberId,
        /// Whether it arrived.
        arrived: bool,
    },
    /// Jobs of the disk have ended.
    JobsDone(Vec<(u64, Result<(), DiskError>)>),
    /// A job of the store has ended.
    StoreDone(Result<(), BackendError>),
    /// A computation has ended.
    WorkDone {
        /// Its number.
        work: u64,
        /// Its result.
        done: Done,
    },
    /// These steps are in the record: their effects may be carried out.
    #[expect(clippy::vec_box, reason = "effects are large, and go through two queues")]
    Recorded(Vec<Box<Effects>>),
    /// The record cannot be written.
    NotRecorded(std::io::Error),
    /// Somebody looks at the member.
    Look(Box<dyn FnOnce(&Member) + Send>),
    /// The process is asked to stop.
    Stop,
    /// A thread of the driver has ended with a panic.
    Broken(&'static str),
}

/// A way to the event loop. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Handle {
    events: mpsc::Sender<Event>,
    /// The last number of a call or a stream.
    numbers: Arc<AtomicU64>,
}

impl Handle {
    /// A handle, and where its events come out.
    pub fn new() -> (Handle, mpsc::Receiver<Event>) {
        let (events, received) = mpsc::channel();
        (Handle { events, numbers: Arc::default() }, received)
    }

    /// Gives the loop an event. After its end, events are lost.
    pub fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes a call. If the future is dropped, the call is cancelled.
    ///
    /// # Errors
    /// The member's; [`Error::Stopped`] if it ends before it has answered.
    pub async fn call(&self, request: Request, meta: Meta) -> Answer {
        let (answer, answered) = oneshot::channel();
        let call = self.number();
        let mut waiting = Waiting { handle: self, call: Some(call) };
        self.send(Event::Call { call, ask: Box::new(Ask { what: Call::Api(request), meta }), answer });
        let answer = answered.await;
        waiting.call = None;
        answer.unwrap_or(Err(Error::Stopped))
    }

    /// Opens a stream.
    pub fn open(&self) -> Stream {
        let (sender, items) = channel::unbounded_channel();
        let stream = self.number();
        self.send(Event::Open { stream, items: sender });
        Stream { handle: self.clone(), stream, items }
    }

    /// Asks the loop something about the member; `None` after its end.
    pub async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Member) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.send(Event::Look(Box::new(move |member| drop(answer.send(question(member))))));
        answered.await.ok()
    }
}

/// A call that has no answer yet.
struct Waiting<'a> {
    handle: &'a Handle,
    call: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.handle.send(Event::Cancel(call));
        }
    }
}

/// A client's side of a stream. Dropping it closes it.
#[derive(Debug)]
pub struct Stream {
    handle: Handle,
    stream: u64,
    items: channel::UnboundedReceiver<Down>,
}

impl Stream {
    /// A sender for this stream. It may outlive the stream; sending then does nothing.
    pub fn sender(&self) -> StreamSender {
        StreamSender { handle: self.handle.clone(), stream: self.stream }
    }

    /// The next item of the member; `None` after its end.
    pub async fn next(&mut self) -> Option<Down> {
        let item = self.items.recv().await?;
        self.handle.send(Event::Taken(self.stream));
        Some(item)
    }

    /// Like [`Stream::next`], for code that polls.
    pub fn poll_next(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Down>> {
        let item = self.items.poll_recv(context);
        if let std::task::Poll::Ready(Some(_)) = &item {
            self.handle.send(Event::Taken(self.stream));
        }
        item
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.handle.send(Event::Closed(self.stream));
    }
}

/// Sends on a stream.
#[derive(Clone, Debug)]
pub struct StreamSender {
    handle: Handle,
    stream: u64,
}

impl StreamSender {
    /// Sends an item.
    pub fn send(&self, what: Up, meta: Meta) {
        self.handle.send(Event::Item { stream: self.stream, item: Box::new(Ask { what, meta }) });
    }
}
