//! Reads Jepsen's `history.txt` and `jepsen.log`.
//!
//! An event is a line `PROCESS TYPE F VALUE`, with tabs in between, and `ERROR` at the end if there is one. In a log,
//! the time, the level, the thread and `jepsen.util` come before it, and all other lines are skipped. An error may
//! continue over several lines.

use super::events::{Event, Kind, Pair, Pairing};
use super::parse::{Form, Node, Parser};
use crate::error::{CUT_LINE, Mistake, Scan};

/// The name of the logger that writes events into `jepsen.log`.
const LOGGER: &str = "jepsen.util";

/// Reads all events of a file of such lines.
pub(super) fn of_lines<'a>(parser: &Parser<'a>) -> Scan<Vec<Pair<'a>>> {
    let mut pairing = Pairing::default();
    let mut at = parser.offset();
    let log = is_log(&parser.text[at..]);
    // Whether the last event has an error, which may continue on the next line.
    let mut error = false;
    for line in parser.text[at..].split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let begins = if log { logged(content) } else { looks_like_event(content).then_some(0) };
        match begins {
            Some(begins) => {
                let mut words = Parser { text: &parser.text[..at + content.len()], at: at + begins };
                error = false;
                let event = event(&mut words, &mut error).map_err(|mistake| {
                    let line_at = parser.text[..at].rfind('\n').map_or(0, |end| end + 1);
                    parser.mistake(line_at + mistake.column - 1, mistake.expected, mistake.hint)
                });
                match event {
                    Ok(Some(event)) => pairing.event(parser, event)?,
                    Ok(None) => pairing.skip(),
                    Err(mistake) => return Err(cut(mistake, line)),
                }
            }
            None if log || error || content.trim().is_empty() => {}
            None => {
                let hint =
                    "a line is PROCESS TYPE F VALUE, with tabs in between, such as `0 :invoke :read nil`";
                return Err(cut(parser.mistake(at, "an event", hint), line));
            }
        }
        at += line.len();
    }
    Ok(pairing.pairs)
}

/// The mistake in a line; if nothing ends the line, the file is probably cut off there.
#[cold]
fn cut(mistake: Box<Mistake>, line: &str) -> Box<Mistake> {
    if line.ends_with('\n') { mistake } else { Box::new(Mistake { hint: CUT_LINE.to_owned(), ..*mistake }) }
}

/// Whether the first line is one of a log.
fn is_log(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    !looks_like_event(first)
}

/// Whether a line begins with a process and a type.
pub(crate) fn looks_like_event(line: &str) -> bool {
    let mut words = line.split(['\t', ' ']).filter(|word| !word.is_empty());
    let process = words.next().unwrap_or_default();
    let kind = words.next().unwrap_or_default();
    let number = process.strip_prefix('-').unwrap_or(process);
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (digits || process == ":nemesis") && (kind.strip_prefix(':').is_some_and(|kind| Kind::of(kind).is_some()))
}

/// Where the event begins in a line of a log, if there is one.
fn logged(line: &str) -> Option<usize> {
    let rest = &line[line.find(LOGGER)? + LOGGER.len()..];
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start();
    let event = rest.strip_prefix("- ").unwrap_or(rest).trim_start();
    looks_like_event(event).then(|| line.len() - event.len())
}

/// The event at the parser's position, up to the end of its text; `None` if it belongs to the nemesis. Sets `error` if
/// the event has an error.
fn event<'a>(parser: &mut Parser<'a>, error: &mut bool) -> Scan<Option<Event<'a>>> {
    let process = parser.form()?;
    let number = match process.form {
        Form::Integer(number) => u32::try_from(number).ok(),
        Form::Keyword("nemesis") => {
            // The values of the nemesis have any form, and may continue on the next line as errors do.
            *error = true;
            return Ok(None);
        }
        _ => None,
    };
    let hint = "processes are numbers from 0, or :nemesis";
    let number = number.ok_or_else(|| parser.mistake(process.at, "a process from 0 to 4294967295", hint))?;
    let kind = parser.form()?;
    let kind = match kind.form {
        Form::Keyword(name) => Kind::of(name),
        _ => None,
    }
    .ok_or_else(|| {
        parser.mistake(kind.at, ":invoke, :ok, :fail or :info", "the type comes after the process")
    })?;
    let f = parser.form()?;
    let Form::Keyword(f) = f.form else {
        return Err(parser.mistake(f.at, "a keyword", "what was called comes after the type, such as :read"));
    };
    let value: Node<'a> = parser.form()?;
    // The rest of the line is the error, as it was printed.
    *error = parser.next_byte().map_or(true, |byte| byte.is_some());
    let error = (*error).then(|| {
        let rest = parser.text[parser.at..].trim();
        let mut ahead = Parser { text: parser.text, at: parser.at };
        ahead.form().unwrap_or(Node { at: parser.at, form: Form::Other(rest) })
    });
    let at = process.at;
    Ok(Some(Event { at, process: number, kind, f, key: None, value, error, index: None }))
}
