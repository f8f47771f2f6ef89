//! Where a program decides at run time what to call.
//!
//! Correct means: every indirect call and jump of the code is a site, once; what kind it is is read off
//! the instructions in front of it, and is `Other` where they do not tell.

mod glance;
mod wrapper;

use std::collections::{BTreeMap, HashMap, HashSet};

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

pub use super::how::{Embedded, HashBits, HashTable, How, Passing, Place};

use super::chain::{Link, Links, branch_if_equal, call_where_unequal, chains, sides};
use super::tables::{Around, Jump, hash_table};
use super::values::{Flow, State, Value, decoded, dictionary};
use super::{Binary, Content, Symbol};
use crate::asm;

/// A place where it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Of the instruction.
    pub address: u64,
    /// The function around it.
    pub function: String,
    /// How.
    pub how: How,
    /// Bytes of the instruction.
    length: u8,
}

impl Site {
    /// The instruction, with the names that the program has for what it leads to.
    pub fn text(&self, binary: &Binary<'_>) -> String {
        let name = |address: u64| binary.name_of(address);
        let own = binary.bytes(self.address, self.length.into());
        let listed = asm::disassemble(own.unwrap_or_default(), self.address, &name);
        let first = listed.into_iter().next();
        first.map_or(String::new(), |one| one.text)
    }
}

/// Functions that a program has code of.
pub fn functions<'b, 'a>(binary: &'b Binary<'a>) -> impl Iterator<Item = &'b Symbol<'a>> {
    let mut last = None;
    binary.symbols.iter().filter(move |symbol| {
        let is_new = last.replace(symbol.address) != Some(symbol.address);
        let is_code = || {
            let section = binary.section(symbol.address);
            section.is_some_and(|section| section.content == Content::Code)
        };
        symbol.size > 0 && is_new && is_code()
    })
}

/// Bytes of code that belong to no function that the file names, and all bytes of code. Where a program is stripped, the
/// former is most of it; gaps between functions and the linker's stubs are always a part of it.
pub fn unnamed_code(binary: &Binary<'_>) -> [u64; 2] {
    let sections = binary.sections.iter();
    let code = sections.filter(|section| section.content == Content::Code);
    let all: u64 = code.map(|section| section.size).sum();
    let sizes = functions(binary).map(|symbol| symbol.size);
    let named = sizes.fold(0u64, u64::saturating_add);
    [all.saturating_sub(named), all]
}

/// The functions of Go's runtime that look for an itab.
fn searches<'b>(binary: &'b Binary<'_>) -> HashMap<u64, &'b str> {
    const NAMES: [&str; 6] = [
        "assertE2I2",
        "assertI2I2",
        "assertE2I",
        "assertI2I",
        "typeAssert",
        "interfaceSwitch",
    ];
    let named = binary.symbols.iter().filter_map(|symbol| {
        let name = symbol.name.strip_prefix("runtime.")?;
        NAMES.contains(&name).then_some((symbol.address, name))
    });
    named.collect()
}

/// How many instructions name each of these addresses.
pub fn references(binary: &Binary<'_>, addresses: &HashSet<u64>) -> HashMap<u64, usize> {
    let mut found = HashMap::new();
    let sections = binary.sections.iter();
    for section in sections.filter(|section| section.content == Content::Code) {
        let mut decoder =
            Decoder::with_ip(64, &section.bytes, section.address, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if instruction.is_ip_rel_memory_operand() {
                let address = instruction.ip_rel_memory_address();
                if addresses.contains(&address) {
                    *found.entry(address).or_insert(0) += 1;
                }
            }
        }
    }
    found
}

/// Where the table of a jump with an index begins.
fn table(jump: &Instruction, state: &State) -> Option<u64> {
    match state.get(jump.memory_base()) {
        Some(Value::Address(table)) => Some(table.wrapping_add(jump.memory_displacement64())),
        _ if jump.memory_base() == Register::None => Some(jump.memory_displacement64()),
        _ => None,
    }
}

