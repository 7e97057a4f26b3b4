//! The crate etcd-client against the server at the port that the first argument names: keys, streamed ranges,
//! transactions, leases, watches, locks and elections. Panics if anything is wrong.

use etcd_client::{
    Client, Compare, CompareOp, EventType, GetOptions, LockOptions, PutOptions, ResignOptions, SortOrder, SortTarget, Txn, TxnOp,
    WatchOptions,
};

type Outcome = Result<(), etcd_client::Error>;

#[tokio::main]
async fn main() -> Outcome {
    let port = std::env::args().nth(1).expect("a port");
    let mut client = Client::connect([format!("127.0.0.1:{port}")], None).await?;
    keys(&mut client).await?;
    streams(&mut client).await?;
    leases(&mut client).await?;
    watches(&mut client).await?;
    locks(&mut client).await
}

async fn keys(client: &mut Client) -> Outcome {
    for number in 0..300 {
        client.put(format!("rs/{number:03}"), vec![b'v'; 1_000], None).await?;
    }
    let options = GetOptions::new().with_prefix().with_limit(3).with_sort(SortTarget::Key, SortOrder::Descend);
    let got = client.get("rs/", Some(options)).await?;
    assert_eq!((got.count(), got.kvs().len(), got.more()), (300, 3, true));
    assert_eq!(got.kvs()[0].key(), b"rs/299");
    let then = [TxnOp::put("rs/000", "x", None), TxnOp::get("rs/001", None)];
    let txn = Txn::new().when([Compare::version("rs/000", CompareOp::Equal, 1)]).and_then(then);
    let done = client.txn(txn).await?;
    assert!(done.succeeded());
    assert_eq!(done.op_responses().len(), 2);
    Ok(())
}

/// A streamed range has what the range has, in chunks.
async fn streams(client: &mut Client) -> Outcome {
    let whole = client.get("rs/", Some(GetOptions::new().with_prefix())).await?;
    let mut stream = client.kv_client().get_stream("rs/", Some(GetOptions::new().with_prefix())).await?;
    let (mut keys, mut count) = (Vec::new(), 0);
    while let Some(chunk) = stream.message().await? {
        keys.extend(chunk.kvs().iter().map(|pair| (pair.key().to_vec(), pair.value().to_vec())));
        count = chunk.count();
    }
    let expected: Vec<_> = whole.kvs().iter().map(|pair| (pair.key().to_vec(), pair.value().to_vec())).collect();
    assert_eq!(keys, expected);
    assert_eq!(count, whole.count());
    Ok(())
}

async fn leases(client: &mut Client) -> Outcome {
    let lease = client.lease_grant(60, None).await?.id();
    client.put("rs/leased", "x", Some(PutOptions::new().with_lease(lease))).await?;
    let (mut keeper, mut answers) = client.lease_keep_alive(lease).await?;
    keeper.keep_alive().await?;
    assert_eq!(answers.message().await?.expect("an answer").ttl(), 60);
    client.lease_revoke(lease).await?;
    assert!(client.get("rs/leased", None).await?.kvs().is_empty());
    Ok(())
}

async fn watches(client: &mut Client) -> Outcome {
    let mut stream = client.watch("rs/w", Some(WatchOptions::new().with_prefix().with_prev_key())).await?;
    client.put("rs/w", "1", None).await?;
    client.delete("rs/w", None).await?;
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let response = stream.message().await?.expect("the stream goes on");
        kinds.extend(response.events().iter().map(|event| event.event_type()));
    }
    assert_eq!(kinds, [EventType::Put, EventType::Delete]);
    Ok(())
}

async fn locks(client: &mut Client) -> Outcome {
    let lease = client.lease_grant(60, None).await?.id();
    let key = client.lock("rs-lock", Some(LockOptions::new().with_lease(lease))).await?.key().to_vec();
    client.unlock(key).await?;
    let campaign = client.campaign("rs-election", "me", lease).await?;
    let key = campaign.leader().expect("somebody was elected").clone();
    let leader = client.leader("rs-election").await?;
    assert_eq!(leader.kv().expect("somebody leads").value(), b"me");
    client.resign(Some(ResignOptions::new().with_leader(key))).await?;
    Ok(())
}
