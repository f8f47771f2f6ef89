//! Two sequences of executed instructions, held against each other.
//!
//! Correct means: an instruction is like another if it does the same to operands of the same kinds, in
//! the caller or in what it calls; which registers it uses does not matter, nor where its frame and its variables
//! are, but the offset in an object, a type or an itab does. A conditional
//! jump is like another if it has the same condition and goes the same way. What is not alike is told, and from
//! which side: an instruction of the caller passes for one of Go's loop only where a loop has such ones.

use iced_x86::{ConditionCode, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::stepped::Trace;

/// Iterations that are compared: all types of any walk, equally often.
const ITERATIONS: usize = 64;
/// Iterations of ours that are needed for it.
pub(crate) const NEEDED: usize = ITERATIONS + 1;

/// An executed instruction.
#[derive(Clone)]
pub(crate) struct Executed {
    pub(crate) instruction: Instruction,
    /// Of the kernel or the body itself, not of what it calls.
    pub(crate) is_own: bool,
    /// A branch that went elsewhere than on.
    pub(crate) is_taken: bool,
}

/// What an instruction is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Likeness {
    mnemonic: Mnemonic,
    operands: [Kind; 2],
    /// Of a conditional jump: its condition, and whether it was taken.
    way: Option<(ConditionCode, bool)>,
    is_own: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Register,
    /// With the offset from what a register points to; none of the frame, of a variable and of an array.
    Memory(Option<u64>),
    Number,
}

impl Executed {
    fn likeness(&self) -> Likeness {
        let one = &self.instruction;
        let operand = |number: u32| match () {
            () if number >= one.op_count() => Kind::None,
            () => match one.op_kind(number) {
                OpKind::Register => Kind::Register,
                OpKind::Memory => Kind::Memory(offset(one)),
                _ => Kind::Number,
            },
        };
        let mut operands = [operand(0), operand(1)];
        let mnemonic = match one.mnemonic() {
            _ if one.is_jcc_short_or_near() => Mnemonic::Jne,
            Mnemonic::Inc | Mnemonic::Dec => {
                operands[1] = Kind::Number;
                Mnemonic::Add
            }
            // In 32 bits it is no address but a sum, and what is added differs from type to type as other numbers do.
            Mnemonic::Lea if one.op0_register().size() == 4 => {
                operands[1] = Kind::Number;
                Mnemonic::Lea
            }
            // The compiler subtracts by adding, and the other way round.
            Mnemonic::Sub if operands[1] == Kind::Number => Mnemonic::Add,
            other => other,
        };
        let way = one
            .is_jcc_short_or_near()
            .then(|| (one.condition_code(), self.is_taken));
        Likeness {
            mnemonic,
            operands,
            way,
            is_own: self.is_own,
        }
    }

    /// Whether a loop may have it: it moves its own state, counts and jumps, and neither calls nor follows a pointer.
    fn may_be_of_a_loop(&self) -> bool {
        let follows = self
            .likeness()
            .operands
            .iter()
            .any(|kind| matches!(kind, Kind::Memory(Some(_))));
        let leaves = !matches!(
            self.instruction.flow_control(),
            FlowControl::Next | FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
        );
        !(follows && self.instruction.mnemonic() != Mnemonic::Lea || leaves)
    }

    /// Whether it moves the stack pointer by a number of its own, as a function does that has a frame.
    fn moves_stack(&self) -> bool {
        let one = &self.instruction;
        let is_sum = matches!(one.mnemonic(), Mnemonic::Add | Mnemonic::Sub);
        is_sum && one.op_kind(0) == OpKind::Register && one.op0_register() == Register::RSP
    }

    fn is_padding(&self) -> bool {
        self.instruction.mnemonic() == Mnemonic::Nop
    }

    fn is_move(&self) -> bool {
        let like = self.likeness();
        like.mnemonic == Mnemonic::Mov && like.operands == [Kind::Register, Kind::Register]
    }
}

/// How far behind what a register points to an operand stands.
fn offset(one: &Instruction) -> Option<u64> {
    let is_frame = matches!(one.memory_base(), Register::RSP | Register::RBP);
    let is_pointer = one.memory_base().is_gpr64() && one.memory_index() == Register::None;
    (is_pointer && !is_frame).then(|| one.memory_displacement64())
}

