//! How fast files are read, in bytes per second on one core: `cargo bench -p etcdsim-histories`.

use std::fmt::Write;
use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{Bencher, main as run};
use histories::scan::{Cursor, Kind, SliceLines, each_line, each_line_of};
use histories::{Scan, general};

fn main() {
    run();
}

/// Reads every token of a value, numbers as numbers, and adds them up so that the compiler removes nothing.
fn tokens(cursor: &mut Cursor<'_>) -> Scan<u64> {
    let mut sum = 0;
    match cursor.kind() {
        Kind::Object => {
            cursor.object()?;
            while let Some(name) = cursor.next_field()? {
                sum = u64::wrapping_add(sum, tokens(cursor)?).wrapping_add(name.len() as u64);
            }
        }
        Kind::Array => {
            cursor.array()?;
            while cursor.next_item()? {
                sum = u64::wrapping_add(sum, tokens(cursor)?);
            }
        }
        Kind::String => sum = cursor.string()?.plain().map_or(0, str::len) as u64,
        Kind::Number => sum = cursor.integer()?.unsigned_abs(),
        Kind::Boolean => sum = u64::from(cursor.boolean()?),
        Kind::Null | Kind::Other => sum = u64::from(cursor.null()),
    }
    Ok(sum)
}

/// As `tokens`, for an operation on etcd, whose 64-bit fields are in quotes.
fn typed(cursor: &mut Cursor<'_>) -> Scan<u64> {
    let mut sum = 0u64;
    cursor.object()?;
    while let Some(name) = cursor.next_field()? {
        let value = match name {
            "cluster_id" | "member_id" | "revision" | "raft_term" | "create_revision" | "mod_revision"
            | "version" | "count" | "deleted" | "lease" => cursor.quoted_unsigned()?,
            "client" | "member" | "call" => cursor.unsigned()?,
            "return" => {
                if cursor.null() {
                    0
                } else {
                    cursor.unsigned()?
                }
            }
            "compare" | "success" | "failure" | "responses" | "kvs" => {
                let mut inner = 0u64;
                cursor.array()?;
                while cursor.next_item()? {
                    inner = inner.wrapping_add(typed(cursor)?);
                }
                inner
            }
            _ if cursor.kind() == Kind::Object => typed(cursor)?,
            _ => tokens(cursor)?,
        };
        sum = sum.wrapping_add(value);
    }
    Ok(sum)
}

/// The etcd history that `ETCDSIM_HISTORY` names, or one like it.
fn etcd() -> Vec<u8> {
    let recorded = std::env::var_os("ETCDSIM_HISTORY")
        .map(|path| std::fs::read(path).expect("ETCDSIM_HISTORY names a file that can be read"));
    recorded.unwrap_or_else(|| {
        let line = r#"{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "azA="}, "call": 4565952317982, "return": 4565958921601, "response": {"header": {"cluster_id": "5278540502951007215", "member_id": "1648876508037949962", "revision": "4", "raft_term": "2"}, "kvs": [{"key": "azA=", "create_revision": "4", "mod_revision": "4", "version": "1", "value": "Ny0x"}], "count": "1"}}"#;
        format!("{line}\n").repeat(30_000).into_bytes()
    })
}

/// A history of a register in the general format.
fn register(operations: u64) -> Vec<u8> {
    let mut file = "{\"format\":\"etcdsim-general-1\",\"model\":\"register\",\"initial\":0}\n".to_owned();
    for index in 0..operations {
        let (client, call) = (index % 8, 1_000_000_000 + index * 1000);
        let returned = call + 900;
        let line = if index % 2 == 0 {
            format!(r#"{{"client":{client},"op":"write","value":{index},"call":{call},"return":{returned}}}"#)
        } else {
            let result = index - 1;
            format!(
                r#"{{"client":{client},"op":"read","call":{call},"return":{returned},"result":{result}}}"#
            )
        };
        writeln!(file, "{line}").expect("a String takes every line");
    }
    file.into_bytes()
}

#[divan::bench]
fn scan_lines_only(bencher: Bencher<'_, '_>) {
    let file = etcd();
    bencher.counter(BytesCount::new(file.len())).bench_local(|| SliceLines::new(black_box(&file)).count());
}

#[divan::bench]
fn scan_etcd_tokens(bencher: Bencher<'_, '_>) {
    let file = etcd();
    bencher.counter(BytesCount::new(file.len())).bench_local(|| {
        let mut sum = 0u64;
        each_line_of("seed1", black_box(&file), |cursor| {
            sum = sum.wrapping_add(tokens(cursor)?);
            Ok(())
        })
        .expect("a history that can be read");
        sum
    });
}

#[divan::bench]
fn scan_etcd_typed(bencher: Bencher<'_, '_>) {
    let file = etcd();
    let (header, body) = file.split_at(file.iter().position(|&byte| byte == b'\n').expect("a line") + 1);
    black_box(header);
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let mut sum = 0u64;
        each_line_of("seed1", black_box(body), |cursor| {
            sum = sum.wrapping_add(typed(cursor)?);
            Ok(())
        })
        .expect("a history that can be read");
        sum
    });
}

#[divan::bench]
fn scan_etcd_tokens_streamed(bencher: Bencher<'_, '_>) {
    let file = etcd();
    bencher.counter(BytesCount::new(file.len())).bench_local(|| {
        let mut sum = 0u64;
        each_line("seed1", black_box(file.as_slice()), |cursor| {
            sum = sum.wrapping_add(tokens(cursor)?);
            Ok(())
        })
        .expect("a history that can be read");
        sum
    });
}

#[divan::bench]
fn scan_etcd_skip(bencher: Bencher<'_, '_>) {
    let file = etcd();
    bencher.counter(BytesCount::new(file.len())).bench_local(|| {
        each_line_of("seed1", black_box(&file), Cursor::skip_value).expect("a history that can be read");
    });
}

#[divan::bench]
fn general_tokens(bencher: Bencher<'_, '_>) {
    let file = register(100_000);
    bencher.counter(BytesCount::new(file.len())).bench_local(|| {
        let mut sum = 0u64;
        each_line_of("register", black_box(&file), |cursor| {
            sum = sum.wrapping_add(tokens(cursor)?);
            Ok(())
        })
        .expect("a history that can be read");
        sum
    });
}

#[divan::bench]
fn general_history(bencher: Bencher<'_, '_>) {
    let file = register(100_000);
    bencher
        .counter(BytesCount::new(file.len()))
        .bench_local(|| general::read("register", black_box(&file)).expect("a history that can be read"));
}

#[divan::bench]
fn general_write(bencher: Bencher<'_, '_>) {
    let file = register(100_000);
    let recorded = general::read("register", &file).expect("a history that can be read");
    bencher.counter(BytesCount::new(file.len())).bench_local(|| {
        let mut out = Vec::with_capacity(file.len());
        general::write(black_box(&recorded), &mut out).expect("a Vec takes every byte");
        out
    });
}
