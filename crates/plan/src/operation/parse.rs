//! Parses the lines that `super` defines: the time of an act, and requests. `acts` parses the other acts.

use api::Request;
use api::etcdserverpb::compare::{CompareTarget, TargetUnion};
use api::etcdserverpb::range_request::SortOrder;
use api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest, RangeRequest, RequestOp,
    TxnRequest, request_op,
};
use bytes::Bytes;

use super::{COMPARES, DEEPEST, LARGEST_VALUE, RESULTS, SORTS, VERBS, is_bare};
use crate::{LAST, PlannedOperation, SEEN};
use schedule::mistakes::suggest;
use schedule::units::Unit;
use schedule::words::{BadWords, bad};

/// Reads an operation.
pub(crate) fn parse(text: &str) -> Result<PlannedOperation, BadWords> {
    let mut cursor = Cursor { rest: text, depth: 0 };
    let time = cursor.word();
    let at = Unit::Time.parse(time).ok().and_then(|at| u64::try_from(at).ok()).ok_or_else(|| {
        bad(format!("an operation begins with its time, not {time:?}"), "write it as in `1.25s put k3 v`")
    })?;
    let act = cursor.act()?;
    cursor.end()?;
    Ok(PlannedOperation { at, act })
}

/// Reads a request without a time.
pub(super) fn request(text: &str) -> Result<Request, BadWords> {
    let mut cursor = Cursor { rest: text, depth: 0 };
    let request = cursor.request()?;
    cursor.end()?;
    Ok(request)
}

/// The rest of a line.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
    /// How many transactions begin before the rest and end in it.
    depth: u32,
}

