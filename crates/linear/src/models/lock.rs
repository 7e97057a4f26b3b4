//! A lock with one owner at a time.

use crate::model::Model;

/// What a client asks of a lock. The number is the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Makes this owner the owner, if there is none.
    Acquire(u32),
    /// Ends the ownership of this owner.
    Release(u32),
}

/// What a lock answers: whether it granted the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output(pub bool);

/// A lock without an owner at first.
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
            Input::Acquire(owner) => (state.is_none(), state.or(Some(owner))),
            Input::Release(owner) => (*state == Some(owner), state.filter(|&other| other != owner)),
        };
        output.is_none_or(|output| output.0 == granted).then_some(after)
    }

    fn is_read(&self, _: &Input, output: Option<&Output>) -> bool {
        output == Some(&Output(false))
    }

    fn describe_input(&self, input: &Input) -> String {
        match input {
            Input::Acquire(owner) => format!("acquire by {owner}"),
            Input::Release(owner) => format!("release by {owner}"),
        }
    }

    fn describe_output(&self, _: &Input, output: &Output) -> String {
        if output.0 { "granted".to_owned() } else { "refused".to_owned() }
    }

    fn describe_state(&self, state: &Option<u32>) -> String {
        state.map_or("nobody owns the lock".to_owned(), |owner| format!("{owner} owns the lock"))
    }
}
