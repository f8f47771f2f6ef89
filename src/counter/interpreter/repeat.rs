//! Where what iterations leave behind decides the path of later ones: their mean over a period, or over a part.
//!
//! Correct means: a period is one only where everything that iterations can read is at its end what it was at
//! its beginning, and the walk goes on from there as it did; then all that comes behind it is that again.
//!
//! States are compared with one that is kept, and the kept one is replaced when as many turns have passed as it
//! took to come to it (Brent's algorithm), so a period is found whatever comes before it.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, OpAccess, Register};

use super::super::flow::loop_words;
use super::{LONGEST, most_instructions};
use crate::branch::Branch;
use crate::interpreter::memory::Stored;
use crate::interpreter::{Cpu, Registers, State, Stop, Tally, Watch};
use crate::link::frame::FRAMES;
use crate::link::{Image, Owner};
use crate::stage::{Ground, Pulse, Stage, Visits};
use crate::template::{Clobbers, RANDOM_ELEMENTS};

/// What was counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// Whole iterations.
    pub(super) iterations: u64,
    /// What ran in them.
    pub(super) tally: Tally,
    /// Whether they are a period, or all that there is to it; else they are the first ones.
    pub(super) is_period: bool,
}

/// Interprets up to `most` iterations, the walk over and over, until they repeat themselves where that is
/// what is sought.
pub(super) fn count(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    (most, seeks): (u64, bool),
) -> Result<Counted, Stop> {
    let image = stage.images[0].clone();
    let has_walk = stage.row.has_walk();
    let in_turn = match stage.row.clobbers {
        Clobbers::All => FRAMES,
        Clobbers::Some => 1,
    };
    let most = most.min(RANDOM_ELEMENTS);
    let pass = if has_walk { visits.len() } else { most };
    let unit = match has_walk {
        true => least_common_multiple(period_of(&visits.kinds), in_turn),
        false => in_turn,
    };
    let mut search = Search {
        seeks,
        read: read_registers(&image),
        loops: loop_words(&image, ground.frame(), ground.stack().addresses().end),
        unit,
        done: 0,
        in_pass: 0,
        pass,
        most,
        spent: 0,
        spent_before: 0,
        most_instructions: most_instructions(most),
        kept: None,
        lap: 0,
        longest_lap: 1,
        reached: None,
        pulse: ground.pulse(),
    };
    // Frames take turns from where the last pass ended, and a pass begins with the first one.
    let goes_on = has_walk && pass.is_multiple_of(in_turn);
    stage.emulate(ground, visits, pass, |interpreter, cpu, again| {
        let mut all = Tally::default();
        let mut since = 0;
        search.keep(cpu);
        loop {
            search.spent_before = search.spent;
            match interpreter.run(cpu, image.loop_head, image.loop_end, &mut search) {
                Ok(()) if goes_on => {
                    again.apply(cpu);
                    search.in_pass = 0;
                    search.judge(cpu);
                }
                Ok(()) => search.reached = Some(Reached::Limit),
                Err(Stop::Enough) => {}
                Err(stop) => return Err(stop),
            }
            match search.reached.take() {
                None => {}
                Some(Reached::Again) => {
                    return Ok(Counted {
                        iterations: search.done - since,
                        tally: interpreter.tally(),
                        is_period: true,
                    });
                }
                Some(Reached::Lap) => {
                    all += interpreter.tally();
                    interpreter.forget();
                    since = search.done;
                    search.keep(cpu);
                }
                Some(Reached::Limit) => {
                    all += interpreter.tally();
                    return Ok(Counted {
                        iterations: search.done,
                        tally: all,
                        is_period: false,
                    });
                }
            }
        }
    })
}

