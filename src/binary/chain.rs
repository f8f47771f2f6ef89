//! Compares with the addresses of types or itabs, and calls that look for an itab, one behind the other: a type switch
//! that reads no hash.
//!
//! Correct means: of two links of a chain the second is where a function comes to when the first says that it is another
//! type, with no choice between them, and both ask about one value.

use std::collections::{BTreeMap, HashSet};

use iced_x86::{ConditionCode, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::how::Place;
use super::values::{Flow, slot};

/// What one link asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Whether the value in a register is the address of this type or itab.
    Is {
        /// The type's, or the itab's.
        address: u64,
        /// What is compared with it; none where it is in memory.
        value: Register,
    },
    /// Whether the type implements an interface: a call of the runtime.
    Implements,
}

/// Links, by the numbers of their instructions.
pub(super) type Links = BTreeMap<usize, Link>;

/// The chains of a function, each with its links in the order in which it comes to them. One link alone is a chain, too.
pub(super) fn chains(flow: &Flow, links: &Links) -> Vec<Vec<usize>> {
    let next: BTreeMap<usize, usize> = links
        .iter()
        .filter_map(|(at, link)| Some((*at, next(flow, links, *at, *link)?)))
        .collect();
    let behind: HashSet<usize> = next.values().copied().collect();
    let firsts = links.keys().filter(|at| !behind.contains(at));
    firsts
        .map(|first| {
            let mut chain = vec![*first];
            while let Some(at) = chain.last().and_then(|last| next.get(last)) {
                if chain.contains(at) {
                    break;
                }
                chain.push(*at);
            }
            chain
        })
        .collect()
}

/// The branch that goes by whether the operands of a compare are equal, or whether a call found nothing.
pub(super) fn branch_if_equal(flow: &Flow, compare: usize) -> Option<usize> {
    let behind = compare + 1..flow.instructions.len();
    let mut branches = behind.take_while(|at| {
        let one = &flow.instructions[*at];
        one.is_jcc_short_or_near() || one.mnemonic() == Mnemonic::Nop
    });
    branches.find(|at| {
        let condition = flow.instructions[*at].condition_code();
        matches!(condition, ConditionCode::e | ConditionCode::ne)
    })
}

/// Where a branch goes on when what it asked of is equal, and when it is not.
pub(super) fn sides(flow: &Flow, branch: usize) -> Option<[usize; 2]> {
    let one = &flow.instructions[branch];
    let target = flow.index_of(one.near_branch_target())?;
    Some(match one.condition_code() {
        ConditionCode::e => [target, branch + 1],
        _ => [branch + 1, target],
    })
}

/// The link that is come to when this one says no.
fn next(flow: &Flow, links: &Links, at: usize, link: Link) -> Option<usize> {
    match link {
        Link::Is { value, .. } => {
            let [_, other] = sides(flow, branch_if_equal(flow, at)?)?;
            let way = Way {
                at: other,
                is_unequal: true,
            };
            let found = from(flow, links, way, &mut places(flow, value))?;
            (found.0 != at).then_some(found.0)
        }
        // The itab that was found is zero where there is none, or the word behind it is.
        Link::Implements => {
            let behind = at + 1..flow.instructions.len();
            let test = behind.clone().find(|at| {
                flow.instructions[*at].mnemonic() == Mnemonic::Test
                    || flow.instructions[*at].flow_control() != FlowControl::Next
            })?;
            if flow.instructions[test].mnemonic() != Mnemonic::Test {
                return None;
            }
            let [none, _] = sides(flow, branch_if_equal(flow, test)?)?;
            // Which value the call was given is not followed: the one behind it gets it from the stack.
            let mut anywhere = Places::Any;
            let way = Way {
                at: none,
                is_unequal: false,
            };
            Some(from(flow, links, way, &mut anywhere)?.0)
        }
    }
}

/// Where a value is.
enum Places {
    /// It is not known where.
    Any,
    /// In these.
    Some(HashSet<Place>),
}

/// A register, and where on the stack the function stores it anywhere: a value that a call takes the register of is put
/// away before.
fn places(flow: &Flow, register: Register) -> Places {
    let stores = flow.instructions.iter().filter(|one| {
        is_move(one) && one.op1_kind() == OpKind::Register && one.op1_register() == register
    });
    let slots = stores.filter_map(slot);
    Places::Some(slots.chain([Place::Register(register)]).collect())
}

