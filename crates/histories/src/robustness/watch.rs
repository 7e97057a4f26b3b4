//! Reads `watch.json`, the watches of one client with the responses to them.

use std::io::Read;

use super::fields::{self, Fields, array, error, object, text};
use super::read::value;
use super::{Reader, Value};
use crate::error::{Error, Scan};
use crate::scan::Values;

/// A watch and all responses to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The request.
    pub request: WatchRequest,
    /// The responses, in order.
    pub responses: Vec<WatchResponse>,
}

/// A request for a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRequest {
    /// The key.
    pub key: String,
    /// The first revision to watch, 0 for those after the request.
    pub revision: i64,
    /// Whether to watch all keys that begin with `key`.
    pub with_prefix: bool,
    /// Whether to send progress notifications when there are no events.
    pub with_progress_notify: bool,
    /// Whether events have the previous state of the key.
    pub with_prev_kv: bool,
}

/// A message to a watcher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchResponse {
    /// The changes.
    pub events: Vec<Event>,
    /// Whether it is a progress notification, without events.
    pub is_progress_notify: bool,
    /// The store's revision according to the header, 0 if the report does not say.
    pub revision: i64,
    /// When it arrived, in nanoseconds since the start of the run. 0 if the report does not say.
    pub time: i64,
    /// The error that ended the watch, if any.
    pub error: Option<String>,
}

/// A change of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Whether the key was deleted. Otherwise it was put.
    pub deleted: bool,
    /// The key.
    pub key: String,
    /// Its value after the change.
    pub value: Value,
    /// The revision of the change.
    pub revision: i64,
    /// Whether the key did not exist before; for a deletion, `false`. `None` if the report is too old to say.
    pub is_create: Option<bool>,
    /// The key's state before, if the watch asked for it and the key existed.
    pub previous: Option<Previous>,
}

/// The state of a key before a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// Its value.
    pub value: Value,
    /// The revision of the previous change.
    pub mod_revision: i64,
    /// The number of changes since it was created.
    pub version: i64,
}

/// A part of a watch, which can be long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchPart {
    /// The request. As Go writes it, it comes before the responses.
    Request(WatchRequest),
    /// The next response.
    Response(WatchResponse),
    /// The end of the watch, after its request: what comes next belongs to another watch.
    End,
}

/// Reads the watches of a client. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file. A field with an unknown name is no mistake; a [`Reader`] lists such fields.
pub fn read_watches(file: &str, bytes: &[u8]) -> Result<Vec<Watch>, Error> {
    let (mut watches, mut watch) = (Vec::new(), Watch::default());
    Reader::default().watches(file, bytes, |part| match part {
        WatchPart::Request(request) => watch.request = request,
        WatchPart::Response(response) => watch.responses.push(response),
        WatchPart::End => watches.push(std::mem::take(&mut watch)),
    })?;
    Ok(watches)
}

/// The fields of a watch.
const WATCH: [&str; 2] = ["Request", "Responses"];

impl Reader {
    /// Reads the watches of a client, piece by piece. `file` is its name in errors, and `each` takes the parts of the
    /// watches.
    ///
    /// # Errors
    ///
    /// The first mistake in the file, or that it cannot be read.
    pub fn watches(
        &mut self,
        file: &str,
        from: impl Read,
        mut each: impl FnMut(WatchPart),
    ) -> Result<(), Error> {
        let mut values = Values::new(file, from);
        while !values.are_over()? {
            self.watch(file, &mut values, &mut each)?;
            each(WatchPart::End);
        }
        Ok(())
    }

    /// Reads one watch.
    fn watch(
        &mut self,
        file: &str,
        values: &mut Values<'_, impl Read>,
        each: &mut impl FnMut(WatchPart),
    ) -> Result<(), Error> {
        let unknown = &mut self.unknown;
        let mut seen = [false; WATCH.len()];
        values.object(|values, name| {
            let Some(index) = fields::known(&WATCH, name) else {
                return values.value(|cursor| {
                    unknown.add(file, name, cursor.place(0));
                    cursor.skip_value()
                });
            };
            if std::mem::replace(&mut seen[index], true) {
                return Err(values.expected(&format!("\"{name}\" only once"), "leave one of the two out")?);
            }
            match index {
                0 => {
                    let request = values.value(|cursor| request(&mut Fields { cursor, unknown, file }))?;
                    each(WatchPart::Request(request));
                }
                _ if values.null()? => {}
                _ => values.array(|values| {
                    let response = values.value(|cursor| response(&mut Fields { cursor, unknown, file }))?;
                    each(WatchPart::Response(response));
                    Ok(())
                })?,
            }
            Ok(())
        })?;
        if seen[0] {
            return Ok(());
        }
        let hint = "is this a watch.json of the robustness tests?";
        Err(values.missing("the field \"Request\"", hint))
    }
}

/// Reads a request.
fn request(cursor: &mut Fields<'_, '_>) -> Scan<WatchRequest> {
    let mut request = WatchRequest::default();
    let known = ["Key", "Revision", "WithPrefix", "WithProgressNotify", "WithPrevKV"];
    object(cursor, &known, |cursor, name| {
        match name {
            "Key" => request.key = text(cursor)?,
            "Revision" => request.revision = cursor.integer()?,
            "WithPrefix" => request.with_prefix = cursor.boolean()?,
            "WithProgressNotify" => request.with_progress_notify = cursor.boolean()?,
            _ => request.with_prev_kv = cursor.boolean()?,
        }
        Ok(())
    })?;
    Ok(request)
}

/// Reads a response.
fn response(cursor: &mut Fields<'_, '_>) -> Scan<WatchResponse> {
    let mut response = WatchResponse::default();
    object(cursor, &["Events", "IsProgressNotify", "Revision", "Time", "Error"], |cursor, name| {
        match name {
            "Events" => response.events = array(cursor, event)?,
            "IsProgressNotify" => response.is_progress_notify = cursor.boolean()?,
            "Revision" => response.revision = cursor.integer()?,
            "Time" => response.time = cursor.integer()?,
            _ => response.error = error(cursor)?,
        }
        Ok(())
    })?;
    Ok(response)
}

/// Reads an event.
fn event(cursor: &mut Fields<'_, '_>) -> Scan<Event> {
    let mut event = Event::default();
    let mut kind = None;
    object(cursor, &["Type", "Key", "Value", "Revision", "IsCreate", "PrevValue"], |cursor, name| {
        match name {
            "Type" => kind = Some((cursor.offset(), cursor.plain_string()?)),
            "Key" => event.key = text(cursor)?,
            "Value" => event.value = value(cursor)?,
            "Revision" => event.revision = cursor.integer()?,
            "IsCreate" => event.is_create = Some(cursor.boolean()?),
            _ => event.previous = Some(previous(cursor)?),
        }
        Ok(())
    })?;
    event.deleted = match kind {
        Some((_, "put-operation")) => false,
        Some((_, "delete-operation")) => true,
        other => {
            let at = other.map_or(cursor.offset() - 1, |(at, _)| at);
            return Err(cursor.mistake(at, "the type of an event", "put-operation or delete-operation"));
        }
    };
    Ok(event)
}

/// Reads the state of a key before a change.
fn previous(cursor: &mut Fields<'_, '_>) -> Scan<Previous> {
    let mut previous = Previous::default();
    object(cursor, &["Value", "ModRevision", "Version"], |cursor, name| {
        match name {
            "Value" => previous.value = value(cursor)?,
            "ModRevision" => previous.mod_revision = cursor.integer()?,
            _ => previous.version = cursor.integer()?,
        }
        Ok(())
    })?;
    Ok(previous)
}
