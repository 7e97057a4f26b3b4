//! Snapshots.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use api::etcdserverpb::{SnapshotRequest, SnapshotResponse};
use sha2::{Digest as _, Sha256};
use tonic::Streaming;

use crate::args::Global;
use crate::session::connect;
use crate::{Failure, Outcome};

/// The length of the hash at the end of a snapshot.
const HASH: usize = 32;

/// Saves a snapshot: first under another name, so that an unfinished one is never taken for a whole one.
pub async fn save(global: &Global, file: &Path) -> Outcome {
    let mut client = connect(global).await?;
    let mut pieces: Streaming<SnapshotResponse> =
        client.listen("/etcdserverpb.Maintenance/Snapshot", SnapshotRequest {}).await?;
    let part = PathBuf::from(format!("{}.part", file.display()));
    let mut out = File::create(&part)?;
    let (mut hash, mut tail, mut version) = (Sha256::new(), Vec::new(), String::new());
    while let Some(piece) = pieces.message().await? {
        out.write_all(&piece.blob)?;
        // The last bytes are the hash of all before them.
        tail.extend_from_slice(&piece.blob);
        let before = tail.len().saturating_sub(HASH);
        hash.update(&tail[..before]);
        tail.drain(..before);
        version = piece.version;
    }
    if tail.len() < HASH || tail[..] != hash.finalize()[..] {
        fs::remove_file(&part)?;
        return Err(Failure {
            code: 5,
            text: "the hash at the end of the snapshot is not that of its content".into(),
        });
    }
    out.sync_all()?;
    fs::rename(&part, file)?;
    println!("Snapshot saved at {}", file.display());
    if !version.is_empty() {
        println!("Server version {version}");
    }
    Ok(())
}
