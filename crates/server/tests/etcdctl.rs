//! Every command of etcdctl says the same of our server as of etcd, ids and times aside. Needs `etcd` and `etcdctl` of 3.7
//! (`real.rs` says where they are searched for).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Server, folder, run};
use crate::real::{Etcd, program};

/// The commands, in their order: the arguments, and what comes in. `LEASE` is the lease that was granted last, `MEMBER` the
/// member that was added last, `SELF` the address of the server. A line that begins with `?` is only compared by its exit code:
/// it prints sizes and positions of files. One that begins with `~` does not end by itself, and is ended.
///
/// Not here: `check perf` and `check datascale`, which measure for a minute.
const COMMANDS: &[(&str, &str)] = &[
    ("put key1 value1", ""),
    ("get key1", ""),
    ("get key1 -w json", ""),
    ("get key1 -w fields", ""),
    ("put foo bar --prev-kv", ""),
    ("put foo bar2 --prev-kv", ""),
    ("put foo --ignore-value", ""),
    ("put nokey --ignore-value", ""),
    ("get foo --rev=3", ""),
    ("get foo --rev=100", ""),
    ("get --prefix k --keys-only", ""),
    ("get --prefix k --count-only -w fields", ""),
    ("get --prefix k --print-value-only", ""),
    ("get a z --limit 1", ""),
    ("get a z --sort-by=KEY --order=DESCEND", ""),
    ("get a z --sort-by=CREATE", ""),
    ("get --from-key f", ""),
    ("get foo --hex", ""),
    ("get nothing", ""),
    ("del foo --prev-kv", ""),
    ("del nothing", ""),
    ("del a z", ""),
    ("put a 1", ""),
    ("put b 2", ""),
    ("put c", "from the input"),
    ("del --prefix a", ""),
    (
        "txn",
        "mod(\"key1\") > \"0\"\n\nput key1 \"overwritten\"\n\nput key1 \"created\"\nput key2 \"extra\"\n\n",
    ),
    ("txn", "value(\"key1\") = \"created\"\n\nget key1\ndel key2\n\nput x y\n\n"),
    ("txn", "\nput a 1\nput a 2\n\n\n"),
    ("compaction 3", ""),
    ("compaction 3", ""),
    ("compaction 300", ""),
    ("get key1 --rev=2", ""),
    ("watch key1 --rev=1", ""),
    ("~watch key1", ""),
    ("~watch --prefix k --rev=6 --prev-kv", ""),
    ("~watch -i", "watch key1 --rev=6\nprogress\n"),
    ("~elect mine me", ""),
    ("~elect mine -l", ""),
    ("~lock other", ""),
    ("~make-mirror --prefix=key --dest-prefix=copy/ SELF", ""),
    ("get --prefix copy/", ""),
    ("snapshot save FILE", ""),
    ("version", ""),
    ("lease grant 100", ""),
    ("put leased v --lease=LEASE", ""),
    ("lease keep-alive --once LEASE", ""),
    ("lease timetolive LEASE --keys", ""),
    ("lease list", ""),
    ("lease revoke LEASE", ""),
    ("lease revoke LEASE", ""),
    ("lease timetolive LEASE", ""),
    ("lease keep-alive LEASE", ""),
    ("lease keep-alive --once 1234", ""),
    ("get leased", ""),
    ("lease grant 0", ""),
    ("lease grant 99999999999", ""),
    ("put k v --lease=77", ""),
    ("alarm list", ""),
    ("alarm disarm", ""),
    ("defrag", ""),
    ("?endpoint health", ""),
    ("?endpoint status", ""),
    ("?endpoint status -w json", ""),
    ("endpoint hashkv --rev 5", ""),
    ("member list", ""),
    ("member list -w json", ""),
    ("member add", ""),
    ("member add x --peer-urls=foo", ""),
    ("member add x --peer-urls=http://127.0.0.1:1 --learner", ""),
    ("member list", ""),
    ("member promote MEMBER", ""),
    ("member update MEMBER --peer-urls=http://127.0.0.1:2", ""),
    ("member list", ""),
    ("member remove MEMBER", ""),
    ("member remove MEMBER", ""),
    ("move-leader 1", ""),
    ("user add root --new-user-password=rootpw", ""),
    ("user add alice --new-user-password=alicepw", ""),
    ("user add alice --new-user-password=alicepw", ""),
    ("user add bob --no-password", ""),
    ("user list", ""),
    ("user get alice", ""),
    ("user get nobody", ""),
    ("role add root", ""),
    ("role add r1", ""),
    ("role add r1", ""),
    ("role grant-permission r1 readwrite foo", ""),
    ("role grant-permission r1 read --prefix pre/", ""),
    ("role get r1", ""),
    ("role list", ""),
    ("user grant-role alice r1", ""),
    ("user grant-role alice nope", ""),
    ("user get alice --detail", ""),
    ("auth status", ""),
    ("auth enable", ""),
    ("user grant-role root root", ""),
    ("auth enable", ""),
    ("get foo", ""),
    ("--user alice:wrong get foo", ""),
    ("--user alice:alicepw put foo authbar", ""),
    ("--user alice:alicepw get foo", ""),
    ("--user alice:alicepw get bar", ""),
    ("--user alice:alicepw get --prefix pre/", ""),
    ("--user alice:alicepw put pre/x 1", ""),
    ("--user alice:alicepw user list", ""),
    ("--user alice:alicepw member list", ""),
    ("--user root:rootpw auth status", ""),
    ("--user root:rootpw user passwd alice --interactive=false", "newpw\n"),
    ("--user alice:newpw get foo", ""),
    ("--user alice:alicepw get foo", ""),
    ("--user root:rootpw role revoke-permission r1 foo", ""),
    ("--user alice:newpw get foo", ""),
    ("--user root:rootpw user revoke-role alice r1", ""),
    ("--user root:rootpw user delete alice", ""),
    ("--user root:rootpw role delete r1", ""),
    ("--user root:rootpw auth disable", ""),
    ("user delete root", ""),
    ("role delete root", ""),
    ("lock mylock echo locked", ""),
    ("downgrade validate 3.6", ""),
    ("downgrade validate 3.5", ""),
    ("downgrade cancel", ""),
    ("nonsense", ""),
];