/// A function while its instructions are gone through.
struct Function<'b, 'a> {
    finder: &'b Finder<'b, 'a>,
    name: &'b str,
    /// Its addresses.
    ends: std::ops::Range<u64>,
    flow: &'b Flow,
    /// The jumps through a table of places of this function, which a type's hash may choose from.
    jumps: Vec<Jump>,
    /// The compares of a value that stood where a hash stands with a number, by the load of the value.
    compares: BTreeMap<u64, Vec<usize>>,
    /// Compares with the address of a type or of an itab, and calls that look for an itab.
    links: Links,
    /// Compares with an itab or with a function, and what they are if a call that they guard stands behind.
    guards: Vec<(usize, How)>,
    sites: Vec<Site>,
}

/// What the sites of all functions are read off with.
pub struct Finder<'b, 'a> {
    binary: &'b Binary<'a>,
    /// Hashes of the types that a Go program has itabs of or compares with.
    hashes: HashSet<u32>,
    itabs: HashMap<u64, String>,
    /// Functions of Go's runtime that look for an itab, by their names in it.
    searches: HashMap<u64, &'b str>,
    /// Functions of the compiler's own that itabs lead to, and whether they have the method in them.
    wrappers: HashMap<u64, bool>,
}

impl<'b, 'a> Finder<'b, 'a> {
    /// Of a program.
    pub fn new(binary: &'b Binary<'a>) -> Finder<'b, 'a> {
        let go = binary.go.as_ref();
        let itabs = go.into_iter().flat_map(|go| &go.itabs);
        Finder {
            binary,
            hashes: go.map_or_else(HashSet::new, |go| go.hashes()),
            wrappers: itabs
                .clone()
                .flat_map(|table| &table.slots)
                .filter_map(wrapper::led_to)
                .collect(),
            searches: match go {
                Some(_) => searches(binary),
                None => HashMap::new(),
            },
            itabs: itabs.map(|table| (table.address, table.symbol())).collect(),
        }
    }

    /// Whether something is a type of Go, or an itab.
    fn is_type(&self, address: u64) -> bool {
        let go = self.binary.go.as_ref();
        self.itabs.contains_key(&address) || go.is_some_and(|go| go.type_name(address).is_some())
    }

    /// The sites of a function, ascending by address.
    pub fn sites(&self, symbol: &'b Symbol<'a>) -> Vec<Site> {
        let Some(bytes) = self.binary.bytes(symbol.address, symbol.size) else {
            return Vec::new();
        };
        let is_go = self.binary.go.is_some();
        let instructions = decoded(bytes, symbol.address);
        if !self.wrappers.contains_key(&symbol.address) && !self.may_decide(&instructions) {
            return Vec::new();
        }
        let given = is_go.then(|| dictionary(&symbol.name)).flatten();
        let flow = Flow::through(instructions, is_go, given);
        let mut function = Function {
            finder: self,
            name: &symbol.name,
            ends: symbol.address..symbol.address.saturating_add(symbol.size),
            flow: &flow,
            jumps: Vec::new(),
            compares: BTreeMap::new(),
            links: Links::new(),
            guards: Vec::new(),
            sites: Vec::new(),
        };
        flow.walk(|number, state| function.pass(number, state));
        function.end()
    }
}

impl Function<'_, '_> {
    fn pass(&mut self, number: usize, state: &State) {
        let instruction = &self.flow.instructions[number];
        let flow = instruction.flow_control();
        if matches!(
            flow,
            FlowControl::IndirectCall | FlowControl::IndirectBranch
        ) {
            let is_jump = flow == FlowControl::IndirectBranch;
            let how = self.how(instruction, number, is_jump, state);
            self.site(number, how);
        }
        self.compare(number, state);
        self.search(number, state);
    }

    fn site(&mut self, number: usize, how: How) {
        let instruction = &self.flow.instructions[number];
        self.sites.push(Site {
            address: instruction.ip(),
            function: self.name.to_string(),
            how,
            length: instruction.len() as u8,
        });
    }

