//! The feature gate `InitialCorruptCheck`: before a member that has data serves, it compares that data with the other
//! members', and does not start if they differ (`etcdserver/corrupt.go`, `InitialCheck`).

use api::Error;
use member::Member;
use member::config::Peer;
use record::MemberId;
use serde::{Deserialize, Serialize};

use crate::handle::Handle;
use crate::peers;
use crate::tls::ClientTls;
use crate::url::Url;

/// What a member asks another one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Asked {
    /// Up to which revision.
    pub revision: i64,
}

/// The hash of a member's data up to a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Hash {
    hash: u32,
    revision: i64,
    compact_revision: i64,
}

impl Hash {
    /// The hash of a member's data; up to its newest revision for 0.
    ///
    /// # Errors
    /// The member does not have this revision yet, or not any more.
    pub fn of(member: &Member, revision: i64) -> Result<Hash, Error> {
        let store = member.store();
        let revision = if revision == 0 { store.revision() } else { revision };
        Ok(Hash { hash: store.hash_at(revision)?, revision, compact_revision: store.compact_revision() })
    }
}

/// Compares a member's data with the other members'. Members that cannot be asked, or are ahead or behind, do not
/// count.
///
/// # Errors
/// Names the members whose data differs.
pub async fn check(
    handle: &Handle,
    own: MemberId,
    peers: &[Peer],
    tls: Option<&ClientTls>,
) -> Result<(), String> {
    let hash = handle.look(|member| Hash::of(member, 0)).await;
    let Some(Ok(hash)) = hash else { return Ok(()) };
    let question = serde_json::to_vec(&Asked { revision: hash.revision }).expect("a number is JSON");
    let mut different = Vec::new();
    for peer in peers.iter().filter(|peer| peer.id != own) {
        for url in peer.peer_urls.iter().filter_map(|url| url.parse::<Url>().ok()) {
            let answer = peers::get(&url, tls, peers::HASH, question.clone().into()).await;
            let other = answer.and_then(|(_, body)| Ok(serde_json::from_slice::<Hash>(&body)?));
            match other {
                Ok(other) if other == hash => tracing::info!(%url, revision = hash.revision, "the same data"),
                Ok(other) if other.compact_revision == hash.compact_revision => {
                    different.push(peer.name.to_string())
                }
                Ok(_) => tracing::warn!(%url, "compacted at another revision, so the data was not compared"),
                Err(error) => {
                    tracing::warn!(%url, %error, "the data was not compared");
                    continue;
                }
            }
            break;
        }
    }
    match different.is_empty() {
        true => Ok(()),
        false => Err(format!("found data inconsistency with peers: {}", different.join(", "))),
    }
}
