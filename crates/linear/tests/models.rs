//! Tests every model of `linear::models` on small random histories with right and wrong answers. The verdict must be
//! that of `linear::brute`, which tries all orders.

use crate::common::{compare, histories, history_of};
use linear::generate::Random;
use linear::models::keyed::{self, Keyed};
use linear::models::lock::Lock;
use linear::models::queue::Queue;
use linear::models::set::Set;
use linear::models::text::Text;
use linear::models::{list, lock, queue, set, text};
use linear::{History, Model, Operation, Outcome};

/// A random history. Inputs are drawn; outputs are the right ones at points in the intervals, or drawn too.
fn history<M: Model>(
    model: &M,
    random: &mut Random,
    input: impl Fn(&mut Random, u64) -> M::Input,
    outputs: impl Fn(&mut Random, &M::Input) -> Vec<M::Output>,
) -> History<M::Input, M::Output>
where
    M::Output: Clone,
{
    let length = 2 + random.below(5);
    let (unknown, wrong) = ([0, 20, 40][random.below(3) as usize], [0, 10][random.below(2) as usize]);
    let mut plan: Vec<(u64, u64, u64, u64)> = (0..length)
        .map(|index| {
            let (one, other) = (random.below(12), random.below(12));
            let (call, at) = (one.min(other), one.max(other));
            (call + random.below(at - call + 1), index, call, at)
        })
        .collect();
    plan.sort_unstable();
    let mut state = model.initial();
    let mut operations = Vec::new();
    for (_, index, call, at) in plan {
        let input = input(random, index);
        let lost = random.below(100) < unknown;
        let answers = outputs(random, &input);
        let right = answers.iter().position(|output| model.step(&state, &input, Some(output)).is_some());
        let output = match right {
            Some(right) if random.below(100) >= wrong => answers[right].clone(),
            _ => answers[random.below(answers.len() as u64) as usize].clone(),
        };
        if let (true, Some(after)) = (!lost || random.below(2) == 0, model.step(&state, &input, None)) {
            state = after;
        }
        let outcome = if lost { Outcome::Unknown } else { Outcome::Answered { output, at } };
        operations.push((index, Operation { client: index as u32, input, call, outcome }));
    }
    operations.sort_by_key(|(index, _)| *index);
    history_of(operations.into_iter().map(|(_, operation)| operation))
}

/// Judges many histories; both verdicts must be common.
fn many<M>(
    model: &M,
    input: impl Fn(&mut Random, u64) -> M::Input,
    outputs: impl Fn(&mut Random, &M::Input) -> Vec<M::Output>,
) where
    M: Model + Sync,
    M::Input: Sync + std::fmt::Debug,
    M::Output: Sync + std::fmt::Debug + Clone,
{
    let mut verdicts = [0; 2];
    for seed in 0..histories(20_000) {
        let mut random = Random::new(seed);
        let history = history(model, &mut random, &input, &outputs);
        verdicts[usize::from(compare(model, &history))] += 1;
    }
    assert!(verdicts.iter().all(|&count| count > 500), "{verdicts:?}");
    println!("linearizable: {} of {}", verdicts[1], verdicts[0] + verdicts[1]);
}

#[test]
fn a_queue() {
    let input = |random: &mut Random, _| match random.below(2) {
        0 => queue::Input::Insert(random.below(3)),
        _ => queue::Input::Take,
    };
    many(&Queue::new(), input, |_, input| match input {
        queue::Input::Insert(_) => vec![queue::Output::Inserted],
        queue::Input::Take => [None, Some(0), Some(1), Some(2)].map(queue::Output::Taken).to_vec(),
    });
}

#[test]
fn a_set() {
    let input = |random: &mut Random, _| match random.below(4) {
        0 | 1 => set::Input::Add(random.below(2)),
        2 => set::Input::Remove(random.below(2)),
        _ => set::Input::Read,
    };
    many(&Set::new(), input, |_, input| match input {
        set::Input::Read => {
            let sets = [vec![], vec![0], vec![1], vec![0, 1]];
            sets.map(|elements| set::Output::Elements(elements.into_iter().collect())).to_vec()
        }
        _ => [true, false].map(set::Output::Changed).to_vec(),
    });
}

#[test]
fn a_lock() {
    let input = |random: &mut Random, _| match random.below(2) {
        0 => lock::Input::Acquire(random.below(3) as u32),
        _ => lock::Input::Release(random.below(3) as u32),
    };
    many(&Lock, input, |_, _| [true, false].map(lock::Output).to_vec());
}

/// All lists of up to four elements below `elements`, with or without repetition.
fn lists(elements: u8, repeated: bool) -> Vec<Vec<u8>> {
    let mut lists = vec![vec![]];
    let mut at = 0;
    while at < lists.len() && lists[at].len() < 4 {
        for element in 0..elements {
            if repeated || !lists[at].contains(&element) {
                lists.push([lists[at].as_slice(), &[element]].concat());
            }
        }
        at += 1;
    }
    lists
}

#[test]
fn a_list_whose_elements_differ() {
    let input = |random: &mut Random, index| match random.below(2) {
        0 => list::Input::Append(index as u8),
        _ => list::Input::Read,
    };
    let lists = lists(7, false);
    many(&list::List::new(), input, |_, input| match input {
        list::Input::Append(_) => vec![list::Output::Appended],
        list::Input::Read => lists.iter().cloned().map(list::Output::Elements).collect(),
    });
}

#[test]
fn a_list_whose_elements_repeat() {
    let input = |random: &mut Random, _| match random.below(2) {
        0 => list::Input::Append(random.below(2) as u8),
        _ => list::Input::Read,
    };
    let lists = lists(2, true);
    many(&list::List::new(), input, |_, input| match input {
        list::Input::Append(_) => vec![list::Output::Appended],
        list::Input::Read => lists.iter().cloned().map(list::Output::Elements).collect(),
    });
}

/// Texts of the letters a and b, so that the same text can be made in several ways.
fn text_input(random: &mut Random) -> text::Input {
    let word = |random: &mut Random| ["a", "b", "ab", "aa"][random.below(4) as usize].to_owned();
    match random.below(9) {
        0..=2 => text::Input::Get,
        3 => text::Input::Put(word(random)),
        4..=6 => text::Input::Append(word(random)),
        7 => text::Input::Cas(word(random), word(random)),
        _ => text::Input::Delete,
    }
}

fn text_outputs(input: &text::Input) -> Vec<text::Output> {
    match input {
        text::Input::Get => {
            let letters =
                |list: Vec<u8>| list.into_iter().map(|letter| ["a", "b"][usize::from(letter)]).collect();
            lists(2, true).into_iter().map(letters).map(text::Output::Text).collect()
        }
        text::Input::Cas(..) => [true, false].map(text::Output::Set).to_vec(),
        _ => vec![text::Output::Done],
    }
}

#[test]
fn a_text() {
    many(&Text, |random, _| text_input(random), |_, input| text_outputs(input));
}

#[test]
fn texts_under_keys() {
    for model in [Keyed::new(Text), Keyed::together(Text)] {
        let input = |random: &mut Random, _| keyed::Input { key: random.below(2), input: text_input(random) };
        many(&model, input, |_, input| text_outputs(&input.input));
    }
}
