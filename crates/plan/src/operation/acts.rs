//! Parses and prints the acts that are not single requests, such as `watch` and `lock`. The head of [`super`] has the
//! grammar.

use api::Request;
use api::etcdserverpb::RangeRequest;
use bytes::Bytes;

use super::parse::{Cursor, integer, lease};
use super::print::{print_keys, print_lease, print_piece, print_request, print_stream, print_value};
use crate::act::{Add, Follow, Keys, Micro, Session, Start, Verb, Watch, Which, Write};
use crate::{Act, LAST};
use schedule::mistakes::suggest;
use schedule::units::Unit;
use schedule::words::{BadWords, bad};

/// The name of the call that answers a range in chunks.
pub(super) const RANGE_STREAM: &str = "RangeStream";

/// The first words of acts that are not single requests.
pub(super) const VERBS: &[&str] = &[
    "watch",
    "follow",
    "cancel",
    "progress",
    "close",
    "list",
    "stream",
    "view",
    "create",
    "update",
    "remove",
    "add",
    "append",
    "lock",
    "unlock",
    "campaign",
    "proclaim",
    "resign",
    "fenced",
    "renew",
    "compactor",
    "rest",
    "literal",
    "forged",
];

impl Cursor<'_> {
    /// Reads an act: the rest of the line after the time.
    pub(super) fn act(&mut self) -> Result<Act, BadWords> {
        let before = self.rest;
        Ok(match self.word() {
            "watch" => Act::Watch(self.watch()?),
            "follow" => Act::Follow(self.follow()?),
            "cancel" => Act::Cancel { watcher: self.number()? },
            "progress" => Act::Progress { stream: self.number()? },
            "close" => Act::Close { stream: self.number()? },
            "list" => {
                let keys = self.part()?;
                let (mut page, mut streamed) = (0, false);
                while let Some(option) = self.flag(&["page=", "streamed"])? {
                    match option {
                        "page=" => page = self.number()?,
                        _ => streamed = true,
                    }
                }
                Act::List { keys, page, streamed }
            }
            "stream" => Act::Stream { range: self.range()?, literal: false },
            "view" => Act::View { keys: self.part()? },
            "create" => Act::Write(self.write(Verb::Create)?),
            "update" => Act::Write(self.write(Verb::Update)?),
            "remove" => Act::Write(self.write(Verb::Remove)?),
            "add" => Act::Add(self.add()?),
            "append" => Act::Append(self.append()?),
            "lock" => {
                let name = self.piece()?;
                Act::Lock(self.session(name)?)
            }
            "unlock" => Act::Unlock { name: self.piece()? },
            "campaign" => {
                let (name, value) = (self.piece()?, self.value()?);
                Act::Campaign(self.session(name)?, value)
            }
            "proclaim" => Act::Proclaim { name: self.piece()?, value: self.value()? },
            "resign" => Act::Resign { name: self.piece()? },
            "fenced" => Act::Fenced { name: self.piece()?, key: self.piece()?, value: self.value()? },
            "renew" => Act::Renew,
            "compactor" => Act::Compactor { key: self.piece()? },
            "rest" => Act::Rest(self.duration()?),
            "literal" => match self.streamed_call()? {
                Some(range) => Act::Stream { range, literal: true },
                None => Act::Literal(self.call()?),
            },
            "forged" => Act::Forged { index: self.number()?, request: self.request()? },
            "call" => match self.streamed_call()? {
                Some(range) => Act::Stream { range, literal: false },
                None => Act::Request(self.call()?),
            },
            _ => {
                self.rest = before;
                Act::Request(self.request()?)
            }
        })
    }

    /// The range that is requested by `RangeStream`, if that is the call that comes next. It is no [`Request`] because
    /// it is answered in chunks.
    ///
    /// [`Request`]: api::Request
    fn streamed_call(&mut self) -> Result<Option<RangeRequest>, BadWords> {
        if !self.take(RANGE_STREAM) {
            return Ok(None);
        }
        match Request::from_json("Range", &self.json(RANGE_STREAM)?) {
            Ok(Request::Range(range)) => Ok(Some(range)),
            Ok(_) => unreachable!("a range was read"),
            Err(error) => Err(bad(error.to_string(), "the form is that of etcd's JSON gateway")),
        }
    }

    /// The next option, one of `names`; those that end in `=` are followed by a value. `None` at the end.
    fn flag(&mut self, names: &[&'static str]) -> Result<Option<&'static str>, BadWords> {
        if !self.more() {
            return Ok(None);
        }
        let before = self.rest;
        for name in names {
            if self.take(name) {
                if name.ends_with('=')
                    || !self.rest.starts_with(|c: char| c.is_ascii_graphic() && c != ',' && c != ']')
                {
                    return Ok(Some(name));
                }
                self.rest = before;
            }
        }
        let word = self.word();
        Err(bad(format!("{word:?} is not an option here"), suggest(word, names.iter().copied())))
    }

    /// Reads a number.
    fn number<T: TryFrom<u64>>(&mut self) -> Result<T, BadWords> {
        let word = self.word();
        let number = word.parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| bad(format!("{word:?} is not a whole number"), "write a whole number from 0 on"))
    }

    /// Reads a duration.
    fn duration(&mut self) -> Result<u64, BadWords> {
        let word = self.word();
        let time = Unit::Time.parse(word).map_err(|amount| bad(amount.message, amount.help))?;
        u64::try_from(time)
            .map_err(|_| bad(format!("{word:?} is not a duration"), "write a duration such as `500ms`"))
    }

    /// Reads the keys of a copy or a watch: one key, a range or a prefix.
    fn part(&mut self) -> Result<Keys, BadWords> {
        let (key, end) = self.keys()?;
        Ok(Keys { key, end })
    }

    /// The object that a write changes.
    fn which(&mut self) -> Result<Which, BadWords> {
        let keys = self.part()?;
        if self.rest.starts_with('#') {
            self.take("#");
            return Ok(Which::Nth { keys, pick: self.number()? });
        }
        if keys.end.is_empty() {
            return Ok(Which::Key(keys.key));
        }
        Err(bad(
            "it is not clear which of these keys is meant",
            "write `/registry/pods/*#3` for object 3 of their copy, counted from 0",
        ))
    }

    /// Reads what follows `watch`.
    fn watch(&mut self) -> Result<Watch, BadWords> {
        const OPTIONS: &[&str] = &[
            "from=",
            "prev",
            "progress",
            "no-put",
            "no-delete",
            "fragment",
            "id=",
            "as=",
            "stream=",
            "skip",
        ];
        let mut watch = Watch { keys: self.part()?, ..Watch::default() };
        while let Some(option) = self.flag(OPTIONS)? {
            match option {
                "from=" => watch.from = self.start()?,
                "prev" => watch.prev_kv = true,
                "progress" => watch.progress = true,
                "no-put" => watch.no_put = true,
                "no-delete" => watch.no_delete = true,
                "fragment" => watch.fragment = true,
                "id=" => watch.id = integer(self.word())?,
                "as=" => watch.name = self.number()?,
                "stream=" => watch.stream = self.number()?,
                _ => watch.skip = true,
            }
        }
        Ok(watch)
    }

    /// Where a watcher starts.
    fn start(&mut self) -> Result<Start, BadWords> {
        let word = self.word();
        Ok(match (word, word.strip_prefix("seen")) {
            ("now", _) => Start::Now,
            ("last", _) => Start::Last,
            (_, Some(offset)) if offset.starts_with(['+', '-']) => Start::Seen(integer(offset)?),
            _ => Start::At(word.parse().map_err(|_| {
                bad(
                    format!("{word:?} is not a revision to start from"),
                    "write `now`, a revision, `seen+1`, `seen-5` or `last`",
                )
            })?),
        })
    }

    /// Reads what follows `follow`.
    fn follow(&mut self) -> Result<Follow, BadWords> {
        let mut follow = Follow { keys: self.part()?, page: 0, streamed: false, name: 0, stream: 0 };
        while let Some(option) = self.flag(&["page=", "streamed", "as=", "stream="])? {
            match option {
                "page=" => follow.page = self.number()?,
                "streamed" => follow.streamed = true,
                "as=" => follow.name = self.number()?,
                _ => follow.stream = self.number()?,
            }
        }
        Ok(follow)
    }

    /// Reads what follows `create`, `update` or `remove`.
    fn write(&mut self, verb: Verb) -> Result<Write, BadWords> {
        let (which, value) = (self.which()?, self.value()?);
        let mut write = Write { verb, which, value, lease: 0, new: Bytes::new(), about: 0, tries: 1 };
        while let Some(option) = self.flag(&["new=", "about=", "lease=", "tries="])? {
            match option {
                "new=" => write.new = self.piece()?,
                "about=" => write.about = self.number()?,
                "lease=" => write.lease = lease(self.word())?,
                _ => write.tries = self.number()?,
            }
        }
        Ok(write)
    }

    /// Reads what follows `add`.
    fn add(&mut self) -> Result<Add, BadWords> {
        let (key, value) = (self.piece()?, self.value()?);
        let mut add = Add { key, value, lock: None, hold: 0, fenced: false, outside: false };
        let mut session = Session { name: Bytes::new(), lease: 0, ttl: 0 };
        while let Some(option) = self.flag(&["lock=", "lease=", "ttl=", "hold=", "fenced", "outside"])? {
            match option {
                "lock=" => {
                    session.name = self.piece()?;
                    add.lock = Some(session.clone());
                }
                "lease=" => session.lease = integer(self.word())?,
                "ttl=" => session.ttl = integer(self.word())?,
                "hold=" => add.hold = self.duration()?,
                "fenced" => add.fenced = true,
                _ => add.outside = true,
            }
        }
        if add.lock.is_some() {
            add.lock = Some(session);
        }
        Ok(add)
    }

    /// Reads what follows `append`.
    fn append(&mut self) -> Result<Vec<Micro>, BadWords> {
        const FORM: &str = "an append is `append [k1 += c0o5, get k2]`";
        let mut all = Vec::new();
        self.list(FORM, |cursor| {
            let first = cursor.piece()?;
            all.push(if first == "get" && !cursor.take("+=") {
                Micro::Get(cursor.piece()?)
            } else {
                if first != "get" {
                    cursor.demand("+=", FORM)?;
                }
                Micro::Append(first, cursor.value()?)
            });
            Ok(())
        })?;
        Ok(all)
    }

    /// The lease of a lock or election.
    fn session(&mut self, name: Bytes) -> Result<Session, BadWords> {
        let mut session = Session { name, lease: 0, ttl: 0 };
        while let Some(option) = self.flag(&["lease=", "ttl="])? {
            match option {
                "lease=" => session.lease = integer(self.word())?,
                _ => session.ttl = integer(self.word())?,
            }
        }
        Ok(session)
    }
}

