//! Putting, getting, removing, compacting.

use std::io::Read as _;
use std::time::Duration;

use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::{CompactionRequest, DeleteRangeRequest, PutRequest, RangeRequest};
use api::key_range;
use bytes::Bytes;

use crate::args::{Compaction, Del, Form, Get, Global, Put, Range};
use crate::session::{ask, connect, within};
use crate::{Failure, Outcome, show};

/// The pause before a range is removed, in which the user can still interrupt.
const PAUSE: Duration = Duration::from_secs(2);

/// The key and the end of a range.
pub fn bounds(range: &Range) -> Result<(Bytes, Bytes), Failure> {
    let (key, end) = (range.key.clone(), range.range_end.clone());
    if (range.prefix || range.from_key) && end.is_some() {
        return Err(Failure::of_args(
            "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
        ));
    }
    let key = match key.is_empty() && (range.prefix || range.from_key) {
        true => return Ok((key_range::FROM_KEY, key_range::FROM_KEY)),
        false => Bytes::from(key),
    };
    let end = match end {
        Some(end) => end.into(),
        None if range.prefix => key_range::prefix_end(&key),
        None if range.from_key => key_range::FROM_KEY,
        None => Bytes::new(),
    };
    Ok((key, end))
}

/// The request of a put.
pub fn put_request(args: Put) -> Result<PutRequest, Failure> {
    let value = match args.value {
        Some(value) => value.into(),
        None if args.ignore_value => Bytes::new(),
        None => {
            let mut value = Vec::new();
            std::io::stdin().read_to_end(&mut value)?;
            value.into()
        }
    };
    Ok(PutRequest {
        key: args.key.into(),
        value,
        lease: args.lease,
        prev_kv: args.prev_kv,
        ignore_value: args.ignore_value,
        ignore_lease: args.ignore_lease,
    })
}

/// Puts.
pub async fn put(global: &Global, args: Put) -> Outcome {
    let answer = ask(global, put_request(args)?.into()).await?;
    show::answer(&answer, false, global);
    Ok(())
}

/// The request of a get.
pub fn get_request(args: &Get) -> Result<RangeRequest, Failure> {
    let (key, range_end) = bounds(&args.range)?;
    let sort_order = match args.order.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None => SortOrder::None,
        Some("ASCEND") => SortOrder::Ascend,
        Some("DESCEND") => SortOrder::Descend,
        Some(_) => {
            return Err(Failure::of_args(format!("bad sort order {}", args.order.as_deref().unwrap_or(""))));
        }
    };
    let sort_target = match args.sort_by.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None | Some("KEY") => SortTarget::Key,
        Some("CREATE") => SortTarget::Create,
        Some("MODIFY") => SortTarget::Mod,
        Some("VALUE") => SortTarget::Value,
        Some("VERSION") => SortTarget::Version,
        Some(_) => {
            return Err(Failure::of_args(format!(
                "bad sort target {}",
                args.sort_by.as_deref().unwrap_or("")
            )));
        }
    };
    // etcd's client sorts in ascending order if only the target is given (`clientv3/op.go`, `WithSort`).
    let sort_order = match (sort_order, sort_target, args.sort_by.is_some()) {
        (SortOrder::None, target, true) if target != SortTarget::Key => SortOrder::Ascend,
        (SortOrder::Ascend, SortTarget::Key, _) => SortOrder::None,
        (order, ..) => order,
    };
    Ok(RangeRequest {
        key,
        range_end,
        limit: args.limit,
        revision: args.rev,
        sort_order: sort_order as i32,
        sort_target: sort_target as i32,
        serializable: args.consistency == "s",
        keys_only: args.keys_only,
        count_only: args.count_only,
        min_mod_revision: args.min_mod_rev,
        max_mod_revision: args.max_mod_rev,
        min_create_revision: args.min_create_rev,
        max_create_revision: args.max_create_rev,
    })
}

/// Gets.
pub async fn get(global: &Global, args: Get) -> Outcome {
    if args.keys_only && args.count_only {
        return Err(Failure::of_args("`--keys-only` and `--count-only` cannot be set at the same time"));
    }
    if args.count_only && global.write_out == Form::Simple {
        return Err(Failure::of_args("--count-only is only for `--write-out=fields`"));
    }
    let request = get_request(&args)?;
    let answer = match args.stream {
        false => ask(global, request.into()).await?,
        true => within(global, connect(global).await?.stream_range(request)).await?.into(),
    };
    show::answer(&answer, args.print_value_only, global);
    Ok(())
}

/// The request of a removal.
pub fn del_request(args: &Del) -> Result<DeleteRangeRequest, Failure> {
    let (key, range_end) = bounds(&args.range)?;
    Ok(DeleteRangeRequest { key, range_end, prev_kv: args.prev_kv })
}

/// Removes.
pub async fn del(global: &Global, args: Del) -> Outcome {
    let request = del_request(&args)?;
    if let Some(end) = args.range.range_end.as_ref().filter(|_| !args.is_range) {
        eprintln!(
            "Warning: Keys between {:?} and {end:?} will be deleted. Please interrupt the command within next 2 seconds to \
             cancel. You can provide `--range` flag to avoid the delay.",
            args.range.key
        );
        tokio::time::sleep(PAUSE).await;
    }
    let answer = ask(global, request.into()).await?;
    show::answer(&answer, false, global);
    Ok(())
}

/// Compacts.
pub async fn compact(global: &Global, args: Compaction) -> Outcome {
    let Compaction { revision, physical } = args;
    ask(global, CompactionRequest { revision, physical }.into()).await?;
    println!("compacted revision {revision}");
    Ok(())
}
