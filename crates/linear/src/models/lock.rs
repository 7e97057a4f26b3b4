//! A lock with one owner at a time.

use crate::model::Model;

/// What can be asked of a lock. The number names who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// To own it, if nobody does.
    Acquire(u32),
    /// To own it no longer.
    Release(u32),
}

/// What a lock answers: whether it did what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output(pub bool);

/// A lock that first has no owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lock;

impl Model for Lock {
    type Input = Input;
    type Output = Output;
    type State = Option<u32>;
    type Value = ();

    fn initial(&self) -> Option<u32> {
        None
    }

    fn step(&self, state: &Option<u32>, input: &Input, output: Option<&Output>) -> Option<Option<u32>> {
        let (granted, after) = match *input {
            Input::Acquire(who) => (state.is_none(), state.or(Some(who))),
            Input::Release(who) => (*state == Some(who), state.filter(|&owner| owner != who)),
        };
        output.is_none_or(|told| told.0 == granted).then_some(after)
    }

    fn is_read(&self, _: &Input, output: Option<&Output>) -> bool {
        output == Some(&Output(false))
    }

    fn describe_input(&self, input: &Input) -> String {
        match input {
            Input::Acquire(who) => format!("acquire by {who}"),
            Input::Release(who) => format!("release by {who}"),
        }
    }

    fn describe_output(&self, _: &Input, output: &Output) -> String {
        if output.0 { "granted".to_owned() } else { "refused".to_owned() }
    }

    fn describe_state(&self, state: &Option<u32>) -> String {
        state.map_or("nobody owns the lock".to_owned(), |owner| format!("{owner} owns the lock"))
    }
}
