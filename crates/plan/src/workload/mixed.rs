//! The workload `mixed`: every kind of request. The section `[workload.mix]` sets how often each is sent; its
//! table is here.

use schedule::field::{Field, count};
use schedule::fields;

use super::make::Maker;
use super::{Lane, Setup};
use crate::Act;

pub(super) const ABOUT: &str =
    "Every kind of request with the weights of `[workload.mix]`, leases and watchers too. Our own.";

/// Each client draws each of its acts from the mix.
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    lanes_with(setup, |_| None)
}

/// As [`lanes`], but if `instead` makes an act, the client does that one.
pub(super) fn lanes_with(setup: &Setup<'_>, instead: impl Fn(&Maker<'_>) -> Option<Act>) -> Vec<Lane> {
    let weights = setup.mix.weights();
    let clients = setup.workload.clients;
    (0..clients)
        .map(|client| {
            let mut lane = Lane::new(client);
            for turn in setup.turns(client, clients) {
                let maker = Maker { workload: setup.workload, client, nth: turn.nth, draw: turn.draw };
                let usual = || MAKERS[turn.draw.then(0).weighted(&weights)](&maker);
                lane.act(turn.at, instead(&maker).unwrap_or_else(usual));
            }
            lane
        })
        .collect()
}

/// The table of the mix. A row is: name in files, field, default weight, function of [`Maker`], meaning.
macro_rules! mix {
    ($($name:literal $field:ident = $usual:literal, $make:ident, $about:literal;)+) => {
        /// How often each kind of operation is sent, as weights.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Mix {
            $(pub $field: u32,)+
        }

        pub(crate) static MIX: &[Field<Mix>] = &fields! {
            $($name count(0, 1_000_000) => $field, $about;)+
        };

        static MAKERS: &[fn(&Maker<'_>) -> Act] = &[$(|maker| maker.$make().into()),+];

        impl Mix {
            /// The default mix.
            pub fn usual() -> Mix {
                Mix { $($field: $usual,)+ }
            }

            pub fn weights(&self) -> Vec<u64> {
                vec![$(self.$field.into()),+]
            }
        }
    };
}

mix! {
    "put" put = 30, put, "Put a key.";
    "put-prev" put_prev = 3, put_prev, "Put a key and ask for its previous value.";
    "get" get = 30, get, "Get a key.";
    "get-serializable" get_serializable = 5, get_serializable, "Get a key from the member's own state, without a quorum.";
    "get-at" get_at = 4, get_at, "Get a key at a revision of the past.";
    "list" list = 5, list, "Range over keys, with all options a range has.";
    "list-serializable" list_serializable = 2, list_serializable, "Range over keys without a quorum.";
    "delete" delete = 4, delete, "Delete a key, sometimes with its previous value.";
    "delete-range" delete_range = 1, delete_range, "Delete some neighbouring keys.";
    "cas" cas = 6, cas, "Put a key if its mod revision is what the client last saw, otherwise get it: as Kubernetes updates.";
    "create" create = 3, create, "Put a key if it does not exist, otherwise get it: as Kubernetes creates.";
    "txn" txn = 4, txn, "A txn of one to three operations per branch, with up to two compares.";
    "txn-read" txn_read = 1, txn_read, "A txn that only reads.";
    "txn-nested" txn_nested = 1, txn_nested, "A txn within a txn.";
    "compact" compact = 1, compact, "Compact to slightly below the newest revision the client has seen.";
    "invalid" invalid = 1, invalid, "A request that must end in one of etcd's own errors.";
    "grant" grant = 2, grant, "Grant a lease of a few seconds, sometimes with an id that the server chooses.";
    "put-leased" put_leased = 3, put_leased, "Put a key with the client's newest lease.";
    "keep-alive" keep_alive = 3, keep_alive, "Renew the client's newest lease.";
    "revoke" revoke = 1, revoke, "Revoke the client's newest lease.";
    "time-to-live" time_to_live = 1, time_to_live, "Ask for the remaining time of the client's newest lease, and for its keys.";
    "leases" leases = 1, leases, "List all leases.";
    "hash-kv" hash_kv = 0, hash_kv, "Ask a member for the hash of everything up to slightly below the newest revision the client has seen.";
    "watch" watch = 2, watch, "Open a watcher, with all options a watcher has.";
    "watch-cancel" watch_cancel = 1, watch_cancel, "Cancel a watcher.";
    "watch-progress" watch_progress = 1, watch_progress, "Request progress on a watch stream.";
    "watch-close" watch_close = 1, watch_close, "Close a watch stream.";
    "txn-at" txn_at = 0, txn_at, "A txn that writes, and also reads at an old revision.";
    "txn-large" txn_large = 0, txn_large, "A txn of up to 128 operations.";
    "watch-refused" watch_refused = 0, watch_refused, "Open a watcher that must be refused: of no key, of a revision below 0, of an id in use.";
}
