//! Accounts between which money is transferred.
//!
//! No transfer changes the total, so two reads that show different totals contradict each other whatever else
//! happened ([`contradiction`]). The rest takes a search.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::history::History;
use crate::model::Model;

/// What a client asks of a bank.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<A> {
    /// Moves an amount from one account to another.
    Transfer {
        /// The account that loses it.
        from: A,
        /// The account that gets it.
        to: A,
        /// How much.
        amount: i64,
    },
    /// Reads all balances.
    Read,
}

/// What a bank answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<A> {
    /// The answer to a transfer.
    Transferred,
    /// The answer to a read. An account that it leaves out holds nothing; an account may be shown without a balance,
    /// which is never right.
    Balances(BTreeMap<A, Option<i64>>),
}

/// A bank. Its first balances are those that its first read shows, unless they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank<A> {
    /// The balances before the first transfer, if they are known, without accounts that hold nothing.
    pub initial: Option<BTreeMap<A, i128>>,
    /// Whether an account may hold less than nothing.
    pub negative: bool,
}

impl<A: Clone + Ord> Bank<A> {
    /// What a read shows, without accounts that hold nothing; `None` if no bank can show that.
    fn shown(&self, balances: &BTreeMap<A, Option<i64>>) -> Option<BTreeMap<A, i128>> {
        let mut shown = BTreeMap::new();
        for (account, balance) in balances {
            let balance = i128::from((*balance)?);
            if balance < 0 && !self.negative {
                return None;
            }
            if balance != 0 {
                shown.insert(account.clone(), balance);
            }
        }
        Some(shown)
    }

    /// A bank whose first balances are what this answer shows.
    pub fn starting_with(&self, output: &Output<A>) -> Option<Bank<A>> {
        match output {
            Output::Balances(balances) => Some(Bank { initial: Some(self.shown(balances)?), ..*self }),
            Output::Transferred => None,
        }
    }
}

impl<A: Clone + Ord + Hash + Debug> Model for Bank<A> {
    type Input = Input<A>;
    type Output = Output<A>;
    /// `None` while nothing is known of the balances.
    type State = Option<BTreeMap<A, i128>>;
    type Value = ();

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn step(&self, state: &Self::State, input: &Input<A>, output: Option<&Output<A>>) -> Option<Self::State> {
        match (input, output) {
            (Input::Read, None) => Some(state.clone()),
            (Input::Read, Some(Output::Balances(balances))) => {
                let shown = self.shown(balances)?;
                match state {
                    Some(known) => (*known == shown).then(|| state.clone()),
                    None => Some(Some(shown)),
                }
            }
            (Input::Transfer { from, to, amount }, None | Some(Output::Transferred)) => {
                let Some(known) = state else { return Some(None) };
                let mut after = known.clone();
                for (account, change) in [(from, -i128::from(*amount)), (to, i128::from(*amount))] {
                    let balance = after.remove(account).unwrap_or(0) + change;
                    if balance != 0 {
                        after.insert(account.clone(), balance);
                    }
                }
                let overdrawn = !self.negative && after.values().any(|balance| *balance < 0);
                match output {
                    _ if !overdrawn => Some(Some(after)),
                    // Without an answer it may have been refused.
                    None => Some(state.clone()),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }

    fn owned_bytes(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, |known| known.len() * size_of::<(A, i128)>() * 2)
    }

    fn is_read(&self, input: &Input<A>, output: Option<&Output<A>>) -> bool {
        // The first read decides what the balances are, if they are not known.
        matches!(input, Input::Read) && (self.initial.is_some() || output.is_none())
    }

    fn describe_input(&self, input: &Input<A>) -> String {
        match input {
            Input::Transfer { from, to, amount } => format!("transfer {amount} from {from:?} to {to:?}"),
            Input::Read => "read".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<A>, output: &Output<A>) -> String {
        match output {
            Output::Transferred => "done".to_owned(),
            Output::Balances(balances) => {
                let one = |(account, balance): (&A, &Option<i64>)| match balance {
                    Some(balance) => format!("{account:?}: {balance}"),
                    None => format!("{account:?}: nothing at all"),
                };
                format!("{{{}}}", balances.iter().map(one).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn describe_state(&self, state: &Self::State) -> String {
        match state {
            Some(known) => format!("the accounts hold {known:?}"),
            None => "no bank shows that".to_owned(),
        }
    }
}

/// Reads that no order explains. Operations are indices in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction<A> {
    /// These two reads show different totals.
    Totals {
        /// The read that returned first.
        earlier: u32,
        /// The total that it shows.
        had: i128,
        /// The other read.
        later: u32,
        /// The total that this one shows.
        has: i128,
    },
    /// A read shows an account that holds less than nothing.
    Negative {
        /// The read.
        read: u32,
        /// The account.
        account: A,
        /// What it shows.
        balance: i64,
    },
    /// A read shows an account without a balance.
    NoBalance {
        /// The read.
        read: u32,
        /// The account.
        account: A,
    },
}

/// The first contradiction that a read shows alone, or together with the first read.
pub fn contradiction<A: Clone + Ord>(
    bank: &Bank<A>,
    history: &History<Input<A>, Output<A>>,
) -> Option<Contradiction<A>> {
    let mut reads: Vec<(u64, u32)> = (0..)
        .zip(history.operations())
        .filter(|(_, operation)| matches!(operation.output(), Some(Output::Balances(_))))
        .filter_map(|(index, operation)| Some((operation.returned()?, index)))
        .collect();
    reads.sort_unstable();
    let mut first: Option<(u32, i128)> =
        bank.initial.as_ref().map(|initial| (u32::MAX, initial.values().sum()));
    for (_, read) in reads {
        let Some(Output::Balances(balances)) = history.operation(read).output() else { continue };
        let mut total = 0;
        for (account, balance) in balances {
            match *balance {
                None => return Some(Contradiction::NoBalance { read, account: account.clone() }),
                Some(balance) if balance < 0 && !bank.negative => {
                    return Some(Contradiction::Negative { read, account: account.clone(), balance });
                }
                Some(balance) => total += i128::from(balance),
            }
        }
        match first {
            None => first = Some((read, total)),
            Some((earlier, had)) if had != total && earlier != u32::MAX => {
                return Some(Contradiction::Totals { earlier, had, later: read, has: total });
            }
            Some(_) => {}
        }
    }
    None
}
