//! Transactions, read from the standard input: comparisons, a blank line, what to do if all of them hold, a blank line,
//! what to do otherwise.

use std::io::BufRead as _;

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{Compare, RequestOp, TxnRequest};
use bytes::Bytes;

use crate::args::{self, Global, Txn};
use crate::session::ask;
use crate::{Failure, Outcome, keys, show};

/// The exit code for a transaction that cannot be read (`error.go`, `ExitInvalidInput`).
const INVALID_INPUT: u8 = 3;

/// Runs a transaction.
pub async fn txn(global: &Global, args: Txn) -> Outcome {
    let mut lines = std::io::stdin().lock().lines();
    let mut part = |title: &str| -> Result<Vec<String>, Failure> {
        if args.interactive {
            println!("{title}");
        }
        let mut part = Vec::new();
        for line in lines.by_ref() {
            let line = line?;
            if line.trim().is_empty() {
                break;
            }
            part.push(line);
        }
        Ok(part)
    };
    let compare = part("compares:")?.iter().map(|line| comparison(line)).collect::<Result<_, _>>()?;
    let success = part("success requests (get, put, del):")?;
    let success = success.iter().map(|line| operation(line)).collect::<Result<_, _>>()?;
    let failure = part("failure requests (get, put, del):")?;
    let failure = failure.iter().map(|line| operation(line)).collect::<Result<_, _>>()?;
    let answer = ask(global, TxnRequest { compare, success, failure }.into()).await?;
    show::answer(&answer, false, global);
    Ok(())
}

fn invalid(text: String) -> Failure {
    Failure { code: INVALID_INPUT, text }
}

/// The words of a line. A word in double quotes may have spaces and the escapes of Go.
fn words(line: &str) -> Result<Vec<String>, Failure> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while !rest.is_empty() {
        let (word, after) = match rest.starts_with('"') {
            true => quoted(rest).ok_or_else(|| invalid(format!("a quote is not closed: {line}")))?,
            false => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_string(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// A text in double quotes, and what comes after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut ends = text[1..].char_indices().scan(false, |escaped, (at, letter)| {
        let ends = letter == '"' && !*escaped;
        *escaped = letter == '\\' && !*escaped;
        Some((at, ends))
    });
    let end = ends.find(|(_, ends)| *ends)?.0 + 1;
    // The Go escapes that people use are the same in JSON.
    let word = serde_json::from_str(&text[..=end]).ok()?;
    Some((word, &text[end + 1..]))
}

/// Reads a comparison such as `mod("key") > "0"`.
fn comparison(line: &str) -> Result<Compare, Failure> {
    let line = line.trim();
    let malformed = || invalid(format!("malformed comparison: {line}"));
    let (target, rest) = line.split_once('(').ok_or_else(malformed)?;
    let (key, rest) = match rest.trim_start().starts_with('"') {
        true => quoted(rest.trim_start()).ok_or_else(malformed)?,
        false => {
            let (key, rest) = rest.split_once(')').ok_or_else(malformed)?;
            (key.trim().to_string(), &line[line.len() - rest.len() - 1..])
        }
    };
    let rest = rest.trim_start().strip_prefix(')').ok_or_else(malformed)?.trim_start();
    let (result, rest) = [
        ("!=", CompareResult::NotEqual),
        ("=", CompareResult::Equal),
        (">", CompareResult::Greater),
        ("<", CompareResult::Less),
    ]
    .into_iter()
    .find_map(|(sign, result)| rest.strip_prefix(sign).map(|rest| (result, rest)))
    .ok_or_else(malformed)?;
    let value = words(rest)?.into_iter().next().ok_or_else(malformed)?;
    let number = || value.parse::<i64>().map_err(|_| malformed());
    let (target, union) = match target.trim() {
        "ver" | "version" => (CompareTarget::Version, TargetUnion::Version(number()?)),
        "c" | "create" => (CompareTarget::Create, TargetUnion::CreateRevision(number()?)),
        "m" | "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number()?)),
        "val" | "value" => (CompareTarget::Value, TargetUnion::Value(Bytes::from(value.clone()))),
        "lease" => (CompareTarget::Lease, TargetUnion::Lease(number()?)),
        _ => return Err(malformed()),
    };
    Ok(Compare {
        result: result as i32,
        target: target as i32,
        key: key.into(),
        range_end: Bytes::new(),
        target_union: Some(union),
    })
}

/// Reads an operation such as `put key "a value"`.
fn operation(line: &str) -> Result<RequestOp, Failure> {
    let words = words(line)?;
    let bad = |error: clap::Error| invalid(error.to_string());
    let (name, words) = words.split_first().ok_or_else(|| invalid("an operation is missing".into()))?;
    let op = match &**name {
        "put" => Op::RequestPut(keys::put_request(args::of_line("put", words).map_err(bad)?)?),
        "get" => Op::RequestRange(keys::get_request(&args::of_line("get", words).map_err(bad)?)?),
        "del" => Op::RequestDeleteRange(keys::del_request(&args::of_line("del", words).map_err(bad)?)?),
        name => return Err(invalid(format!("invalid txn request: {name} is none of get, put, del"))),
    };
    Ok(RequestOp { request: Some(op) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_read_as_etcdctl_does() {
        let Ok(compare) = comparison(r#"mod("key 1") > "0""#) else { panic!("it is well formed") };
        assert_eq!(
            (&compare.key[..], compare.target_union),
            (&b"key 1"[..], Some(TargetUnion::ModRevision(0)))
        );
        let Ok(compare) = comparison("value(k) != v") else { panic!("it is well formed") };
        assert_eq!((compare.key, compare.result), ("k".into(), CompareResult::NotEqual as i32));
        for bad in ["", "put a 1", "mod(k) > x", "mod(k)", "mod(k > 1", "what(k) = 1"] {
            assert!(comparison(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_may_be_quoted() {
        let Ok(found) = words(r#" put  "a \"b\"" c "#) else { panic!("all quotes are closed") };
        assert_eq!(found, ["put", "a \"b\"", "c"]);
        assert!(words("\"open").is_err());
    }
}
