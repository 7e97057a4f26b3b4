//! Watch streams in a history file: one line for the opening, one for each message, one for the end.
//!
//! A recorder can write each line as it happens. The recorder chooses the number of a stream; streams are returned in
//! the order of these numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use api::Error;
use api::etcdserverpb::{WatchRequest, WatchResponse};
use record::{MemberId, Nanos, StreamEnd, WatchStream};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ErrorLine, ErrorOut, FileError, column_of, error, parse};

/// How a line names the end of a stream that its client closed.
const CLOSED: &str = "closed";
/// The name of an end because the connection broke.
const BROKEN: &str = "broken";
/// The name of an end because the member refused the stream, with an error.
const REFUSED: &str = "refused";

/// The first line of a stream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    stream: u64,
    client: u32,
    member: MemberId,
    opened: Nanos,
}

/// The fields that show whether a line is an [`Opening`] or a [`Message`].
#[derive(Deserialize)]
struct Shape {
    stream: u64,
    opened: Option<IgnoredAny>,
}

/// Any later line of a stream. Exactly one of `sent`, `received` and `ended` must be present.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    #[serde(rename = "stream")]
    _stream: u64,
    at: Nanos,
    sent: Option<WatchRequest>,
    received: Option<WatchResponse>,
    #[serde(borrow)]
    ended: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<ErrorLine<'a>>,
}

/// The streams of a file being read.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<u64, WatchStream>);

impl Streams {
    /// Reads one line about a stream: a line that has the field `"stream"`.
    pub(super) fn take(&mut self, file: &str, number: usize, line: &str) -> Result<(), FileError> {
        let shape: Shape = parse(file, number, line)?;
        let wrong = |field: &str, what: &str| Err(error(file, number, column_of(line, field), what));
        if shape.opened.is_some() {
            let Opening { stream, client, member, opened } = parse(file, number, line)?;
            let (sent, received) = (Vec::new(), Vec::new());
            let new = WatchStream { client, member, opened, sent, received, ended: None };
            return match self.0.insert(stream, new) {
                None => Ok(()),
                Some(_) => {
                    wrong("stream", "this stream was opened before; expected a number that is not in use")
                }
            };
        }
        let Some(stream) = self.0.get_mut(&shape.stream) else {
            return wrong(
                "stream",
                "this stream was not opened; expected a line with \"opened\" before this",
            );
        };
        let Message { at, sent, received, ended, error: reason, .. } = parse(file, number, line)?;
        let messages = (stream.sent.last().map(|(at, _)| *at), stream.received.last().map(|(at, _)| *at));
        // A file may list all messages sent and then all received, so each direction is in order only by itself. The
        // end comes after both.
        let last = match (&sent, &received) {
            (Some(_), None) => messages.0,
            (None, Some(_)) => messages.1,
            _ => messages.0.max(messages.1),
        };
        if stream.ended.is_some() {
            let what = "this stream ended in a line above; expected no more of it, or another number for a new stream";
            return wrong("stream", what);
        }
        if at < last.unwrap_or(stream.opened) {
            return wrong(
                "at",
                "this is earlier than the lines above it; expected the lines of a stream in order",
            );
        }
        match (sent, received, ended.as_deref()) {
            (Some(sent), None, None) => stream.sent.push((at, sent)),
            (None, Some(received), None) => stream.received.push((at, received)),
            (None, None, Some(CLOSED)) => stream.ended = Some((at, StreamEnd::Closed)),
            (None, None, Some(BROKEN)) => stream.ended = Some((at, StreamEnd::Broken)),
            (None, None, Some(REFUSED)) => {
                // An error text that is none of etcd's comes from the transport.
                let reason = reason.and_then(|reason| Error::from_text(&reason.message));
                stream.ended = Some((at, reason.map_or(StreamEnd::Broken, StreamEnd::Refused)));
            }
            (None, None, Some(_)) => {
                return wrong("ended", "expected \"closed\", \"broken\" or \"refused\" with an \"error\"");
            }
            _ => return wrong("stream", "expected one of \"opened\", \"sent\", \"received\" and \"ended\""),
        }
        Ok(())
    }

    /// All streams.
    pub(super) fn finish(self) -> Vec<WatchStream> {
        self.0.into_values().collect()
    }
}

/// A message as it is written.
#[derive(Serialize)]
struct MessageOut<'a> {
    stream: usize,
    at: Nanos,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<&'a WatchRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<&'a WatchResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorOut<'static>>,
}

/// Writes all lines of a stream.
pub(super) fn write(out: &mut impl io::Write, number: usize, stream: &WatchStream) -> io::Result<()> {
    let WatchStream { client, member, opened, sent, received, ended } = stream;
    let opening = json!({"stream": number, "client": client, "member": member, "opened": opened});
    writeln!(out, "{opening}")?;
    let message =
        |at: Nanos| MessageOut { stream: number, at, sent: None, received: None, ended: None, error: None };
    let mut line = |message: MessageOut<'_>| {
        serde_json::to_writer(&mut *out, &message)?;
        writeln!(out)
    };
    let mut requests = sent.iter().peekable();
    for (at, received) in received {
        while let Some((at, sent)) = requests.next_if(|(sent, _)| sent <= at) {
            line(MessageOut { sent: Some(sent), ..message(*at) })?;
        }
        line(MessageOut { received: Some(received), ..message(*at) })?;
    }
    for (at, sent) in requests {
        line(MessageOut { sent: Some(sent), ..message(*at) })?;
    }
    let Some((at, ended)) = ended else { return Ok(()) };
    let (ended, error) = match ended {
        StreamEnd::Closed => (CLOSED, None),
        StreamEnd::Broken => (BROKEN, None),
        StreamEnd::Refused(error) => (REFUSED, Some(ErrorOut::from(*error))),
    };
    line(MessageOut { ended: Some(ended), error, ..message(*at) })
}
