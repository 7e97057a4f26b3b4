//! Reads `watch.json`.

use super::Value;
use super::read::{array, error, object, text, value};
use crate::error::{Error, Scan};
use crate::scan::{Cursor, each_line_of};

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
    /// Whether events show what the key held before.
    pub with_prev_kv: bool,
}

/// A message to a watcher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchResponse {
    /// The changes.
    pub events: Vec<Event>,
    /// Whether it is a progress notification, without events.
    pub is_progress_notify: bool,
    /// The store's revision according to the header.
    pub revision: i64,
    /// When it arrived, in nanoseconds since the start of the run.
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
    /// What it holds now.
    pub value: Value,
    /// The revision of the change.
    pub revision: i64,
    /// Whether the key did not exist before.
    pub is_create: bool,
    /// What it held before, if the watch asked for it and the key existed.
    pub previous: Option<Previous>,
}

/// What a key held before a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// What it held.
    pub value: Value,
    /// The revision of the previous change.
    pub mod_revision: i64,
    /// The number of changes since it was created.
    pub version: i64,
}

/// Reads the watches of a client. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read_watches(file: &str, bytes: &[u8]) -> Result<Vec<Watch>, Error> {
    let mut watches = Vec::new();
    each_line_of(file, bytes, |cursor| {
        watches.push(watch(cursor)?);
        Ok(())
    })?;
    Ok(watches)
}

fn watch(cursor: &mut Cursor<'_>) -> Scan<Watch> {
    let mut watch = Watch::default();
    let mut requested = false;
    object(cursor, &["Request", "Responses"], |cursor, name| {
        match name {
            "Request" => {
                requested = true;
                watch.request = request(cursor)?;
            }
            _ => watch.responses = array(cursor, response)?,
        }
        Ok(())
    })?;
    if !requested {
        let hint = "is this a watch.json of the robustness tests?";
        return Err(cursor.mistake(cursor.offset() - 1, "the field \"Request\"", hint));
    }
    Ok(watch)
}

fn request(cursor: &mut Cursor<'_>) -> Scan<WatchRequest> {
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

fn response(cursor: &mut Cursor<'_>) -> Scan<WatchResponse> {
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

fn event(cursor: &mut Cursor<'_>) -> Scan<Event> {
    let mut event = Event::default();
    let mut kind = None;
    object(cursor, &["Type", "Key", "Value", "Revision", "IsCreate", "PrevValue"], |cursor, name| {
        match name {
            "Type" => kind = Some((cursor.offset(), cursor.plain_string()?)),
            "Key" => event.key = text(cursor)?,
            "Value" => event.value = value(cursor)?,
            "Revision" => event.revision = cursor.integer()?,
            "IsCreate" => event.is_create = cursor.boolean()?,
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

fn previous(cursor: &mut Cursor<'_>) -> Scan<Previous> {
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
