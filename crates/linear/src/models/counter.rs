//! A counter that is added to and read.
//!
//! Additions commute, so in general it takes a search to find out whether a history has an order. Two contradictions
//! show without a search ([`contradiction`]): a read outside the range of all sums that are possible, and, if nothing
//! negative is added, a read of less than an earlier one.

use crate::history::History;
use crate::model::Model;

/// What a client asks of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Adds a number, which may be negative.
    Add(i64),
    /// Reads the sum.
    Read,
}

/// What a counter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// The answer to an addition.
    Added,
    /// The answer to a read.
    Value(i64),
}

/// A counter that shows `initial` at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// What it shows before the first addition.
    pub initial: i64,
}

impl Model for Counter {
    type Input = Input;
    type Output = Output;
    /// Large enough for the sum of all 64-bit numbers of a history.
    type State = i128;
    type Value = ();

    fn initial(&self) -> i128 {
        i128::from(self.initial)
    }

    fn step(&self, state: &i128, input: &Input, output: Option<&Output>) -> Option<i128> {
        match (*input, output) {
            (Input::Add(number), None | Some(Output::Added)) => Some(state + i128::from(number)),
            (Input::Read, None) => Some(*state),
            (Input::Read, Some(Output::Value(seen))) => (i128::from(*seen) == *state).then_some(*state),
            _ => None,
        }
    }

    fn is_read(&self, input: &Input, _: Option<&Output>) -> bool {
        matches!(input, Input::Read | Input::Add(0))
    }

    fn describe_input(&self, input: &Input) -> String {
        match input {
            Input::Add(number) => format!("add({number})"),
            Input::Read => "read".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input, output: &Output) -> String {
        match output {
            Output::Added => "done".to_owned(),
            Output::Value(seen) => seen.to_string(),
        }
    }

    fn describe_state(&self, state: &i128) -> String {
        format!("the counter shows {state}")
    }
}

/// Reads of one counter that no order explains. Operations are indices in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A read shows a number that no choice among the additions adds up to.
    OutOfRange {
        /// The read.
        read: u32,
        /// The least that it can show.
        least: i128,
        /// The most that it can show.
        most: i128,
    },
    /// Nothing negative is added, but a later read shows less.
    Backwards {
        /// The read that shows more.
        earlier: u32,
        /// The read that was called after it had returned.
        later: u32,
    },
}

/// The first contradiction, in the order of the reads' returns, among these operations of one counter.
pub fn contradiction(counter: &Counter, history: &History<Input, Output>) -> Option<Contradiction> {
    let sums = Sums::new(history);
    let initial = counter.initial();
    let mut reads: Vec<(u64, u64, i128, u32)> = (0..)
        .zip(history.operations())
        .filter_map(|(index, operation)| match (operation.input, operation.output()?, operation.returned()) {
            (Input::Read, Output::Value(seen), Some(at)) => {
                Some((at, operation.call, i128::from(*seen), index))
            }
            _ => None,
        })
        .collect();
    reads.sort_unstable();
    // By return: the most that any read up to it shows.
    let mut most_so_far: Vec<(u64, i128, u32)> = Vec::new();
    for &(at, call, seen, read) in &reads {
        let least = initial + sums.certain(call) + sums.negative(at, call);
        let most = initial + sums.certain(call) + sums.positive(at, call);
        if !(least..=most).contains(&seen) {
            return Some(Contradiction::OutOfRange { read, least, most });
        }
        if sums.only_grows {
            let before = most_so_far.partition_point(|&(earlier, ..)| earlier < call);
            if let Some(&(_, shown, earlier)) = before.checked_sub(1).map(|last| &most_so_far[last])
                && shown > seen
            {
                return Some(Contradiction::Backwards { earlier, later: read });
            }
        }
        match most_so_far.last() {
            Some(&(_, shown, earlier)) if shown >= seen => most_so_far.push((at, shown, earlier)),
            _ => most_so_far.push((at, seen, read)),
        }
    }
    None
}

/// Sums of additions up to a time: each list has times and running sums, in the order of time.
struct Sums {
    /// Positive additions, by their calls, and by their returns.
    called_positive: Running,
    returned_positive: Running,
    called_negative: Running,
    returned_negative: Running,
    only_grows: bool,
}

type Running = Vec<(u64, i128)>;

impl Sums {
    fn new(history: &History<Input, Output>) -> Sums {
        let (mut called, mut returned) = ([Running::new(), Running::new()], [Running::new(), Running::new()]);
        for operation in history.operations() {
            let Input::Add(number) = operation.input else { continue };
            if operation.failed() {
                continue;
            }
            let side = usize::from(number < 0);
            called[side].push((operation.call, i128::from(number)));
            if let Some(at) = operation.returned() {
                returned[side].push((at, i128::from(number)));
            }
        }
        let only_grows = called[1].is_empty();
        let [called_positive, called_negative] = called.map(running);
        let [returned_positive, returned_negative] = returned.map(running);
        Sums { called_positive, returned_positive, called_negative, returned_negative, only_grows }
    }

    /// The sum of what had certainly been added at a call.
    fn certain(&self, call: u64) -> i128 {
        before(&self.returned_positive, call) + before(&self.returned_negative, call)
    }

    /// The sum of all positive additions that were called by `at` and had not returned before `call`.
    fn positive(&self, at: u64, call: u64) -> i128 {
        up_to(&self.called_positive, at) - before(&self.returned_positive, call)
    }

    fn negative(&self, at: u64, call: u64) -> i128 {
        up_to(&self.called_negative, at) - before(&self.returned_negative, call)
    }
}

fn running(mut list: Running) -> Running {
    list.sort_unstable();
    let mut sum = 0;
    for (_, number) in &mut list {
        sum += *number;
        *number = sum;
    }
    list
}

/// The sum of everything strictly before a time.
fn before(list: &[(u64, i128)], time: u64) -> i128 {
    last(list, list.partition_point(|&(at, _)| at < time))
}

/// The sum of everything up to and at a time.
fn up_to(list: &[(u64, i128)], time: u64) -> i128 {
    last(list, list.partition_point(|&(at, _)| at <= time))
}

fn last(list: &[(u64, i128)], count: usize) -> i128 {
    count.checked_sub(1).map_or(0, |last| list[last].1)
}