impl<'a> Cursor<'a> {
    /// Skips white space.
    pub(super) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// The next word: up to white space, a comma or a bracket. Empty at the end.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip_space();
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Takes `sign` if it comes next.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes `sign`, which must come next.
    pub(super) fn demand(&mut self, sign: &str, help: &str) -> Result<(), BadWords> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(bad(format!("`{sign}` is missing before {:?}", self.rest), help))
        }
    }

    /// Reports anything that is left of the line.
    fn end(&mut self) -> Result<(), BadWords> {
        self.skip_space();
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(bad(
            format!("{:?} does not belong to the operation", self.rest),
            "options follow the key or the value",
        ))
    }

    /// Whether options may follow: not at the end of the line or of a branch.
    pub(super) fn more(&mut self) -> bool {
        self.skip_space();
        !self.rest.is_empty() && !self.rest.starts_with([',', ']'])
    }

    /// Reads a request, from its first word on.
    pub(super) fn request(&mut self) -> Result<Request, BadWords> {
        let verb = self.word();
        match verb {
            "put" => self.put().map(Request::Put),
            "get" => self.range().map(Request::Range),
            "delete" => self.delete().map(Request::DeleteRange),
            "compact" => self.compact().map(Request::Compact),
            "txn" => self.txn().map(Request::Txn),
            "grant" => self.grant().map(Request::LeaseGrant),
            "revoke" => Ok(LeaseRevokeRequest { id: self.lease()? }.into()),
            "keep-alive" => Ok(LeaseKeepAliveRequest { id: self.lease()? }.into()),
            "time-to-live" => self.time_to_live().map(Request::LeaseTimeToLive),
            "leases" => Ok(LeaseLeasesRequest {}.into()),
            "call" => self.call(),
            "" => Err(bad("the operation is missing", "write it as in `1.25s put k3 v`")),
            other => Err(bad(
                format!("{other:?} is not an operation"),
                suggest(other, VERBS.iter().chain(super::acts::VERBS).copied()),
            )),
        }
    }

    /// The id of a lease, or `seen`.
    fn lease(&mut self) -> Result<i64, BadWords> {
        lease(self.word())
    }

    // Each of these functions reads what follows the first word of its request.

    fn grant(&mut self) -> Result<LeaseGrantRequest, BadWords> {
        let mut grant = LeaseGrantRequest { id: integer(self.word())?, ttl: 0 };
        while self.more() {
            let (_, number) = self.option(&["ttl="])?;
            grant.ttl = integer(number)?;
        }
        Ok(grant)
    }

    fn time_to_live(&mut self) -> Result<LeaseTimeToLiveRequest, BadWords> {
        let mut request = LeaseTimeToLiveRequest { id: self.lease()?, keys: false };
        while self.more() {
            self.option(&["keys"])?;
            request.keys = true;
        }
        Ok(request)
    }

    /// Reads what follows `call`: the name of an RPC and its request as JSON.
    pub(super) fn call(&mut self) -> Result<Request, BadWords> {
        let rpc = self.word();
        let value = self.json(rpc)?;
        Request::from_json(rpc, &value).map_err(|error| {
            let suggestion = suggest(rpc, Request::RPC_NAMES.iter().copied());
            let is_known = Request::RPC_NAMES.contains(&rpc);
            bad(
                error.to_string(),
                if is_known { "the form is that of etcd's JSON gateway".into() } else { suggestion },
            )
        })
    }

    /// Reads the rest of the line, which follows the name of an RPC, as JSON.
    pub(super) fn json(&mut self, rpc: &str) -> Result<serde_json::Value, BadWords> {
        let json = std::mem::take(&mut self.rest);
        serde_json::from_str(json).map_err(|error| {
            bad(format!("what follows `{rpc}` is not JSON: {error}"), "write `call Range {\"key\":\"azE=\"}`")
        })
    }

    fn put(&mut self) -> Result<PutRequest, BadWords> {
        let mut put = PutRequest { key: self.piece()?, ..PutRequest::default() };
        put.value = self.value()?;
        while self.more() {
            match self.option(&["prev", "ignore-value", "ignore-lease", "lease="])? {
                ("prev", _) => put.prev_kv = true,
                ("ignore-value", _) => put.ignore_value = true,
                ("ignore-lease", _) => put.ignore_lease = true,
                (_, number) => put.lease = lease(number)?,
            }
        }
        Ok(put)
    }

    fn delete(&mut self) -> Result<DeleteRangeRequest, BadWords> {
        let (key, range_end) = self.keys()?;
        let mut delete = DeleteRangeRequest { key, range_end, prev_kv: false };
        while self.more() {
            self.option(&["prev"])?;
            delete.prev_kv = true;
        }
        Ok(delete)
    }

    fn compact(&mut self) -> Result<CompactionRequest, BadWords> {
        let mut compact = CompactionRequest { revision: lease(self.word())?, physical: false };
        while self.more() {
            self.option(&["physical"])?;
            compact.physical = true;
        }
        Ok(compact)
    }

    pub(super) fn range(&mut self) -> Result<RangeRequest, BadWords> {
        const OPTIONS: &[&str] = &[
            "serializable",
            "keys-only",
            "count-only",
            "limit=",
            "min-mod=",
            "max-mod=",
            "min-create=",
            "max-create=",
            "by=",
            "ascend=",
            "descend=",
        ];
        let (key, range_end) = self.keys()?;
        let mut range = RangeRequest { key, range_end, ..RangeRequest::default() };
        while self.more() {
            if self.take("@") {
                range.revision = lease(self.word())?;
                continue;
            }
            match self.option(OPTIONS)? {
                ("serializable", _) => range.serializable = true,
                ("keys-only", _) => range.keys_only = true,
                ("count-only", _) => range.count_only = true,
                ("limit=", number) => range.limit = integer(number)?,
                ("min-mod=", number) => range.min_mod_revision = integer(number)?,
                ("max-mod=", number) => range.max_mod_revision = integer(number)?,
                ("min-create=", number) => range.min_create_revision = integer(number)?,
                ("max-create=", number) => range.max_create_revision = integer(number)?,
                (order, target) => {
                    range.sort_target = named(target, SORTS)? as i32;
                    let orders = [
                        ("by=", SortOrder::None),
                        ("ascend=", SortOrder::Ascend),
                        ("descend=", SortOrder::Descend),
                    ];
                    range.sort_order = named(order, &orders)? as i32;
                }
            }
        }
        Ok(range)
    }

    fn txn(&mut self) -> Result<TxnRequest, BadWords> {
        const FORM: &str = "a txn is `txn if [mod k3 = seen] then [put k3 v] else [get k3]`";
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(bad(format!("txns are nested more than {DEEPEST} deep"), FORM));
        }
        let mut txn = TxnRequest::default();
        self.demand("if", FORM)?;
        self.list(FORM, |cursor| cursor.compare().map(|compare| txn.compare.push(compare)))?;
        self.demand("then", FORM)?;
        self.list(FORM, |cursor| cursor.op().map(|op| txn.success.push(op)))?;
        self.demand("else", FORM)?;
        self.list(FORM, |cursor| cursor.op().map(|op| txn.failure.push(op)))?;
        self.depth -= 1;
        Ok(txn)
    }

    /// Reads `[item, item]`.
    pub(super) fn list(
        &mut self,
        form: &str,
        mut item: impl FnMut(&mut Self) -> Result<(), BadWords>,
    ) -> Result<(), BadWords> {
        self.demand("[", form)?;
        if self.take("]") {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.take("]") {
                return Ok(());
            }
            self.demand(",", form)?;
        }
    }

    fn op(&mut self) -> Result<RequestOp, BadWords> {
        let request = match self.request()? {
            Request::Range(range) => request_op::Request::RequestRange(range),
            Request::Put(put) => request_op::Request::RequestPut(put),
            Request::DeleteRange(delete) => request_op::Request::RequestDeleteRange(delete),
            Request::Txn(txn) => request_op::Request::RequestTxn(txn),
            other => {
                return Err(bad(
                    format!("a txn cannot hold a {}", other.rpc_name()),
                    "it holds put, get, delete and txn",
                ));
            }
        };
        Ok(RequestOp { request: Some(request) })
    }

    fn compare(&mut self) -> Result<Compare, BadWords> {
        let target = named(self.word(), COMPARES)?;
        let (key, range_end) = self.keys()?;
        self.skip_space();
        let Some((sign, result)) = RESULTS.iter().find(|known| self.rest.starts_with(known.0)) else {
            return Err(bad(
                format!("{:?} does not begin with a comparison", self.rest),
                "one of `=`, `!=`, `<`, `>`",
            ));
        };
        self.take(sign);
        let target_union = Some(match target {
            CompareTarget::Value => TargetUnion::Value(self.value()?),
            CompareTarget::Mod if self.take("seen") => TargetUnion::ModRevision(SEEN),
            CompareTarget::Mod => TargetUnion::ModRevision(integer(self.word())?),
            CompareTarget::Create => TargetUnion::CreateRevision(integer(self.word())?),
            CompareTarget::Version => TargetUnion::Version(integer(self.word())?),
            CompareTarget::Lease => TargetUnion::Lease(integer(self.word())?),
        });
        Ok(Compare { result: *result as i32, target: target as i32, key, range_end, target_union })
    }

    /// One of `names`, and the text after it if it ends in `=`.
    fn option(&mut self, names: &[&'static str]) -> Result<(&'static str, &'a str), BadWords> {
        let word = self.word();
        let (name, value) = match word.find('=') {
            Some(at) => word.split_at(at + 1),
            None => (word, ""),
        };
        match names.iter().find(|known| **known == name) {
            Some(known) => Ok((known, value)),
            None => Err(bad(format!("{word:?} is not an option here"), suggest(name, names.iter().copied()))),
        }
    }

    /// Reads a key or a range of keys.
    pub(super) fn keys(&mut self) -> Result<(Bytes, Bytes), BadWords> {
        self.skip_space();
        if self.rest.starts_with('*') {
            self.take("*");
            return Ok((api::key_range::FROM_KEY, api::key_range::FROM_KEY));
        }
        let key = self.piece()?;
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let end = api::key_range::prefix_end(&key);
            return Ok((key, end));
        }
        let Some(rest) = self.rest.strip_prefix("..") else { return Ok((key, Bytes::new())) };
        self.rest = rest;
        let has_end = self.rest.bytes().next().is_some_and(|byte| byte == b'"' || is_bare(byte));
        let end = if has_end { self.piece()? } else { api::key_range::FROM_KEY };
        Ok((key, end))
    }

    /// Reads a value. `abc*9` is `abc` with dots after it, nine bytes in all.
    pub(super) fn value(&mut self) -> Result<Bytes, BadWords> {
        let stem = self.piece()?;
        let Some(rest) = self.rest.strip_prefix('*') else { return Ok(stem) };
        self.rest = rest;
        let number = self.word();
        match number.parse::<usize>() {
            Ok(length) if length >= stem.len() && length <= LARGEST_VALUE => {
                let mut filled = stem.to_vec();
                filled.resize(length, b'.');
                Ok(filled.into())
            }
            _ => {
                let help = format!(
                    "after `*` comes the length in bytes, at least that of the text and at most {LARGEST_VALUE}"
                );
                Err(bad(format!("{number:?} is not the length of such a value"), help))
            }
        }
    }

    /// A key or a text.
    pub(super) fn piece(&mut self) -> Result<Bytes, BadWords> {
        self.skip_space();
        if let Some(rest) = self.rest.strip_prefix('"') {
            self.rest = rest;
            return self.quoted();
        }
        let end = self.rest.bytes().position(|byte| !is_bare(byte)).unwrap_or(self.rest.len());
        if end == 0 {
            let help = "write letters, digits, `_`, `-`, `/` and `:`, or put it in double quotes";
            let place =
                if self.rest.is_empty() { "at the end".into() } else { format!("before {:?}", self.rest) };
            return Err(bad(format!("a key or a value is missing {place}"), help));
        }
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Bytes::copy_from_slice(piece.as_bytes()))
    }

    /// The rest of a quoted text.
    fn quoted(&mut self) -> Result<Bytes, BadWords> {
        let mut bytes = Vec::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(bytes.into());
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => bytes.push(c as u8),
                    Some((_, 'x')) => {
                        let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                        let byte = u8::from_str_radix(&digits, 16);
                        bytes.push(byte.map_err(|_| {
                            bad(
                                format!("\\x{digits} is not a byte"),
                                "write two hexadecimal digits, as in \\x0a",
                            )
                        })?);
                    }
                    _ => {
                        return Err(bad(
                            "a backslash comes before an invalid character",
                            "write \\\", \\\\ or \\x0a",
                        ));
                    }
                },
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(bad("a quoted text does not end", "close it with a double quote"))
    }
}

/// Reads the id of a lease, or a revision: a number, or `seen` for [`LAST`]. (In a compare, `seen` is
/// [`SEEN`].)
pub(super) fn lease(text: &str) -> Result<i64, BadWords> {
    if text == "seen" { Ok(LAST) } else { integer(text) }
}

/// Reads a number with a sign.
pub(super) fn integer(text: &str) -> Result<i64, BadWords> {
    text.parse().map_err(|_| bad(format!("{text:?} is not a number"), "write a whole number"))
}

/// The value of a word in this list.
fn named<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, BadWords> {
    let found = names.iter().find(|known| known.0 == text);
    found.map(|known| known.1).ok_or_else(|| {
        bad(format!("{text:?} is not known here"), suggest(text, names.iter().map(|known| known.0)))
    })
}