/// The differences that are meant: the command, and why.
const INTENDED: &[(&str, &str)] = &[];

/// What a command has said: its exit code, and its output without ids and times.
type Said = (Option<i32>, Vec<String>);

/// After this time, a command that does not end by itself is ended.
const ENDED_AFTER: Duration = Duration::from_millis(700);

/// Runs all commands against one server.
#[allow(clippy::disallowed_methods, reason = "it waits for real processes")]
fn all(etcdctl: &Path, port: u16, snapshot: &Path) -> Vec<Said> {
    let (address, file) = (format!("127.0.0.1:{port}"), snapshot.display().to_string());
    let (mut lease, mut member) = (String::new(), String::new());
    let mut said = Vec::new();
    for (command, input) in COMMANDS {
        let line = command.trim_start_matches(['?', '~']).replace("LEASE", &lease).replace("MEMBER", &member);
        let line = line.replace("SELF", &address).replace("FILE", &file);
        let mut child = Command::new(etcdctl)
            .args([format!("--endpoints={address}"), "--command-timeout=5s".to_string()])
            .args(line.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("etcdctl can be executed");
        // A command that reads nothing may have ended before.
        let mut stdin = child.stdin.take().expect("it is a pipe");
        let _ = stdin.write_all(input.as_bytes());
        if command.starts_with('~') {
            std::thread::sleep(ENDED_AFTER);
            child.kill().expect("it is our child");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("it is our child");
        let text = String::from_utf8_lossy(&output.stdout);
        let word = |nth: usize| text.split_whitespace().nth(nth).unwrap_or_default().to_string();
        match *command {
            "lease grant 100" => lease = word(1),
            command if command.starts_with("member add x") && output.status.success() => member = word(1),
            _ => {}
        }
        // What etcdctl logs is about its connection.
        let errors = String::from_utf8_lossy(&output.stderr);
        let errors = errors.lines().filter(|line| !line.starts_with('{'));
        let is_of_members = command.contains("member ");
        let mut lines: Vec<String> = text
            .lines()
            .chain(errors)
            .map(|line| plain(&line.replace(&file, "FILE"), is_of_members))
            .collect();
        if is_of_members {
            // Members are in the order of their ids.
            lines.sort();
        }
        if command.starts_with('?') {
            lines.clear();
        }
        said.push((output.status.code(), lines));
    }
    said
}

/// A line without what may differ: ids, ports, and times that are measured. `sorted` says that the order of its parts depends
/// on ids.
fn plain(line: &str, sorted: bool) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric();
    // How long a defragmentation took.
    let line = line.split_once(" took ").map_or(line, |(done, _)| done);
    let mut plain = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|letter| !is_part(letter)).map_or(rest.len(), |length| start + length);
        let part = &rest[start..end];
        let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_id = is_hex && part.len() >= 12 && part.bytes().any(|byte| byte.is_ascii_digit());
        let is_port = part.len() == 5 && rest[..start].ends_with(':') && is_hex;
        let is_time_left = part.ends_with('s') && rest[..start].ends_with("remaining(");
        plain.push_str(&rest[..start]);
        plain.push_str(if is_id || is_port || is_time_left { "…" } else { part });
        rest = &rest[end..];
    }
    plain.push_str(rest);
    if sorted {
        let mut parts: Vec<&str> =
            plain.split([' ', ',', '"', '{', '}']).filter(|part| !part.is_empty()).collect();
        parts.sort_unstable();
        plain = parts.join(" ");
    }
    plain
}

#[test]
fn etcdctl_says_the_same_of_both() {
    let (Some(etcd), Some(etcdctl)) = (program("etcd"), program("etcdctl")) else { return };
    let folder = folder("etcdctl");
    let real = Etcd::start(&etcd, &folder);
    let ours = Server::alone(&folder);
    run(async { (ours.client().await, real.connect().await) });
    let (of_ours, of_etcd) = std::thread::scope(|scope| {
        let of_ours = scope.spawn(|| all(&etcdctl, ours.client, &folder.join("ours.db")));
        let of_etcd = all(&etcdctl, real.client, &folder.join("etcds.db"));
        (of_ours.join().expect("it has not failed"), of_etcd)
    });
    let mut failures = Vec::new();
    for (nth, (command, _)) in COMMANDS.iter().enumerate() {
        let intended = INTENDED.iter().any(|(row, _)| row == command);
        if (of_ours[nth] == of_etcd[nth]) == intended {
            failures.push(format!("{command}\n  ours:   {:?}\n  etcd's: {:?}", of_ours[nth], of_etcd[nth]));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), COMMANDS.len(), failures.join("\n"));
}