/// Writes an act so that reading it gives the same act.
pub(super) fn print(act: &Act) -> String {
    match act {
        Act::Request(request) => print_request(request),
        Act::Literal(request) => format!("literal {} {}", request.rpc_name(), request.to_json()),
        Act::Forged { index, request } => format!("forged {index} {}", print_request(request)),
        Act::Watch(watch) => print_watch(watch),
        Act::Follow(follow) => {
            format!("follow {}", keys(&follow.keys))
                + &number("page", follow.page.into())
                + &word("streamed", follow.streamed)
                + &number("as", follow.name.into())
                + &number("stream", follow.stream.into())
        }
        Act::Cancel { watcher } => format!("cancel {watcher}"),
        Act::Progress { stream } => format!("progress {stream}"),
        Act::Close { stream } => format!("close {stream}"),
        Act::List { keys: part, page, streamed } => {
            format!("list {}", keys(part)) + &number("page", (*page).into()) + &word("streamed", *streamed)
        }
        Act::Stream { range, literal: false } => print_stream(range),
        Act::Stream { range, literal: true } => {
            format!("literal {RANGE_STREAM} {}", Request::from(range.clone()).to_json())
        }
        Act::View { keys: part } => format!("view {}", keys(part)),
        Act::Write(write) => print_write(write),
        Act::Add(add) => print_add(add),
        Act::Append(all) => {
            let micro = |one: &Micro| match one {
                Micro::Get(key) => format!("get {}", print_piece(key)),
                Micro::Append(key, value) => format!("{} += {}", print_piece(key), print_value(value)),
            };
            format!("append [{}]", all.iter().map(micro).collect::<Vec<_>>().join(", "))
        }
        Act::Lock(of) => format!("lock {}{}", print_piece(&of.name), session(of)),
        Act::Unlock { name } => format!("unlock {}", print_piece(name)),
        Act::Campaign(of, value) => {
            format!("campaign {} {}{}", print_piece(&of.name), print_value(value), session(of))
        }
        Act::Proclaim { name, value } => format!("proclaim {} {}", print_piece(name), print_value(value)),
        Act::Resign { name } => format!("resign {}", print_piece(name)),
        Act::Fenced { name, key, value } => {
            format!("fenced {} {} {}", print_piece(name), print_piece(key), print_value(value))
        }
        Act::Renew => "renew".into(),
        Act::Compactor { key } => format!("compactor {}", print_piece(key)),
        Act::Rest(time) => format!("rest {}", Unit::Time.print((*time).into())),
    }
}

