//! Records what a real etcd answers, in the format of `tests/data/conformance`.
//!
//! ```text
//! cargo run -p etcdsim-recorder -- path/to/etcd tests/data/conformance [NAME…]
//! ```
//!
//! Each script ([`scripts`]) runs against a fresh etcd of one node and becomes one file. A script and its seed decide every
//! request, together with the answers before it; so a second recording of the same etcd has the same requests.
//!
//! This is a separate crate and not a default member, because only a new version of etcd needs it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it waits for a real process")]

mod draws;
mod etcd;
mod scripts;
mod session;

use std::path::PathBuf;
use std::process::ExitCode;

use session::Session;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(program), Some(folder)) = (args.next(), args.next()) else {
        eprintln!("usage: etcdsim-recorder ETCD FOLDER [NAME…]");
        return ExitCode::from(2);
    };
    let (program, folder) = (PathBuf::from(program), PathBuf::from(folder));
    let wanted: Vec<String> = args.collect();
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    for script in scripts::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == script.name) {
            continue;
        }
        let recorded = runtime.block_on(async {
            let etcd = etcd::Etcd::start(&program).await?;
            let mut session = Session::new(&etcd).await?;
            (script.run)(&mut session, script.seed).await;
            session.finish(script.seed).await
        });
        let recording = match recorded {
            Ok(recording) => recording,
            Err(error) => {
                eprintln!("{}: {error}", script.name);
                return ExitCode::FAILURE;
            }
        };
        let file = folder.join(format!("etcd-{}-{}.jsonl", recording.version, script.name));
        if let Err(error) = std::fs::write(&file, recording.text) {
            eprintln!("{}: {error}", file.display());
            return ExitCode::FAILURE;
        }
        println!("{}: {} answers", file.display(), recording.answers);
    }
    ExitCode::SUCCESS
}
