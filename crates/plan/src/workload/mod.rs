//! What the clients of a scenario ask.
//!
//! Every operation is drawn by itself, from its client's number and its own (rule R2). Every value
//! that is written names the operation that writes it (`c2o17`; further puts of one txn `c2o17-1`,
//! …), so that a value seen anywhere leads back to the one operation it can come from.

mod make;

use api::Request;
use record::Nanos;

use crate::choice::Dice;
use crate::field::{Field, Form, HOUR, MS, SECOND, Words, count, fields, time, words};
use crate::sections::{CLOCK_RATE, FAILOVER};
use crate::units::Unit;
use crate::workload::make::Maker;
use crate::{Failover, PlannedOperation, Spread};

/// The `[workload]` of a scenario, decided. Timeout, failover and endpoints are drawn for each client.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub clients: u32,
    /// Operations an hour, of all clients together; 0: as fast as answers come.
    pub rate: u64,
    pub operations: u64,
    pub keys: u32,
    pub key_prefix: String,
    pub value_bytes: Spread,
    pub endpoints: Endpoints,
    pub failover: Failover,
    pub timeout: Nanos,
    pub clock: Option<u32>,
}

/// Which members a client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoints {
    All,
    One,
    Some,
}

words!(Endpoints: "all" = Endpoints::All, "one" = Endpoints::One, "some" = Endpoints::Some);

/// Most clients of a scenario.
pub(crate) const MOST_CLIENTS: i128 = 1_000;

pub(crate) static WORKLOAD: &[Field<Workload>] = fields! {
    "clients" count(0, MOST_CLIENTS) => clients, "How many clients. Client `n` begins with member `n` modulo the number of members, plus 1.";
    "rate" Form::Number { unit: Unit::Rate, low: 0, high: 3_600_000_000, zero: Some("unthrottled") } => rate, "Operations of all clients together; each client asks at its share of it, but never before its last answer. `\"unthrottled\"`: the next operation follows the answer at once.";
    "operations" Form::Number { unit: Unit::Count, low: 0, high: 10_000_000, zero: Some("unlimited") } => operations, "Most operations of one client; an unthrottled workload needs it.";
    "keys" count(1, 1_000_000) => keys, "How many keys. Few are hot keys, and make conflicts.";
    "key-prefix" Form::Text => key_prefix, "What every key begins with; its number follows.";
    "value-bytes" Form::Spread { unit: Unit::Size, high: 2 << 20 } => value_bytes, "Length of a value, drawn for each; never shorter than the name of its operation.";
    "endpoints" Form::Word(Endpoints::NAMES) => endpoints, "Which members a client knows: all, one, or some of them. Drawn for each client.";
    "failover" FAILOVER => failover, "When a client turns to its next endpoint. Drawn for each client.";
    "timeout" time(MS, HOUR) => timeout, "How long a client waits for an answer, by its own clock. Drawn for each client.";
    "clock" CLOCK_RATE => clock, "How fast a client's clock runs. Drawn for each client. Left out: as in `[clocks]`.";
};

impl Default for Workload {
    fn default() -> Workload {
        Workload {
            clients: 5,
            rate: 20 * 3_600,
            operations: 0,
            keys: 5,
            key_prefix: "k".into(),
            value_bytes: Spread::Constant(0),
            endpoints: Endpoints::All,
            failover: Failover::OnTrouble,
            timeout: 2 * SECOND as Nanos,
            clock: None,
        }
    }
}

impl Workload {
    /// When operation `nth` of client `client` may be called; `None` after the last one.
    fn at(&self, client: u32, nth: u64, horizon: Nanos, dice: Dice) -> Option<Nanos> {
        if self.operations != 0 && nth >= self.operations {
            return None;
        }
        if self.rate == 0 {
            return (self.operations != 0).then_some(0);
        }
        // One operation in each interval, at a place of its own in it.
        let interval = u128::from(self.clients) * HOUR as u128 / u128::from(self.rate);
        let interval = u64::try_from(interval).unwrap_or(u64::MAX).max(1);
        let place = dice.nth(u64::from(client)).nth(nth).field("at").below(interval);
        let at = nth.checked_mul(interval)?.checked_add(place)?;
        // Whole microseconds: they are printed shorter, and nothing depends on the rest.
        (at < horizon).then_some(at / 1_000 * 1_000)
    }

    /// Everything a client asks until `horizon`.
    pub fn operations(&self, client: u32, mix: &Mix, horizon: Nanos, dice: Dice) -> Vec<PlannedOperation> {
        let weights = mix.weights();
        let mut operations = Vec::new();
        while let Some(at) = self.at(client, operations.len() as u64, horizon, dice) {
            let nth = operations.len() as u64;
            let draw = dice.nth(u64::from(client)).nth(nth).field("what");
            let maker = Maker { workload: self, client, nth, draw };
            let request = MAKERS[draw.then(0).weighted(&weights)](&maker);
            operations.push(PlannedOperation { at, request });
        }
        operations
    }
}

/// The weights of the mix, one field a kind of operation.
macro_rules! mix {
    ($($name:literal $field:ident = $usual:literal, $make:ident, $about:literal;)+) => {
        /// How often each kind of operation is asked, as weights.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Mix {
            $(pub $field: u32,)+
        }

        pub(crate) static MIX: &[Field<Mix>] = fields! {
            $($name count(0, 1_000_000) => $field, $about;)+
        };

        static MAKERS: &[fn(&Maker<'_>) -> Request] = &[$(|maker| maker.$make()),+];

        impl Mix {
            /// What clients ask where a scenario does not say.
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
    "list-serializable" list_serializable = 2, list_serializable, "The same without a quorum.";
    "delete" delete = 4, delete, "Delete a key, sometimes with its previous value.";
    "delete-range" delete_range = 1, delete_range, "Delete some neighbouring keys.";
    "cas" cas = 6, cas, "Put a key if its mod revision is what the client last saw, else get it: as Kubernetes updates.";
    "create" create = 3, create, "Put a key if it does not exist, else get it: as Kubernetes creates.";
    "txn" txn = 4, txn, "A txn of one to three operations a branch, with up to two compares.";
    "txn-read" txn_read = 1, txn_read, "A txn that only reads.";
    "txn-nested" txn_nested = 1, txn_nested, "A txn within a txn.";
    "compact" compact = 1, compact, "Compact to a little below the newest revision the client has seen.";
    "invalid" invalid = 1, invalid, "A request that must end in one of etcd's own errors.";
}