fn is_move(one: &Instruction) -> bool {
    one.mnemonic() == Mnemonic::Mov
}

impl Places {
    /// Goes on behind an instruction.
    fn step(&mut self, flow: &Flow, at: usize) {
        let (Places::Some(places), Some(one)) = (self, flow.instructions.get(at)) else {
            return;
        };
        let is_loaded = is_move(one)
            && one.op0_kind() == OpKind::Register
            && match one.op1_kind() {
                OpKind::Register => places.contains(&Place::Register(one.op1_register())),
                OpKind::Memory => slot(one).is_some_and(|slot| places.contains(&slot)),
                _ => false,
            };
        let is_stored = is_move(one) && one.op1_kind() == OpKind::Register;
        let stored = is_stored.then(|| one.op1_register());
        if let (Some(from), Some(to), OpKind::Memory) = (stored, slot(one), one.op0_kind()) {
            match places.contains(&Place::Register(from)) {
                true => places.insert(to),
                false => places.remove(&to),
            };
        }
        places.retain(|place| match place {
            Place::Register(register) => !flow.writes(at, *register),
            Place::Slot(..) => true,
        });
        if is_loaded {
            places.insert(Place::Register(one.op0_register()));
        }
    }

    fn has(&self, register: Register) -> bool {
        match self {
            Places::Any => true,
            Places::Some(places) => {
                register != Register::None && places.contains(&Place::Register(register))
            }
        }
    }
}

/// Where a function goes on, as far as nothing chooses.
struct Way {
    /// The instruction that comes next.
    at: usize,
    /// Whether the flags still say that what was compared differs: Go goes by them twice, and moves registers between.
    is_unequal: bool,
}

impl Way {
    /// Past the instruction; none where something chooses.
    fn step(&mut self, flow: &Flow) -> Option<()> {
        let one = flow.instructions.get(self.at)?;
        self.at = match (one.flow_control(), one.condition_code()) {
            (FlowControl::Next, _) => self.at + 1,
            (FlowControl::UnconditionalBranch, _) => flow.index_of(one.near_branch_target())?,
            (FlowControl::ConditionalBranch, ConditionCode::ne) if self.is_unequal => {
                flow.index_of(one.near_branch_target())?
            }
            (FlowControl::ConditionalBranch, ConditionCode::e) if self.is_unequal => self.at + 1,
            _ => return None,
        };
        self.is_unequal &= one.rflags_modified() == 0;
        Some(())
    }
}

/// Instructions on a way, many more than are likely.
const FAR: usize = 48;

/// The indirect call that a function comes to first when a compare says that its operands differ, with nothing that
/// chooses between.
pub(super) fn call_where_unequal(flow: &Flow, compare: usize) -> Option<usize> {
    let [_, at] = sides(flow, branch_if_equal(flow, compare)?)?;
    let mut way = Way {
        at,
        is_unequal: true,
    };
    for _ in 0..FAR {
        let one = flow.instructions.get(way.at)?;
        if one.flow_control() == FlowControl::IndirectCall {
            return Some(way.at);
        }
        way.step(flow)?;
    }
    None
}

