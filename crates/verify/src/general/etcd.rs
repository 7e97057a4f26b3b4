//! Lets the crate `linear` judge a history of etcd with the whole sequential model ([`crate::model`]).

use std::hash::{Hash, Hasher};

use api::{Error, Part, Request, Response};
use linear::{Budget, Operation, Outcome, Report};
use record::History;

use crate::answer;
use crate::definite::{is_modelled, is_other_order, over_at};
use crate::describe;
use crate::k1::is_service;
use crate::k1::place::{Place, Position, is_local, is_write, place};
use crate::k1::replay::granted;
use crate::keys_only;
use crate::model::{FIRST_REVISION, Model, Ties};
use crate::{Missing, NotJudged, Oracle, Sheet};

/// How many bytes a key takes in a state's store, including its list of versions (one).
const BYTES_PER_KEY: usize = 160;

/// A history, as `linear` needs it.
#[derive(Debug)]
pub struct Asked {
    /// What is judged.
    pub history: linear::History<Request, Result<Response, Error>>,
    /// The numbers of its operations in the record's history.
    pub numbers: Vec<u32>,
    /// The model that judges it.
    pub model: Etcd,
}

/// etcd, one request after another.
#[derive(Clone, Copy, Debug)]
pub struct Etcd {
    /// The revision of the empty store at the beginning.
    start_revision: i64,
    /// Whether old versions of keys are needed: a request reads at a revision, or compacts.
    past: bool,
    /// Whether the answers to keys-only ranges omit the leases.
    leaves_leases_out: bool,
}

/// The store and the leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(Model);

/// Hashes what can be read at the newest revision. States that differ only in the past, or in leases without keys,
/// have the same hash; equality tells them apart.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.revision().hash(hasher);
        self.0.newest().for_each(|pair| pair.hash(hasher));
    }
}

impl Asked {
    /// Converts a history. Operations that say nothing about the order are left out: serializable reads, reads without
    /// an answer, and calls and errors that the model does not know.
    pub fn new(history: &History, start_revision: i64) -> Asked {
        let mut past = false;
        let (mut asked, mut numbers) = (linear::History::new(), Vec::new());
        for (number, operation) in (0..).zip(&history.operations) {
            past |= reads_the_past(&operation.request);
            let output = match (place(operation), &operation.outcome) {
                (Place::Shows(_) | Place::Silent, _) => continue,
                (_, record::Outcome::Answer { response, .. }) => Some(Ok(response.clone())),
                (Place::Somewhere, record::Outcome::Error { error, .. }) if is_modelled(*error) => {
                    Some(Err(*error))
                }
                (Place::Somewhere, _) => continue,
                _ => None,
            };
            let outcome = match (output, over_at(operation)) {
                (Some(output), Some(at)) => Outcome::Answered { output, at },
                _ => Outcome::Unknown,
            };
            let (client, input) = (operation.client, granted(operation).into_owned());
            let operation = Operation { client, input, call: operation.call, outcome };
            asked.push(operation).expect("a record has no operation that returns before its call");
            numbers.push(number);
        }
        let leaves_leases_out = keys_only::leave_leases_out(history);
        Asked { history: asked, numbers, model: Etcd { start_revision, past, leaves_leases_out } }
    }