    /// How an indirect call or jump chooses.
    fn how(
        &mut self,
        instruction: &Instruction,
        number: usize,
        is_jump: bool,
        state: &State,
    ) -> How {
        let is_go = self.finder.binary.go.is_some();
        let is_memory = instruction.op0_kind() == OpKind::Memory;
        if instruction.is_ip_rel_memory_operand() {
            let cell = instruction.ip_rel_memory_address();
            return match self.finder.binary.patch(cell) {
                Some(_) => How::Linked,
                None => How::Other,
            };
        }
        if is_memory && instruction.memory_index() != Register::None {
            let table = table(instruction, state);
            if !is_jump || table.is_some_and(|table| self.is_of_functions(table)) {
                return How::Other;
            }
            if let (Some(table), true) = (table, is_go) {
                let state = state.clone();
                self.jumps.push(Jump {
                    at: number,
                    table,
                    state,
                });
            }
            return How::JumpTable;
        }
        let (base, offset) = match is_memory {
            true => (
                instruction.memory_base(),
                instruction.memory_displacement64(),
            ),
            false => match state.get(instruction.op0_register()) {
                Some(Value::Word { base, offset }) => (base, offset),
                Some(Value::Distance) if is_jump => return How::JumpTable,
                Some(Value::Entry) => return How::Dictionary,
                _ => return How::Other,
            },
        };
        if is_memory && state.get(base) == Some(Value::Dictionary) {
            return How::Dictionary;
        }
        let is_frame = matches!(base, Register::RSP | Register::RBP | Register::None);
        // Tables are no larger, and what is far behind an object is no table.
        const LARGEST: u64 = 8 * 512;
        if is_frame || offset % 8 != 0 || offset > LARGEST {
            return How::Other;
        }
        // A function is called with the address of its value in rdx, and a method of an itab with anything there.
        let is_value = state.get(Register::RDX) == Some(Value::Place { base, offset });
        match (is_go, offset) {
            (true, 1..) if is_value => How::Dictionary,
            (true, 0) => How::FuncValue,
            (true, 24..) => How::Itab {
                slot: (offset - 24) / 8,
            },
            (true, _) => How::Other,
            (false, _) => How::Vtable { slot: offset / 8 },
        }
    }

    /// Whether the first entry of a table is known, and is no place of this function: what is called last, through a table
    /// of functions.
    fn is_of_functions(&self, table: u64) -> bool {
        let first = self.finder.binary.word(table);
        first.is_some_and(|first| !self.ends.contains(&first))
    }

    /// Notes compares with hashes, with types and with itabs.
    fn compare(&mut self, number: usize, state: &State) {
        let instruction = &self.flow.instructions[number];
        let Some(go) = &self.finder.binary.go else {
            return;
        };
        if instruction.mnemonic() != Mnemonic::Cmp {
            return;
        }
        let registers = (0..instruction.op_count())
            .filter(|at| instruction.op_kind(*at) == OpKind::Register)
            .map(|at| instruction.op_register(at));
        let known = registers.filter_map(|register| Some((register, state.get(register)?)));
        // What stands in memory is in no register.
        let other = |register: Register| match instruction.op0_register() == register {
            true => instruction.op1_register(),
            false => instruction.op0_register(),
        };
        for (register, value) in known {
            let is_number = matches!(
                instruction.op1_kind(),
                OpKind::Immediate32 | OpKind::Immediate8to32
            );
            match value {
                Value::Address(address) => {
                    let itab = self.finder.itabs.get(&address);
                    if itab.is_none() && go.type_name(address).is_none() {
                        self.guards.extend(self.function_guard(number, address));
                        continue;
                    }
                    self.links.insert(
                        number,
                        Link::Is {
                            address,
                            value: other(register),
                        },
                    );
                    let guard = |itab: &String| (number, How::Guard { itab: itab.clone() });
                    self.guards.extend(itab.map(guard));
                }
                Value::Hash { load } if is_number => {
                    self.compares.entry(load).or_default().push(number);
                }
                _ => {}
            }
        }
    }

