//! Turns: the times at which a client of a workload acts, with a draw for what it does.

use keyed::Draw;
use trace::Nanos;

use crate::choice::Dice;

/// The maximum number of turns of a client with a period of its own. Only very long runs reach it.
const MOST_TURNS: usize = 1_000_000;

/// A turn: a time at which a client of a workload acts, and a draw for what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its number among the client's turns, from 0.
    pub nth: u64,
    /// The time since the start of the run. If the client is still busy then, it acts when it is ready.
    pub at: Nanos,
    /// The draw that decides what the client does.
    pub draw: Draw,
}

impl Turn {
    /// Turn `nth` of a client at this time, in whole microseconds, which print shorter. `None` if it is not before the
    /// end.
    pub fn new(dice: Dice, client: u32, nth: u64, at: Nanos, end: Nanos) -> Option<Turn> {
        let draw = dice.nth(client.into()).nth(nth).field("what");
        (at < end).then_some(Turn { nth, at: at / 1_000 * 1_000, draw })
    }

    /// The draw for the place of turn `nth` of a client within its period.
    pub fn place(dice: Dice, client: u32, nth: u64) -> Draw {
        dice.nth(client.into()).nth(nth).field("at")
    }
}

/// Turns of a client: one in each period, at a drawn time within it, until the end.
pub fn turns(dice: Dice, end: Nanos, client: u32, period: Nanos) -> impl Iterator<Item = Turn> + use<> {
    let period = period.max(1_000_000).max(end / MOST_TURNS as u64);
    let turn = move |nth: u64| {
        let place = Turn::place(dice, client, nth).below(period);
        Turn::new(dice, client, nth, nth.checked_mul(period)?.checked_add(place)?, end)
    };
    (0..).map_while(turn)
}
