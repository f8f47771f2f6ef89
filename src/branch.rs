//! One executed branch: what a trace is made of, and all that a predictor may learn from.
//!
//! Correct means: one for each executed branch, in the order of execution, whether it was taken or not.

use iced_x86::FlowControl;
use serde::{Deserialize, Serialize};

/// An executed branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// Where it stands.
    pub ip: u64,
    /// What decides where it goes.
    pub kind: BranchKind,
    /// Whether it went to its target; only a conditional one may not.
    pub taken: bool,
    /// Where it goes when it is taken.
    pub target: u64,
}

/// What decides where a branch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchKind {
    /// Flags or a counter: to its target or on. `jcc`, `loop`, `jrcxz`.
    Conditional,
    /// The instruction alone: `jmp` with its target in it.
    Jump,
    /// A register or memory: `jmp rax`, `jmp [table+rax*8]`.
    IndirectJump,
    /// The instruction alone, and it will be returned from.
    Call,
    /// A register or memory, and it will be returned from.
    IndirectCall,
    /// The stack: `ret`.
    Return,
}

impl BranchKind {
    /// What decides where an instruction goes, of those that are counted as branches.
    pub fn of(flow: FlowControl) -> Option<BranchKind> {
        Some(match flow {
            FlowControl::ConditionalBranch => BranchKind::Conditional,
            FlowControl::UnconditionalBranch => BranchKind::Jump,
            FlowControl::IndirectBranch => BranchKind::IndirectJump,
            FlowControl::Call => BranchKind::Call,
            FlowControl::IndirectCall => BranchKind::IndirectCall,
            FlowControl::Return => BranchKind::Return,
            _ => return None,
        })
    }
}
