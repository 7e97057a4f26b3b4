//! Members of the cluster.

use api::etcdserverpb::{
    Member as Listed, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest,
    MemberUpdateRequest,
};
use api::{Request, Response};

use crate::args::{Form, Global, Member};
use crate::session::ask;
use crate::{Outcome, show};

/// Runs a command about members.
pub async fn member(global: &Global, what: Member) -> Outcome {
    let (request, id, new) = match what {
        Member::List => (Request::from(MemberListRequest { linearizable: true }), 0, None),
        Member::Add { name, peer_urls, learner } => {
            (MemberAddRequest { peer_urls, is_learner: learner }.into(), 0, Some(name))
        }
        Member::Remove { id } => (MemberRemoveRequest { id: id.cast_unsigned() }.into(), id, None),
        Member::Update { id, peer_urls } => {
            (MemberUpdateRequest { id: id.cast_unsigned(), peer_urls }.into(), id, None)
        }
        Member::Promote { id } => (MemberPromoteRequest { id: id.cast_unsigned() }.into(), id, None),
    };
    let answer = ask(global, request).await?;
    if global.write_out == Form::Json {
        show::json(&answer);
        return Ok(());
    }
    let cluster = answer.header().map_or(0, |header| header.cluster_id);
    match answer {
        Response::MemberList(answer) => answer.members.iter().for_each(list),
        Response::MemberAdd(answer) => {
            let member = answer.member.unwrap_or_default();
            let learner = if member.is_learner { "as learner " } else { "" };
            println!("Member {:16x} added {learner}to cluster {cluster:16x}", member.id);
            added(&new.unwrap_or_default(), &member, &answer.members);
        }
        Response::MemberRemove(_) => println!("Member {id:16x} removed from cluster {cluster:16x}"),
        Response::MemberUpdate(_) => println!("Member {id:16x} updated in cluster {cluster:16x}"),
        Response::MemberPromote(_) => println!("Member {id:16x} promoted in cluster {cluster:16x}"),
        answer => show::json(&answer),
    }
    Ok(())
}

fn list(member: &Listed) {
    let status = if member.name.is_empty() { "unstarted" } else { "started" };
    let (peers, clients) = (member.peer_urls.join(","), member.client_urls.join(","));
    println!("{:x}, {status}, {}, {peers}, {clients}, {}", member.id, member.name, member.is_learner);
}

/// Prints the environment variables with which the new member starts.
fn added(name: &str, new: &Listed, members: &[Listed]) {
    let named = |member: &Listed| if member.id == new.id { name.to_string() } else { member.name.clone() };
    let pair = |member: &Listed| {
        member.peer_urls.iter().map(|url| format!("{}={url}", named(member))).collect::<Vec<_>>()
    };
    let cluster: Vec<String> = members.iter().flat_map(pair).collect();
    println!();
    println!("ETCD_NAME={name:?}");
    println!("ETCD_INITIAL_CLUSTER={:?}", cluster.join(","));
    println!("ETCD_INITIAL_ADVERTISE_PEER_URLS={:?}", new.peer_urls.join(","));
    println!("ETCD_INITIAL_CLUSTER_STATE=\"existing\"");
}
