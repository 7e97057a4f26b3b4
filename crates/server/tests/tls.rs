//! Mutual TLS, with kubeadm's flags. The certificates are made with the command `openssl`; without it, the test says that
//! it was skipped.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use api::authpb::{Permission, UserAddOptions};
use api::etcdserverpb::{
    AuthEnableRequest, AuthRoleAddRequest, AuthRoleGrantPermissionRequest, AuthUserAddRequest,
    AuthUserGrantRoleRequest,
};
use etcdsim_server::client::Client;
use etcdsim_server::tls::{ClientTls, Files};

use crate::process::{Server, call, folder, free_ports, get, put, run};

/// Runs openssl. Returns whether it did what it should.
fn openssl(folder: &Path, args: &[&str]) -> bool {
    let command = Command::new("openssl")
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    command.is_ok_and(|status| status.success())
}

/// Makes an authority.
pub fn authority(folder: &Path, name: &str) -> bool {
    let (key, cert, subject) = (format!("{name}.key"), format!("{name}.crt"), format!("/CN={name}"));
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"];
    openssl(folder, &[&new[..], &["-keyout", &key, "-out", &cert, "-subj", &subject]].concat())
}

/// Makes a certificate for 127.0.0.1.
pub fn certificate(folder: &Path, authority: &str, file: &str, name: &str) -> bool {
    let extensions = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
    fs::write(folder.join("extensions"), extensions).expect("the folder can be written");
    let [key, request, cert] = ["key", "csr", "crt"].map(|ending| format!("{file}.{ending}"));
    let (ca, ca_key, subject) =
        (format!("{authority}.crt"), format!("{authority}.key"), format!("/CN={name}"));
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request, "-subj", &subject];
    let sign =
        ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-out", &cert];
    openssl(folder, &new)
        && openssl(folder, &[&sign[..], &["-days", "30", "-extfile", "extensions"]].concat())
}

pub fn trusting(folder: &Path, authority: &str, certificate: Option<&str>) -> ClientTls {
    let file = |name: String| folder.join(name);
    let files = Files {
        cert: certificate.map(|name| file(format!("{name}.crt"))),
        key: certificate.map(|name| file(format!("{name}.key"))),
        trusted_ca: Some(file(format!("{authority}.crt"))),
        client_cert_auth: false,
    };
    ClientTls::new(files).expect("openssl has made them")
}

#[test]
fn mutual_tls_and_users_by_certificate() {
    let folder = folder("tls");
    let made = authority(&folder, "ca")
        && certificate(&folder, "ca", "server", "server")
        && certificate(&folder, "ca", "peer", "peer")
        && certificate(&folder, "ca", "alice", "alice")
        && certificate(&folder, "ca", "root", "root");
    if !made {
        return eprintln!("skipped: openssl is not installed");
    }
    let [client, peer, metrics] = free_ports();
    let file = |name: &str| folder.join(name).display().to_string();
    let args = [
        format!("--cert-file={}", file("server.crt")),
        format!("--key-file={}", file("server.key")),
        format!("--trusted-ca-file={}", file("ca.crt")),
        "--client-cert-auth=true".into(),
        "--feature-gates=InitialCorruptCheck=true".into(),
        format!("--initial-advertise-peer-urls=https://127.0.0.1:{peer}"),
        format!("--initial-cluster=m1=https://127.0.0.1:{peer}"),
        format!("--listen-metrics-urls=http://127.0.0.1:{metrics}"),
        format!("--listen-peer-urls=https://127.0.0.1:{peer}"),
        format!("--peer-cert-file={}", file("peer.crt")),
        format!("--peer-key-file={}", file("peer.key")),
        format!("--peer-trusted-ca-file={}", file("ca.crt")),
        "--peer-client-cert-auth=true".into(),
        "--snapshot-count=10000".into(),
        "--watch-progress-notify-interval=5s".into(),
    ];
    let server = Server::start_at("https", &folder, "m1", client, &args);
    run(async {
        let root = trusting(&folder, "ca", Some("root"));
        let mut of_root = server.client_at("https", Some(&root)).await;
        let user = |name: &str| AuthUserAddRequest {
            name: name.into(),
            options: Some(UserAddOptions { no_password: true }),
            ..AuthUserAddRequest::default()
        };
        let permission = Permission { key: "a".into(), perm_type: 2, ..Permission::default() };
        let requests: [api::Request; 7] = [
            user("root").into(),
            user("alice").into(),
            AuthUserGrantRoleRequest { user: "root".into(), role: "root".into() }.into(),
            AuthRoleAddRequest { name: "r".into() }.into(),
            AuthRoleGrantPermissionRequest { name: "r".into(), perm: Some(permission) }.into(),
            AuthUserGrantRoleRequest { user: "alice".into(), role: "r".into() }.into(),
            AuthEnableRequest {}.into(),
        ];
        call(&mut of_root, AuthRoleAddRequest { name: "root".into() }.into()).await.expect("a role");
        for request in requests {
            call(&mut of_root, request.clone()).await.unwrap_or_else(|error| panic!("{request:?}: {error}"));
        }
        let alice = trusting(&folder, "ca", Some("alice"));
        let mut of_alice = server.client_at("https", Some(&alice)).await;
        call(&mut of_alice, put("a", "1")).await.expect("alice may write this key");
        let refused = call(&mut of_alice, put("b", "1")).await.expect_err("alice may not write another");
        assert_eq!(refused.message(), "etcdserver: permission denied");

        let url = format!("https://127.0.0.1:{client}").parse().expect("an address");
        let nobody = trusting(&folder, "ca", None);
        let without = match Client::connect(&url, Some(&nobody)).await {
            Ok(mut client) => call(&mut client, get("a")).await.is_ok(),
            Err(_) => false,
        };
        assert!(!without, "a client without a certificate is served");

        // The server reads its certificate again, though it still runs: now another authority has signed it.
        assert!(authority(&folder, "other") && certificate(&folder, "other", "server", "server"));
        let trusts_other = trusting(&folder, "other", Some("alice"));
        let mut again = server.client_at("https", Some(&trusts_other)).await;
        call(&mut again, get("a")).await.expect("alice may read this key");
    });
}