/// Keys as they are written.
fn keys(keys: &Keys) -> String {
    print_keys(&keys.key, &keys.end)
}

/// An option that is left out if it is 0.
fn number(name: &str, number: i128) -> String {
    if number == 0 { String::new() } else { format!(" {name}={number}") }
}

/// An option without a value; nothing if it is off.
fn word(word: &str, on: bool) -> String {
    if on { format!(" {word}") } else { String::new() }
}

/// The lease of a session as it is written.
fn session(session: &Session) -> String {
    format!(" lease={} ttl={}", session.lease, session.ttl)
}

/// What follows `watch`.
fn print_watch(watch: &Watch) -> String {
    let from = match watch.from {
        Start::Now => String::new(),
        Start::At(revision) => format!(" from={revision}"),
        Start::Seen(offset) => format!(" from=seen{offset:+}"),
        Start::Last => " from=last".into(),
    };
    format!("watch {}{from}", keys(&watch.keys))
        + &word("prev", watch.prev_kv)
        + &word("progress", watch.progress)
        + &word("no-put", watch.no_put)
        + &word("no-delete", watch.no_delete)
        + &word("fragment", watch.fragment)
        + &number("id", watch.id.into())
        + &number("as", watch.name.into())
        + &number("stream", watch.stream.into())
        + &word("skip", watch.skip)
}

