//! Clients of other languages, each as its users would write it, against our server and, if it is there, against etcd: what
//! etcd takes, we take. Their programs are in `clients`; `.ci/clients` gets their libraries. A test without them says that
//! it was skipped.

use std::env::var_os;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Server, folder, run};
use crate::real::{Etcd, program};

/// One of the programs, which are not compiled.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Runs a client's program against both servers.
fn works(name: &str, client: impl Fn() -> Command) {
    let folder = folder(&format!("client-{name}"));
    let server = Server::alone(&folder);
    drop(run(server.client()));
    let etcd = program("etcd").map(|program| Etcd::start(&program, &folder));
    if let Some(etcd) = &etcd {
        drop(run(etcd.connect()));
    }
    let ports = [("etcd", etcd.as_ref().map(|etcd| etcd.client)), ("the server", Some(server.client))];
    for (server, port) in ports {
        let Some(port) = port else { continue };
        let output = client().arg(port.to_string()).output().expect("it can be executed");
        assert!(
            output.status.success(),
            "{name} against {server}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The program that a variable names.
fn named(variable: &str) -> Option<PathBuf> {
    let named = var_os(variable).map(PathBuf::from);
    if named.is_none() {
        println!("skipped: {variable} names no program");
    }
    named
}

/// Python, if it has this module.
fn python(module: &str) -> Option<Command> {
    let make = || {
        let mut python = Command::new(var_os("ETCDSIM_PYTHON").unwrap_or_else(|| "python3".into()));
        // What python-etcd3 has generated is older than today's protobuf in C.
        python.env("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python");
        python
    };
    let imports = make().args(["-c", &format!("import {module}")]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no Python with {module}");
        return None;
    }
    Some(make())
}

#[test]
fn python_etcd3_works() {
    works_in_python("etcd3");
}

#[test]
fn python_aetcd_works() {
    works_in_python("aetcd");
}

fn works_in_python(module: &str) {
    if python(module).is_none() {
        return;
    }
    works(module, || {
        let mut python = python(module).expect("it was there");
        // Beside the program there are others with the names of modules.
        python.arg("-P").arg(script(&format!("{module}.py")));
        python
    });
}

#[test]
fn node_etcd3_works() {
    let there = Command::new("node").args(["-e", "require('etcd3')"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        return println!("skipped: there is no Node with etcd3");
    }
    works("node", || {
        let mut node = Command::new("node");
        node.arg(script("etcd3.js"));
        node
    });
}

#[test]
fn go_clientv3_works() {
    let Some(client) = named("ETCDSIM_GO_CLIENT") else { return };
    works("go", || Command::new(&client));
}

#[test]
fn rust_etcd_client_works() {
    let Some(client) = named("ETCDSIM_RUST_CLIENT") else { return };
    works("rust", || Command::new(&client));
}
