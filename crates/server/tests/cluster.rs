//! Three servers as one cluster.

use api::Response;
use api::etcdserverpb::{MemberAddRequest, MemberRemoveRequest, StatusRequest};

use crate::process::{Server, call, folder, free_ports, get, insist, put, run, value};

/// Three servers with these flags besides those about their addresses. In them, `{name}` stands for a server's name.
pub fn three(folder: &std::path::Path, flags: &[&str]) -> Vec<Server> {
    let (clients, peers): ([u16; 3], [u16; 3]) = (free_ports(), free_ports());
    let address = |nth: usize| format!("http://127.0.0.1:{}", peers[nth]);
    let initial: Vec<String> = (0..3).map(|nth| format!("m{}={}", nth + 1, address(nth))).collect();
    let start = |nth: usize| {
        let mut args = vec![
            format!("--listen-peer-urls={}", address(nth)),
            format!("--initial-advertise-peer-urls={}", address(nth)),
            format!("--initial-cluster={}", initial.join(",")),
            "--initial-cluster-token=three".to_string(),
        ];
        let name = format!("m{}", nth + 1);
        args.extend(flags.iter().map(|flag| flag.replace("{name}", &name)));
        Server::start(folder, &name, clients[nth], &args)
    };
    (0..3).map(start).collect()
}

/// Which of the servers leads.
pub async fn leader(servers: &[Server]) -> usize {
    let mut client = servers[0].client().await;
    let Ok(Response::Status(first)) = call(&mut client, StatusRequest {}.into()).await else {
        panic!("no status")
    };
    for (nth, server) in servers.iter().enumerate() {
        let mut client = server.client().await;
        let Ok(Response::Status(status)) = call(&mut client, StatusRequest {}.into()).await else {
            panic!("no status")
        };
        if status.header.is_some_and(|header| header.member_id == first.leader) {
            return nth;
        }
    }
    panic!("the leader is none of them");
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_leader_is_killed() {
    let folder = folder("three");
    let mut servers = three(&folder, &[]);
    run(async {
        let mut acknowledged = Vec::new();
        for round in 0..3 {
            let killed = leader(&servers).await;
            let mut client = servers[killed].client().await;
            for nth in 0..20 {
                let key = format!("{round}/{nth}");
                if call(&mut client, put(&key, &key)).await.is_ok() {
                    acknowledged.push(key);
                }
            }
            servers[killed].kill();
            let mut other = servers[(killed + 1) % 3].client().await;
            let key = format!("{round}/after");
            if call(&mut other, put(&key, &key)).await.is_ok() {
                acknowledged.push(key);
            }
            servers[killed].restart();
        }
        assert!(acknowledged.len() >= 60, "{acknowledged:?}");
        for server in &servers {
            let mut client = server.client().await;
            for key in &acknowledged {
                let found = value(call(&mut client, get(key)).await.expect("a read"));
                assert_eq!(found.as_ref(), Some(key), "{}", server.said());
            }
        }
    });
}

#[test]
fn a_member_joins_and_leaves() {
    let folder = folder("joins");
    let ([first_client, client], [first_peer, peer]) = (free_ports(), free_ports());
    let address = |port: u16| format!("http://127.0.0.1:{port}");
    let of_peer = |port: u16| {
        [
            format!("--listen-peer-urls={}", address(port)),
            format!("--initial-advertise-peer-urls={}", address(port)),
        ]
    };
    let mut first = Server::start(&folder, "m1", first_client, &of_peer(first_peer));
    run(async {
        let mut of_first = first.client().await;
        call(&mut of_first, put("before", "1")).await.expect("a put");
        let add = MemberAddRequest { peer_urls: vec![address(peer)], is_learner: false };
        let Response::MemberAdd(added) = insist(&mut of_first, add.into()).await else {
            panic!("another answer")
        };
        let mut args = of_peer(peer).to_vec();
        args.push(format!("--initial-cluster=m1={},m2={}", address(first_peer), address(peer)));
        args.push("--initial-cluster-state=existing".to_string());
        let mut second = Server::start(&folder, "m2", client, &args);
        let mut of_second = second.client().await;
        assert_eq!(value(insist(&mut of_second, get("before")).await).as_deref(), Some("1"));
        insist(&mut of_second, put("with two", "2")).await;

        // A member that was removed ends by itself, and the other one goes on alone.
        let id = added.member.map_or(0, |member| member.id);
        insist(&mut of_first, MemberRemoveRequest { id }.into()).await;
        assert!(second.ends(), "{}", second.said());
        insist(&mut of_first, put("alone", "3")).await;
        assert!(first.stop(), "{}", first.said());
    });
}
