//! What a server makes of bad input, of bad disks, and of clients that mean no good.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use api::etcdserverpb::{HashKvResponse, RangeRequest, StatusRequest};
use api::{Request, Response};
use bytes::BytesMut;
use etcdsim_member::io::{Message, PeerMessage};
use etcdsim_member::wire;

use crate::cluster::three;
use crate::process::{PROGRAM, Server, call, folder, get, put, run, value};

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // Knuth's MMIX; the high bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most).map(|_| self.next() as u8).collect()
    }
}

/// Sends bytes to a port, and leaves.
fn throw(port: u16, bytes: &[u8]) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.write_all(bytes).ok()?;
    Some(socket)
}

/// The memory that a process has, in bytes.
fn memory(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: u64| kib << 10)
}

#[test]
fn garbage_and_clients_that_say_nothing_do_no_harm() {
    let folder = folder("garbage");
    let (server, peer) = Server::alone_with_peer(&folder);
    run(async {
        let mut client = server.client().await;
        call(&mut client, put("key", "value")).await.expect("a put");
        let mut numbers = Numbers(1);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let upgrade = b"GET /etcdsim/messages HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n";
        // They stay open until the end: half a request, half a preface, half a frame, nothing.
        let begun: Vec<_> = (0..300)
            .filter_map(|nth| {
                let port = if nth % 2 == 0 { server.client } else { peer };
                throw(port, [&b""[..], &preface[..10], &b"GET /heal"[..], &upgrade[..]][nth % 4])
            })
            .collect();
        assert!(begun.len() > 200, "it takes no connections: {}", server.said());
        for nth in 0..2_000 {
            let port = if nth % 2 == 0 { server.client } else { peer };
            let mut bytes = [&b""[..], &preface[..], &b"POST /v3/kv/put HTTP/1.1\r\n"[..]][nth % 3].to_vec();
            bytes.extend(numbers.bytes(400));
            throw(port, &bytes);
        }
        for _ in 0..20 {
            assert_eq!(value(call(&mut client, get("key")).await.expect("a get")).as_deref(), Some("value"));
        }
        drop(begun);
        assert!(!server.said().contains("panic"), "{}", server.said());
        if let Some(memory) = memory(server.id()) {
            assert!(memory < 256 << 20, "it takes {memory} bytes");
        }
    });
}

#[test]
fn a_damaged_log_is_refused() {
    let folder = folder("damaged");
    let mut server = Server::alone(&folder);
    run(async {
        let mut client = server.client().await;
        for nth in 0..50 {
            call(&mut client, put(&format!("key{nth}"), &"x".repeat(500))).await.expect("a put");
        }
    });
    server.kill();
    let wal = folder.join("m1/member/wal");
    let segment =
        fs::read_dir(&wal).expect("there is a log").next().expect("a segment").expect("a name").path();
    let mut bytes = fs::read(&segment).expect("it can be read");
    bytes[8_000] ^= 0x10;
    fs::write(&segment, bytes).expect("it can be written");
    server.restart();
    assert!(!server.ends(), "it starts on a damaged log");
    let said = server.said();
    assert!(said.contains("damaged") && !said.contains("panic"), "{said}");
}