    /// What a compare of a function value's code with a function is, if a call that it guards stands behind.
    fn function_guard(&self, number: usize, address: u64) -> Option<(usize, How)> {
        let instruction = &self.flow.instructions[number];
        let mut kinds = instruction.op_kinds();
        let is_first_word = kinds.any(|kind| kind == OpKind::Memory)
            && instruction.memory_displacement64() == 0
            && instruction.memory_index() == Register::None;
        let (symbol, 0) = self.finder.binary.symbol_at(address)? else {
            return None;
        };
        let guard = How::FuncGuard {
            function: symbol.name.to_string(),
            address,
        };
        is_first_word.then_some((number, guard))
    }

    /// Whether a type or an itab is compared where the operands of a compare are equal: another type may have the hash.
    fn leads_to_type(&self, compare: usize) -> bool {
        /// Instructions that are looked at.
        const NEAR: usize = 8;
        let is_type = |branch: usize| {
            let [first, _] = sides(self.flow, branch)?;
            let near = self.flow.instructions.iter().enumerate().skip(first);
            let mut near = near
                .take(NEAR)
                .take_while(|(_, one)| one.flow_control() == FlowControl::Next);
            near.find(|(at, _)| matches!(self.links.get(at), Some(Link::Is { .. })))
        };
        branch_if_equal(self.flow, compare)
            .and_then(is_type)
            .is_some()
    }

    /// The compare that all ways from the load of a hash come to first: behind another branch, the one that stands first.
    fn root(&self, load: u64, compares: &[usize]) -> Option<usize> {
        /// Instructions between the load and the compare, many more than are likely.
        const FAR: usize = 64;
        let mut at = self.flow.index_of(load)? + 1;
        for _ in 0..FAR {
            if compares.contains(&at) {
                return Some(at);
            }
            let one = self.flow.instructions.get(at)?;
            at = match one.flow_control() {
                FlowControl::UnconditionalBranch => {
                    let Some(to) = self.flow.index_of(one.near_branch_target()) else {
                        break;
                    };
                    to
                }
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => at + 1,
                _ => break,
            };
        }
        compares.first().copied()
    }

    /// The type switch whose hash an instruction loaded, if it is one: where it begins, and its cases.
    fn switch(&self, load: u64, compares: &[usize]) -> Option<(usize, How)> {
        let number = |at: usize| self.flow.instructions[at].immediate(1) as u32;
        let equal = compares
            .iter()
            .copied()
            .filter(|at| branch_if_equal(self.flow, *at).is_some());
        // Types that nothing but code names, as `int8` is, are not listed.
        let is_listed = |at: &usize| self.finder.hashes.contains(&number(*at));
        if !compares.iter().any(is_listed) && !equal.clone().any(|at| self.leads_to_type(at)) {
            return None;
        }
        let root = self.root(load, compares)?;
        let cases: HashSet<u32> = equal.map(number).collect();
        // The hashes are halved at one of them.
        let is_whole = compares.iter().all(|at| cases.contains(&number(*at)));
        let cases = is_whole.then_some(cases.len());
        Some((root, How::Hashes { cases }))
    }

    /// Notes calls of the runtime that look for an itab, and the sites that they are alone.
    fn search(&mut self, number: usize, state: &State) {
        let instruction = &self.flow.instructions[number];
        if !instruction.is_call_near() {
            return;
        }
        let binary = self.finder.binary;
        let called = self.finder.searches.get(&instruction.near_branch_target());
        let Some(&name) = called else { return };
        match name {
            // Go up to 1.21 has one call for each interface, and those that panic are at the end of nothing.
            "assertE2I2" | "assertI2I2" | "assertE2I" | "assertI2I" => {
                if name.ends_with("I2") {
                    self.links.insert(number, Link::Implements);
                } else {
                    let has_methods = name.starts_with("assertI");
                    self.site(number, How::Assertion { has_methods });
                }
            }
            "typeAssert" => self.site(number, How::Assertion { has_methods: false }),
            "interfaceSwitch" => {
                /// Where what describes a switch has the number of its interfaces: behind the word that leads to what
                /// it remembers (`internal/abi`, `InterfaceSwitch`).
                const CASES: u64 = 8;
                let cases = match state.get(Register::RAX) {
                    Some(Value::Address(site)) => binary.word(site.wrapping_add(CASES)),
                    _ => None,
                };
                let cases = cases.and_then(|cases| usize::try_from(cases).ok());
                self.site(number, How::Interfaces { cases });
            }
            _ => {}
        }
    }