    /// Why the whole model cannot judge this history: something that no client asked for changes the store.
    pub fn beyond(history: &History) -> Option<&'static str> {
        let asks = |what: fn(&Request) -> bool| history.operations.iter().any(|one| what(&one.request));
        if asks(|request| matches!(request, Request::LeaseGrant(_))) {
            return Some("leases expire, which no client sees");
        }
        if asks(|request| crate::model::auth::changes_auth(request) || matches!(request, Request::Alarm(_))) {
            return Some("users, rights and alarms are checked by the revision engine alone");
        }
        if asks(is_service) {
            return Some("the lock and election services write keys of their own");
        }
        None
    }

    /// The parts of a history that this model does not judge.
    pub fn left_out(history: &History) -> Vec<NotJudged> {
        let count = |is_meant: fn(&record::Operation) -> bool| {
            history.operations.iter().filter(|operation| is_meant(operation)).count()
        };
        let serializable = count(|one| matches!(place(one), Place::Shows(_)));
        let others =
            count(|one| place(one) == Place::Silent && !is_local(&one.request) && one.response().is_some());
        let mut sheet = Sheet::default();
        let mut not_judged = |oracle, what, count| {
            sheet.not_judged(oracle, what, count, Missing::RevisionEngine);
        };
        not_judged(Oracle::K1, "answers that are about neither keys nor leases", others);
        not_judged(Oracle::K2, "serializable answers", serializable);
        not_judged(Oracle::W7, "streams of watchers", history.watches.len());
        not_judged(Oracle::C1, "views of clients' copies", history.caches.len());
        sheet.into_verdict().not_judged
    }

    /// Judges it.
    pub fn check(&self, budget: &Budget<'_>) -> Report {
        linear::check(&self.model, &self.history, budget)
    }
}

/// Whether the request reads at a revision, or compacts.
fn reads_the_past(request: &Request) -> bool {
    matches!(request, Request::Compact(_))
        || request.parts().any(|part| matches!(part, Part::Range(range) if range.revision > 0))
}

impl Etcd {
    /// An etcd whose store is empty at this revision; a new one has [`FIRST_REVISION`].
    pub fn starting_at(start_revision: i64) -> Etcd {
        Etcd { start_revision, past: true, leaves_leases_out: false }
    }
}

impl Default for Etcd {
    fn default() -> Etcd {
        Etcd::starting_at(FIRST_REVISION)
    }
}

/// Whether the revision of an answer rules out this state, which is cheaper to find out than by executing the
/// request.
fn is_elsewhere(model: &Model, request: &Request, response: &Response) -> bool {
    let position = match request {
        Request::Put(_) => Position::making(answer::revision(response.header())),
        Request::Range(_) => Position::during(answer::revision(response.header())),
        _ => return false,
    };
    position.revision() != model.revision() + i64::from(position.makes_revision())
}

impl linear::Model for Etcd {
    type Input = Request;
    type Output = Result<Response, Error>;
    type State = State;
    type Value = ();

    fn initial(&self) -> State {
        let mut model = Model::starting_at(self.start_revision);
        model.leave_leases_out(self.leaves_leases_out);
        State(model)
    }

    fn step(&self, state: &State, request: &Request, output: Option<&Self::Output>) -> Option<State> {
        if let Some(Ok(response)) = output
            && is_elsewhere(&state.0, request, response)
        {
            return None;
        }
        let (mut model, mut ties) = (state.0.clone(), Ties::default());
        let result = model.apply_noting(request, &mut ties);
        let fits = match (output, &result) {
            (None, _) => true,
            (Some(Ok(response)), Ok(expected)) => answer::difference(expected, response, &ties).is_none(),
            (Some(Err(error)), Err(expected)) => {
                error == expected || is_other_order(request, *error, *expected)
            }
            _ => false,
        };
        if fits && !self.past {
            model.forget_past();
        }
        fits.then_some(State(model))
    }

    fn is_read(&self, request: &Request, output: Option<&Self::Output>) -> bool {
        match output {
            Some(Err(_)) => true,
            _ => !is_write(request),
        }
    }

    /// Values are shared with the history; a key takes only its place in the store.
    fn owned_bytes(&self, State(model): &State) -> usize {
        model.newest().count() * BYTES_PER_KEY
    }

    fn describe_input(&self, request: &Request) -> String {
        describe::request(request)
    }

    fn describe_output(&self, _: &Request, output: &Self::Output) -> String {
        match output {
            Ok(response) => format!("revision {}", answer::revision(response.header())),
            Err(error) => format!("{error}"),
        }
    }

    fn describe_state(&self, State(model): &State) -> String {
        format!("the store is at revision {}", model.revision())
    }
}