#[test]
fn a_full_disk_ends_the_server_and_loses_nothing() {
    let folder = folder("full");
    let mut server = Server::alone(&folder);
    run(server.client());
    server.kill();
    // Files of at most 4 MiB, in blocks of 512 bytes. The signal would end the process before it sees the error.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\"", PROGRAM])
        .args(server.args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(server.log())
        .spawn();
    let Ok(limited) = limited else { return eprintln!("skipped: there is no sh") };
    server.adopt(limited);
    let acknowledged = run(async {
        let mut client = server.client().await;
        let mut acknowledged = Vec::new();
        for nth in 0..200 {
            let key = format!("key{nth:03}");
            match call(&mut client, put(&key, &"x".repeat(100_000))).await {
                Ok(_) => acknowledged.push(key),
                Err(_) => break,
            }
        }
        acknowledged
    });
    assert!((1..200).contains(&acknowledged.len()), "{}: {}", acknowledged.len(), server.said());
    assert!(!server.ends(), "it says that all was well");
    let said = server.said();
    assert!(said.contains("no space left on device") && !said.contains("panicked"), "{said}");
    server.restart();
    run(async {
        let mut client = server.client().await;
        for key in &acknowledged {
            let found = value(call(&mut client, get(key)).await.expect("a read"));
            assert_eq!(found.map(|value| value.len()), Some(100_000), "{key}");
        }
    });
}

#[test]
fn a_member_that_lost_all_others_is_made_a_cluster_of_its_own() {
    let folder = folder("forced");
    let mut servers = three(&folder, &[]);
    let before = run(async {
        let mut client = servers[0].client().await;
        for nth in 0..30 {
            call(&mut client, put(&format!("key{nth}"), "value")).await.expect("a put");
        }
        for server in &servers {
            call(&mut server.client().await, get("key29")).await.expect("a get");
        }
        // What is known to be committed reaches the disk with the next entry or the next commit of the backend, which
        // comes within 100 ms. Before that, `--force-new-cluster` takes an entry for one that nobody has acknowledged.
        tokio::time::sleep(Duration::from_millis(500)).await;
        all(&servers[0]).await
    });
    for server in &mut servers {
        server.kill();
    }
    let server = &mut servers[0];
    server.restart_with(&["--force-new-cluster"]);
    run(async {
        let mut client = server.client().await;
        call(&mut client, put("alone", "1")).await.expect("a put");
        assert_eq!(all(server).await, before + 1);
    });
    server.kill();
    server.restart();
    // The others belong to another cluster now, and do not disturb it.
    let (alone, others) = servers.split_at_mut(1);
    others.iter_mut().for_each(Server::restart);
    run(async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(all(&alone[0]).await, before + 1);
        let mut client = alone[0].client().await;
        let Ok(Response::Status(status)) = call(&mut client, StatusRequest {}.into()).await else {
            panic!("no status")
        };
        assert_eq!(Some(status.leader), status.header.map(|header| header.member_id));
    });
}

/// How many keys there are.
async fn all(server: &Server) -> i64 {
    let range =
        RangeRequest { key: "\0".into(), range_end: "\0".into(), count_only: true, ..Default::default() };
    match call(&mut server.client().await, range.into()).await {
        Ok(Response::Range(answer)) => answer.count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_frame_of_another_member_makes_it_panic() {
    let peer = |message| Message::Peer(Box::new(message));
    let response = HashKvResponse { hash: 5, ..HashKvResponse::default() };
    let call: Request = RangeRequest { key: "key".into(), limit: 3, ..RangeRequest::default() }.into();
    let written: Vec<(u8, Vec<u8>)> = [
        peer(PeerMessage::Hello),
        peer(PeerMessage::Removed),
        peer(PeerMessage::Call { id: 1, request: call }),
        peer(PeerMessage::Call { id: 2, request: put("key", "value") }),
        peer(PeerMessage::Answer { id: 1, result: Ok(response.into()) }),
        peer(PeerMessage::Answer { id: 1, result: Err(api::Error::NotLeader) }),
    ]
    .iter()
    .map(|message| {
        let mut frame = BytesMut::new();
        wire::put(message, &mut frame);
        (frame[wire::HEAD - 1], frame[wire::HEAD..].to_vec())
    })
    .collect();
    let (mut numbers, mut read) = (Numbers(2), 0);
    for nth in 0..100_000 {
        let (mut kind, mut body) = written[nth % written.len()].clone();
        match numbers.next() % 4 {
            // A frame of raft's kind with anything in it.
            0 => (kind, body) = (wire::kind::RAFT, numbers.bytes(60)),
            1 => body.truncate(numbers.next() as usize % (body.len() + 1)),
            2 => body.extend(numbers.bytes(20)),
            _ => {
                for _ in 0..=numbers.next() % 3 {
                    let at = numbers.next() as usize % body.len().max(1);
                    if let Some(byte) = body.get_mut(at) {
                        *byte = numbers.next() as u8;
                    }
                }
            }
        }
        read += usize::from(wire::read(kind, body.into()).is_ok());
    }
    assert!((1_000..99_000).contains(&read), "{read} of them could be read");
}