/// `create`, `update` or `remove`, and what follows it.
fn print_write(write: &Write) -> String {
    let verb = match write.verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Remove => "remove",
    };
    let which = match &write.which {
        Which::Key(key) => print_piece(key),
        Which::Nth { keys: part, pick } => format!("{}#{pick}", keys(part)),
    };
    let mut text = format!("{verb} {which} {}", print_value(&write.value));
    if !write.new.is_empty() {
        text += &format!(" new={}", print_piece(&write.new));
    }
    text += &number("about", write.about.into());
    if write.lease == LAST {
        text += &format!(" lease={}", print_lease(LAST));
    } else {
        text += &number("lease", write.lease.into());
    }
    if write.tries != 1 {
        text += &format!(" tries={}", write.tries);
    }
    text
}

/// What follows `add`.
fn print_add(add: &Add) -> String {
    let lock = add.lock.as_ref().map_or(String::new(), |of| {
        format!(" lock={}", print_piece(&of.name))
            + &number("lease", of.lease.into())
            + &number("ttl", of.ttl.into())
    });
    let hold =
        if add.hold == 0 { String::new() } else { format!(" hold={}", Unit::Time.print(add.hold.into())) };
    format!("add {} {}{lock}{hold}", print_piece(&add.key), print_value(&add.value))
        + &word("fenced", add.fenced)
        + &word("outside", add.outside)
}
