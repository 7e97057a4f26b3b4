//! The events on the heap that only the callers handle.

/// An event of a caller that has fallen due.
#[derive(Debug)]
pub(crate) enum CallerEvent {
    /// A client decides what to do next.
    ClientNext { client: usize },
    /// The retransmission time-out of a stream fires; `up` is the direction from the client.
    StreamDue { stream: u64, up: bool },
    /// A slow client has finished processing a response of a stream.
    StreamTake { stream: u64 },
    /// The keepalive of a stream is due: its client pings the member, or gives the stream up.
    StreamKeepalive { stream: u64 },
    /// A client reopens a stream. `number` is the client's own number for it.
    StreamResume { client: usize, number: u32 },
    /// A member's end of a stream learns that the client has closed it.
    StreamClosed { stream: u64 },
    /// An operator continues a task.
    ContinueTask { task: usize },
}
