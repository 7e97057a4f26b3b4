//! Faults of clocks: another rate, a freeze, a step, and periodic jumps (`clock.rs` computes the readings).

use schedule::ClockFault;
use trace::{MemberId, Nanos};

use super::undo::Undo;
use crate::clock::{Clock, Swing};
use crate::deeds::Deed;
use crate::strike::{Reach, Strike};
use crate::system::System;

impl<S: System> Reach<'_, S> {
    /// Begins a fault of clocks.
    pub(super) fn begin_clock(&mut self, kind: &ClockFault, strike: &Strike<'_>) -> Undo {
        let now = self.now;
        let members = strike.members;
        match *kind {
            ClockFault::Rate { rate } => {
                self.set_clocks(members, |clock| clock.set_rate(now, rate));
                Undo::ClockRates
            }
            ClockFault::Freeze => {
                self.set_clocks(members, |clock| clock.set_rate(now, 0));
                Undo::ClockRates
            }
            ClockFault::Step { by } => {
                self.set_clocks(members, |clock| clock.step(by));
                Undo::Nothing
            }
            ClockFault::Strobe { by, period } => {
                self.set_clocks(members, |clock| clock.set_swing(now, Some(Swing::Strobe { by, period })));
                Undo::ClockSwings
            }
            ClockFault::Sine { by, period } => {
                self.set_clocks(members, |clock| clock.set_swing(now, Some(Swing::Sine { by, period })));
                Undo::ClockSwings
            }
        }
    }

    /// Lets the clocks of these members run at their usual rates again.
    pub(super) fn restore_clock_rates(&mut self, members: &[MemberId]) {
        let now = self.now;
        self.set_clocks(members, |clock| clock.reset_rate(now));
    }

    /// Ends the periodic changes of these members' wall clocks.
    pub(super) fn stop_clock_swings(&mut self, members: &[MemberId]) {
        let now = self.now;
        self.set_clocks(members, |clock| clock.set_swing(now, None));
    }

    /// Changes the clocks of members, and schedules their wake-ups anew.
    fn set_clocks(&mut self, members: &[MemberId], set: impl Fn(&mut Clock)) {
        for &member in members {
            let machine = &mut self.processes[member].machine;
            set(&mut machine.clock);
            // The wake-up was computed for the old rate. Without one, it is scheduled anew.
            machine.wake = Nanos::MAX;
            self.deeds.push(Deed::Wake(member));
        }
    }
}