/// The first link that a function comes to on a way, past nothing that chooses but a test for zero.
fn from(flow: &Flow, links: &Links, mut way: Way, places: &mut Places) -> Option<(usize, Link)> {
    let mut is_tested = false;
    for _ in 0..FAR {
        let at = way.at;
        if let Some(link) = links.get(&at) {
            let is_it = match link {
                Link::Is { value, .. } => places.has(*value),
                Link::Implements => true,
            };
            return is_it.then_some((at, *link));
        }
        places.step(flow, at);
        if way.step(flow).is_none() {
            let one = flow.instructions.get(at)?;
            if one.flow_control() != FlowControl::ConditionalBranch || !is_tested {
                return None;
            }
            way.at = at + 1;
        }
        is_tested = flow.instructions[at].mnemonic() == Mnemonic::Test;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go 1.21 for a switch over an interface with methods: cases of four types, of two interfaces, and of four types.
    const MIXED: &str = "\
        493b66100f869f010000554889e54883ec38488944244848895c24500f1f40004885c00f8473010000488d15a8a203004839\
        d0750a488b43084883c4385dc3488d15baa203004839d0750d488b430848ffc04883c4385dc3488d15c9a20300904839d075\
        0e488b43084883c0024883c4385dc3488d15d6a203004839d0750e488b43084883c0034883c4385dc3488944243048895c24\
        284889d94889c3488d051cc80000e8f7d7f8ff4885c00f85c8000000488d0587c80000488b5c2430488b4c2428e8d8d7f8ff\
        4885c00f8587000000488b4c2430488d159ba203000f1f004839d17513488b4c2428488b41084883c0044883c4385dc3488d\
        15a1a20300904839d17513488b4c2428488b41084883c0054883c4385dc3488d15a9a20300904839d17513488b4c2428488b\
        41084883c0064883c4385dc3488d15b1a20300904839d17557488b4c2428488b41084883c0074883c4385dc3488d05e1c700\
        00488b5c2430e897d6f8ff488b4818488b442428ffd14883c4385dc3488d053fc70000488b5c2430e875d6f8ff488b481848\
        8b442428ffd14883c4385dc348c7c0fdffffff4883c4385dc3488944240848895c2410e808e7fdff488b442408488b5c2410\
        e939feffff";
    const START: u64 = 0x47c3c0;
    /// The runtime's function that looks for an itab.
    const SEARCH: u64 = 0x409c60;

    fn bytes_of(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    /// The lengths of the chains, with calls as links or without, after an edit of the bytes.
    fn lengths(has_calls: bool, edit: impl Fn(&mut Vec<u8>)) -> Vec<usize> {
        let mut bytes = bytes_of(MIXED);
        edit(&mut bytes);
        let flow = Flow::of(&bytes, START, true, None);
        let mut links = Links::new();
        let mut address = 0;
        for (at, one) in flow.instructions.iter().enumerate() {
            let is_call = one.is_call_near() && one.near_branch_target() == SEARCH;
            if one.is_ip_rel_memory_operand() {
                address = one.ip_rel_memory_address();
            } else if one.mnemonic() == Mnemonic::Cmp && one.op1_register() == Register::RDX {
                let value = one.op0_register();
                links.insert(at, Link::Is { address, value });
            } else if is_call && has_calls {
                links.insert(at, Link::Implements);
            }
        }
        chains(&flow, &links).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_chain_goes_on_behind_a_call_in_the_register_that_the_value_is_in_then() {
        assert_eq!(lengths(true, |_| {}), [10]);
        // A call that is no link ends it: what it does is not known.
        assert_eq!(lengths(false, |_| {}), [4, 4]);
    }

    #[test]
    fn a_chain_ends_where_another_value_is_compared_or_something_else_chooses() {
        let second = 0x46;
        // `cmp rax, rdx` becomes `cmp rbx, rdx`.
        let of_another = |bytes: &mut Vec<u8>| {
            assert_eq!(bytes[second..second + 3], [0x48, 0x39, 0xd0]);
            bytes[second + 2] = 0xd3;
        };
        assert_eq!(lengths(true, of_another), [1, 1, 8]);
        // The first branch goes by less, and not by equal.
        let by_less = |bytes: &mut Vec<u8>| {
            let first = bytes.windows(2).position(|two| two == [0x75, 0x0a]);
            bytes[first.expect("the branch")] = 0x7c;
        };
        assert_eq!(lengths(true, by_less), [1, 9]);
    }

    /// Go 1.27 with a profile: a compare of an itab, by whose flags it goes twice, and the call that it guards.
    const GUARDED: &str = "\
        4c8d0d5f350f004c39ce75054d89c2eb094d89c241b8000000007517498b304989f0480faff74883ff644c0f4fc64931c8eb\
        b348895c241848894424284889542410488b4e184c89d04889fbffd1";

    #[test]
    fn a_guarded_call_is_found_past_branches_that_go_by_the_same_flags() {
        let call = |edit: fn(&mut Vec<u8>)| {
            let mut bytes = bytes_of(GUARDED);
            edit(&mut bytes);
            let flow = Flow::of(&bytes, 0x4c839a, true, None);
            let compare = flow
                .instructions
                .iter()
                .position(|one| one.mnemonic() == Mnemonic::Cmp);
            let call = call_where_unequal(&flow, compare.expect("it has one"))?;
            Some(flow.instructions[call].ip())
        };
        assert_eq!(call(|_| {}), Some(0x4c83e6));
        // `mov r10, r8` becomes `xor r10, r8`, which leaves flags of its own.
        let changed: fn(&mut Vec<u8>) = |bytes| {
            assert_eq!(bytes[17..20], [0x4d, 0x89, 0xc2]);
            bytes[18] = 0x31;
        };
        assert_eq!(call(changed), None);
    }
}
