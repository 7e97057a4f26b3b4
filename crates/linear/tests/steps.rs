//! Part of `src/search/steps.rs`, whose private fields it reads.

use super::*;

/// Row `n` appends `n`, unless it is there already; row 9 is right in every state and changes none.
struct Append;

impl Effects for Append {
    type State = Vec<u32>;

    fn initial(&self) -> Vec<u32> {
        Vec::new()
    }

    fn effect(&self, before: &Vec<u32>, row: u32) -> Option<After<Vec<u32>>> {
        match row {
            9 => Some(After::Same),
            row => {
                let after = || before.iter().copied().chain([row]).collect();
                (!before.contains(&row)).then(|| After::Changed(after()))
            }
        }
    }

    fn owned_bytes(&self, state: &Vec<u32>) -> usize {
        state.len() * size_of::<u32>()
    }
}

#[test]
fn equal_states_have_one_number_and_count_once() {
    let mut steps = Steps::new(Append, 1 << 20);
    let one = steps.after(0, 1).expect("it is right");
    assert_eq!((steps.after(0, 9), steps.after(one, 9)), (Some(0), Some(one)));
    assert_eq!(steps.after(one, 1), None);
    assert!(steps.take_work() > 0);
    let (bytes, again) = (steps.owned_bytes, steps.after(0, 1));
    assert_eq!((again, steps.owned_bytes, steps.take_work()), (Some(one), bytes, 0));
    // Nothing is known of the states that are forgotten, and the others go on.
    let two = steps.after(one, 2).expect("it is right");
    let mut numbers = [two, two];
    steps.keep_only(&mut numbers);
    assert_eq!((numbers, steps.owned_bytes), ([0, 0], 8 + ALLOCATION));
    assert_eq!(steps.after(0, 2), None);
    assert_eq!(steps.after(0, 3), Some(1));
}

#[test]
fn a_table_of_steps_that_is_full_begins_anew() {
    let mut steps = Steps::new(Append, 0);
    let mut state = 0;
    for row in 10..3_000 {
        state = steps.after(state, row).expect("it is right");
        assert!(steps.known.len() <= 1024);
    }
    assert_eq!(steps.after(state, 10), None);
}
