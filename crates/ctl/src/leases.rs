//! Leases.

use std::time::Duration;

use api::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest,
};
use api::{Request, Response};
use tokio::time::sleep;
use tonic::Streaming;

use crate::args::{Form, Global, Lease};
use crate::session::{ask, connect};
use crate::{Failure, Outcome, show};

/// Runs a command about leases.
pub async fn lease(global: &Global, what: Lease) -> Outcome {
    let (request, failed) = match what {
        Lease::Grant { ttl } => (Request::from(LeaseGrantRequest { ttl, id: 0 }), "failed to grant lease"),
        Lease::Revoke { id } => (LeaseRevokeRequest { id }.into(), "failed to revoke lease"),
        Lease::Timetolive { id, keys } => (LeaseTimeToLiveRequest { id, keys }.into(), ""),
        Lease::List => (LeaseLeasesRequest {}.into(), ""),
        Lease::KeepAlive { id, once } => return keep_alive(global, id, once).await,
    };
    let answer = ask(global, request.clone()).await.map_err(|failure| match failed {
        "" => failure,
        failed => Failure { text: format!("{failed} ({})", failure.text), ..failure },
    })?;
    if global.write_out == Form::Json {
        show::json(&answer);
        return Ok(());
    }
    match (request, answer) {
        (_, Response::LeaseGrant(answer)) => {
            println!("lease {:016x} granted with TTL({}s)", answer.id, answer.ttl)
        }
        (Request::LeaseRevoke(LeaseRevokeRequest { id }), _) => println!("lease {id:016x} revoked"),
        (_, Response::LeaseTimeToLive(answer)) if answer.ttl < 0 => {
            println!("lease {:016x} already expired", answer.id)
        }
        (Request::LeaseTimeToLive(request), Response::LeaseTimeToLive(answer)) => {
            print!(
                "lease {:016x} granted with TTL({}s), remaining({}s)",
                answer.id, answer.granted_ttl, answer.ttl
            );
            if request.keys {
                let keys: Vec<_> = answer.keys.iter().map(|key| String::from_utf8_lossy(key)).collect();
                print!(", attached keys([{}])", keys.join(" "));
            }
            println!();
        }
        (_, Response::LeaseLeases(answer)) => {
            println!("found {} leases", answer.leases.len());
            answer.leases.iter().for_each(|lease| println!("{:016x}", lease.id));
        }
        (_, answer) => show::json(&answer),
    }
    Ok(())
}

/// Keeps a lease alive: renews it after a third of its TTL.
async fn keep_alive(global: &Global, id: i64, once: bool) -> Outcome {
    let mut client = connect(global).await?;
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let _ = sender.send(LeaseKeepAliveRequest { id }).await;
    let mut answers: Streaming<LeaseKeepAliveResponse> =
        client.stream("/etcdserverpb.Lease/LeaseKeepAlive", requests).await?;
    while let Some(answer) = answers.message().await? {
        if answer.ttl <= 0 && once {
            return Err(Failure { code: 2, text: api::Error::LeaseNotFound.text().into() });
        }
        if answer.ttl <= 0 {
            println!("lease {id:016x} expired or revoked.");
            return Ok(());
        }
        println!("lease {id:016x} keepalived with TTL({})", answer.ttl);
        if once {
            return Ok(());
        }
        sleep(Duration::from_millis(answer.ttl.unsigned_abs() * 1000 / 3)).await;
        let _ = sender.send(LeaseKeepAliveRequest { id }).await;
    }
    println!("lease {id:016x} expired or revoked.");
    Ok(())
}