/// After how many elements a walk repeats itself; a divisor of its length.
fn period_of(objects: &[u32]) -> u64 {
    let length = objects.len();
    let divisors = (1..length).filter(|period| length.is_multiple_of(*period));
    // Few walks have many divisors, and most differ early from themselves.
    let mut repeats = divisors.filter(|period| objects[*period..] == objects[..length - *period]);
    repeats.next().unwrap_or(length.max(1)) as u64
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

/// The registers that the template's code reads, wherever it does.
fn read_registers(image: &Image) -> Registers {
    let mut read = Registers::default();
    let mut factory = InstructionInfoFactory::new();
    let own = image
        .pieces
        .iter()
        .filter(|piece| piece.owner != Owner::Harness);
    for piece in own {
        let at = |address: u64| (address - image.site.code) as usize;
        let bytes = &image.code[at(piece.addresses.start)..at(piece.addresses.end)];
        for code in &mut Decoder::new(64, bytes, DecoderOptions::NONE) {
            read.flags |= code.rflags_read();
            for used in factory.info(&code).used_registers() {
                if used.access() != OpAccess::Write {
                    see(&mut read, used.register());
                }
            }
        }
    }
    read
}

fn see(read: &mut Registers, register: Register) {
    if register.is_gpr() {
        read.general |= 1 << register.full_register().number();
    } else if register.is_vector_register() {
        read.vectors |= 1 << register.number();
    } else if register.is_k() {
        read.masks |= 1 << register.number();
    }
}

/// Why interpreting was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// What is kept is to be replaced.
    Lap,
    /// All is again what it was.
    Again,
    /// As much as may run.
    Limit,
}

/// Looks for the state that was kept.
struct Search {
    seeks: bool,
    read: Registers,
    loops: [Range<u64>; 2],
    /// Iterations behind which the loop around the body is where it was.
    unit: u64,
    done: u64,
    in_pass: u64,
    pass: u64,
    most: u64,
    spent: u64,
    spent_before: u64,
    most_instructions: u64,
    kept: Option<(Stored, State)>,
    lap: u64,
    longest_lap: u64,
    reached: Option<Reached>,
    pulse: Pulse,
}

impl Search {
    fn keep(&mut self, cpu: &Cpu<'_>) {
        self.kept = Some((cpu.copy_memory(), cpu.state(&self.read)));
        self.lap = 0;
    }

    /// Looks at the machine between two iterations.
    fn judge(&mut self, cpu: &Cpu<'_>) {
        if self.seeks && self.done.is_multiple_of(self.unit) {
            self.lap += 1;
            let is_kept = self.kept.as_ref().is_some_and(|(memory, state)| {
                *state == cpu.state(&self.read) && cpu.holds(memory, &self.loops)
            });
            if is_kept {
                self.reached = Some(Reached::Again);
                return;
            }
            if self.lap == self.longest_lap {
                self.longest_lap *= 2;
                self.reached = Some(Reached::Lap);
            }
        }
        if self.done >= self.most || self.spent >= self.most_instructions {
            self.reached = Some(Reached::Limit);
        }
    }
}

impl Watch for Search {
    fn branch(&mut self, _: Branch) {}

    fn longest(&self) -> u64 {
        LONGEST
    }

    fn turn(&mut self, instructions: u64, cpu: &Cpu<'_>) -> bool {
        self.done += 1;
        self.in_pass += 1;
        self.pulse.beat();
        self.spent = self.spent_before + instructions;
        if self.in_pass == self.pass {
            // Judged when the walk begins anew.
            return true;
        }
        self.judge(cpu);
        self.reached.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_repeats_itself_after_its_shortest_period() {
        let cases: [(&[u32], u64); 6] = [
            (&[0, 0, 0, 0], 1),
            (&[0, 1, 0, 1], 2),
            (&[0, 1, 0, 1, 0], 5),
            (&[0, 0, 1, 0, 0, 1], 3),
            (&[0, 1, 2, 3], 4),
            (&[7], 1),
        ];
        for (objects, period) in cases {
            assert_eq!(period_of(objects), period, "{objects:?}");
        }
    }

    #[test]
    fn frames_and_walk_are_together_again_after_their_least_common_multiple() {
        assert_eq!(least_common_multiple(6, 4), 12);
        assert_eq!(least_common_multiple(1, 4), 4);
        assert_eq!(least_common_multiple(8, 4), 8);
    }
}