    /// The type switches that are chains of compares or of calls, and the numbers of the instructions that they are.
    fn chained(&mut self) -> HashSet<usize> {
        let mut all = HashSet::new();
        let links = std::mem::take(&mut self.links);
        for chain in chains(self.flow, &links) {
            let of = |at: &usize| match links.get(at) {
                Some(Link::Is { address, .. }) => Some(*address),
                _ => None,
            };
            // A run of compares is a site, and a run of calls another.
            for run in chain.chunk_by(|one, other| of(one).is_some() == of(other).is_some()) {
                // Several ways may lead into one run: it is a site once.
                let is_new = |at: &&usize| !all.contains(*at);
                let run = &run[..run.iter().take_while(is_new).count()];
                let Some(first) = run.first().copied() else {
                    continue;
                };
                let addresses: HashSet<u64> = run.iter().filter_map(of).collect();
                match (of(&first), run.len()) {
                    (Some(_), _) if addresses.len() < 2 => continue,
                    (Some(address), _) => self.site(
                        first,
                        How::Addresses {
                            first: address,
                            cases: addresses.len(),
                        },
                    ),
                    (None, 1) => {
                        let has_methods = self.calls_between_interfaces(first);
                        self.site(first, How::Assertion { has_methods });
                    }
                    (None, calls) => self.site(first, How::Interfaces { cases: Some(calls) }),
                }
                all.extend(run);
            }
        }
        all
    }

    fn calls_between_interfaces(&self, call: usize) -> bool {
        let target = self.flow.instructions[call].near_branch_target();
        let called = self.finder.binary.symbol_at(target);
        called.is_some_and(|(called, _)| called.name.starts_with("runtime.assertI"))
    }

    /// The jumps through a table that are type switches.
    fn tables(&mut self) {
        for jump in std::mem::take(&mut self.jumps) {
            let is_it = |site: &&mut Site| site.address == self.flow.instructions[jump.at].ip();
            let around = Around {
                flow: self.flow,
                links: &self.links,
                ends: self.ends.clone(),
                is_type: &|address| self.finder.is_type(address),
            };
            let found = hash_table(self.finder.binary, &around, &jump);
            if let (Some(found), Some(site)) = (found, self.sites.iter_mut().find(is_it)) {
                site.how = How::HashTable(found);
            }
        }
    }

    fn end(mut self) -> Vec<Site> {
        self.tables();
        let compares = std::mem::take(&mut self.compares);
        let switches: Vec<(usize, How)> = compares
            .iter()
            .filter_map(|(load, compares)| self.switch(*load, compares))
            .collect();
        for (root, how) in switches {
            self.site(root, how);
        }
        let chained = self.chained();
        for (number, how) in std::mem::take(&mut self.guards) {
            let call = call_where_unequal(self.flow, number);
            let call = call.map(|at| self.flow.instructions[at].ip());
            let is_guarded = |site: &Site| {
                let is_like = match how {
                    How::Guard { .. } => matches!(site.how, How::Itab { .. }),
                    _ => site.how == How::FuncValue,
                };
                Some(site.address) == call && is_like
            };
            if !chained.contains(&number) && self.sites.iter().any(is_guarded) {
                self.site(number, how);
            }
        }
        if let Some(&inlined) = self.finder.wrappers.get(&self.ends.start) {
            self.wrapper(inlined);
        }
        self.sites.sort_by_key(|site| site.address);
        self.sites
    }
}