/// Instructions per iteration, and what is left over on either side once like is put beside like.
#[derive(Clone, Default)]
pub(crate) struct Comparison {
    /// Go's, padding apart.
    pub(crate) go: f64,
    /// Go's padding.
    pub(crate) padding: f64,
    /// Ours, padding apart.
    pub(crate) ours: f64,
    /// Of Go's: those of the loop, which are all in the kernel itself.
    pub(crate) around: f64,
    /// Of those: conditional jumps. The loop has one.
    pub(crate) loop_jumps: f64,
    /// Go's branches that are taken, the loop's included.
    pub(crate) go_taken: f64,
    /// Ours, the loop's included, which is one.
    pub(crate) ours_taken: f64,
    /// Of ours: those that move the stack pointer.
    pub(crate) stack_moves: f64,
    /// Of ours: moves between registers that Go's compiler had no need of.
    pub(crate) moves: f64,
    /// Of Go's: in what it calls, or what no loop has, and nothing like it in ours.
    pub(crate) only_go: Vec<String>,
    /// Of ours: not in Go's.
    pub(crate) only_ours: Vec<String>,
}

impl Comparison {
    /// Iteration by iteration, the trace cut where it fits best: a loop may begin anywhere, and the
    /// compiler's does so in the middle.
    pub(crate) fn of(go: &Trace, ours: &[Vec<Executed>]) -> Comparison {
        let candidates = go.cuts().into_iter().flat_map(|cut| {
            let iterations = go.cut(cut);
            // What is in front of the cut belongs to the element before.
            [0, 1].map(|first| {
                let pairs = iterations.iter().copied().zip(&ours[first..]);
                Comparison::pairwise(pairs.take(ITERATIONS))
            })
        });
        candidates
            .min_by_key(|one| one.only_go.len() + one.only_ours.len())
            .unwrap_or_default()
    }

    fn pairwise<'a>(
        pairs: impl Iterator<Item = (&'a [Executed], &'a Vec<Executed>)>,
    ) -> Comparison {
        let mut all = Comparison::default();
        let mut count = 0.0_f64;
        for (go, ours) in pairs {
            all.add(go, ours);
            count += 1.0;
        }
        for sum in [
            &mut all.go,
            &mut all.padding,
            &mut all.ours,
            &mut all.go_taken,
            &mut all.ours_taken,
            &mut all.stack_moves,
            &mut all.around,
            &mut all.loop_jumps,
            &mut all.moves,
        ] {
            *sum /= count.max(1.0);
        }
        all
    }

    fn add(&mut self, go: &[Executed], ours: &[Executed]) {
        let taken = |all: &[Executed]| all.iter().filter(|one| one.is_taken).count() as f64;
        self.go_taken += taken(go);
        self.ours_taken += taken(ours) + 1.0;
        self.stack_moves += ours.iter().filter(|one| one.moves_stack()).count() as f64;
        let all = go.len();
        let go: Vec<&Executed> = go.iter().filter(|one| !one.is_padding()).collect();
        let ours: Vec<&Executed> = ours.iter().filter(|one| !one.is_padding()).collect();
        self.padding += (all - go.len()) as f64;
        self.go += go.len() as f64;
        self.ours += ours.len() as f64;
        let [only_go, only_ours] = left_over(&go, &ours);
        for one in only_go {
            if one.is_own && one.may_be_of_a_loop() {
                self.around += 1.0;
                self.loop_jumps += f64::from(u8::from(one.instruction.is_jcc_short_or_near()));
            } else {
                note(&mut self.only_go, one);
            }
        }
        for one in only_ours {
            if one.is_move() {
                self.moves += 1.0;
            } else {
                note(&mut self.only_ours, one);
            }
        }
    }
}

fn note(noted: &mut Vec<String>, one: &Executed) {
    let text = one.instruction.to_string();
    if !noted.contains(&text) {
        noted.push(text);
    }
}

/// What a longest common subsequence leaves of either side.
fn left_over<'a>(go: &[&'a Executed], ours: &[&'a Executed]) -> [Vec<&'a Executed>; 2] {
    let like = |sequence: &[&Executed]| -> Vec<Likeness> {
        sequence.iter().map(|one| one.likeness()).collect()
    };
    let (left, right) = (like(go), like(ours));
    let mut longest = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            longest[i][j] = if left[i] == right[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut rest = [Vec::new(), Vec::new()];
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || i < left.len() && longest[i + 1][j] >= longest[i][j + 1] {
            rest[0].push(go[i]);
            i += 1;
        } else {
            rest[1].push(ours[j]);
            j += 1;
        }
    }
    rest
}
