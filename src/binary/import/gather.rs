//! What code names, and what that names in turn: which functions and data a template of it needs.
//!
//! Correct means: everything that the taken code and data name is taken too, or is one of those left
//! out, with the reason; and each has one name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::extent;
use super::text::{Code, Inside, Lines, Refusal, Target, decoded, lines, named};
use super::things::{Thing, Things};
use crate::binary::{Binary, Kind};
use crate::go::{Release, layout, modelled, runtime};
use crate::link::harness::stub_names;

/// Bytes that are taken of data without a name or a size.
const UNSIZED: u64 = 64;
/// The largest datum whose bytes are taken; of a longer one the first.
const LARGEST: u64 = 64 << 10;
/// Zeros of one datum: all data of a template have 1 GiB.
const MOST_ZEROS: u64 = 256 << 20;
/// Data that lead to data that lead to data: so far.
const DATA_DEPTH: u32 = 4;
/// Functions of one template.
const MOST_FUNCTIONS: usize = 400;
/// A function of the template.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) lines: Lines,
}

/// A word of data that is an address.
#[derive(Debug)]
pub(super) enum Pointer {
    /// Of something that the template has.
    To(Target),
    /// Of something that was left out.
    Nowhere(String),
}

/// Data of the template.
#[derive(Debug)]
pub(super) struct Datum {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) bytes: Vec<u8>,
    /// Bytes that it has in the file, of which the first may be taken only.
    pub(super) size: u64,
    /// Zeros behind `bytes`.
    pub(super) zeros: u64,
    /// Whether nothing says how long it is.
    pub(super) is_guessed: bool,
    /// By offset.
    pub(super) pointers: BTreeMap<u64, Pointer>,
}

/// All of a template but its body.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) functions: Vec<Function>,
    pub(super) data: Vec<Datum>,
    /// What is called and not here, with the reason.
    pub(super) left_out: BTreeMap<String, String>,
    /// What the modelled runtime has of what is named.
    pub(super) modelled: BTreeSet<String>,
    /// Words of data that were taken for addresses because they look like some.
    pub(super) guessed_pointers: usize,
    /// Addresses of the program that instructions have as numbers.
    pub(super) numbers: BTreeSet<u64>,
}

/// Finds all that code needs.
pub(super) struct Gatherer<'a> {
    things: Things<'a>,
    binary: &'a Binary<'a>,
    depth: u32,
    /// What is there without any template's doing.
    provided: HashSet<String>,
    /// Functions to take, each with the calls that lead to it.
    functions: VecDeque<(u64, u32)>,
    /// Data to take, by their beginnings.
    data: VecDeque<(u64, u32)>,
    seen: HashSet<u64>,
    /// Data without a name that something leads to, how many bytes are taken, and whether that is a guess.
    unnamed: BTreeMap<u64, (u64, bool)>,
    /// What functions have inside, by their beginnings.
    inside: HashMap<u64, Inside>,
    /// Tables of addresses in functions.
    switches: HashSet<u64>,
    gathered: Gathered,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(binary: &'a Binary<'a>, release: Release, depth: u32) -> Gatherer<'a> {
        let mut provided = HashSet::new();
        if binary.go.is_some() {
            provided.extend(runtime::names(release));
            provided.extend(stub_names().map(str::to_string));
            provided.extend(runtime::DATA.map(str::to_string));
        }
        Gatherer {
            things: Things::new(binary),
            binary,
            depth,
            provided,
            functions: VecDeque::new(),
            data: VecDeque::new(),
            seen: HashSet::new(),
            unnamed: BTreeMap::new(),
            inside: HashMap::new(),
            switches: HashSet::new(),
            gathered: Gathered::default(),
        }
    }

    /// What the function at an address is called in the template.
    pub(super) fn name_at(&self, address: u64) -> Option<String> {
        self.things.function_name(address)
    }

    /// Everything that these functions and data need.
    pub(super) fn gather(mut self, functions: &[u64], data: &[u64]) -> Gathered {
        self.functions.extend(functions.iter().map(|one| (*one, 0)));
        self.data.extend(data.iter().map(|one| (*one, 0)));
        let mut taken: Vec<(String, Code<'a>)> = Vec::new();
        let mut datums: Vec<(u64, u64)> = Vec::new();
        loop {
            if let Some((address, depth)) = self.functions.pop_front() {
                taken.extend(self.function(address, depth));
            } else if let Some((address, depth)) = self.data.pop_front() {
                datums.extend(self.datum(address, depth));
            } else {
                break;
            }
        }
        self.write(taken, datums)
    }

    /// Takes a function, and notes what it names.
    fn function(&mut self, address: u64, depth: u32) -> Option<(String, Code<'a>)> {
        let Some(Thing::Function { name, start, size }) = self.things.at(address) else {
            return None;
        };
        if !self.seen.insert(start) {
            return None;
        }
        if self.provided.contains(&name) && depth > 0 {
            self.gathered.modelled.insert(name);
            return None;
        }
        let why = match self.refused(&name, depth) {
            Some(why) => Err(why),
            None => self
                .code(start, size)
                .ok_or_else(|| Refusal::NoSize.to_string()),
        };
        let code = match why {
            Ok(code) => code,
            Err(why) => {
                self.gathered.left_out.insert(name, why);
                return None;
            }
        };
        self.names(code, depth);
        Some((name, code))
    }

    /// Notes what the instructions of a function name.
    fn names(&mut self, code: Code<'a>, depth: u32) {
        let ends = code.address..code.address + code.bytes.len() as u64;
        let instructions: Vec<Instruction> = decoded(code).collect();
        let starts: HashSet<u64> = instructions.iter().map(Instruction::ip).collect();
        // Which address each register was given last.
        let mut bases: HashMap<Register, u64> = HashMap::new();
        let mut distances: Option<u64> = None;
        for (at, instruction) in instructions.iter().enumerate() {
            match instruction.mnemonic() {
                Mnemonic::Lea if instruction.is_ip_rel_memory_operand() => {
                    let to = instruction.ip_rel_memory_address();
                    bases.insert(instruction.op0_register(), to);
                    let behind = instructions.get(at + 1..).unwrap_or_default();
                    let table =
                        extent::of_table(&instructions[..at], instruction.op0_register(), behind);
                    let length = extent::of_text(behind).max(table.bytes);
                    match table.is_bounded && length == table.bytes {
                        true => self.unnamed_at(to, length, true),
                        false => self.unnamed_at(to, length.max(UNSIZED), false),
                    }
                }
                // Without optimisation the distance is loaded first, and made longer by an instruction of its own.
                Mnemonic::Movsxd | Mnemonic::Mov
                    if instruction.op1_kind() == OpKind::Memory
                        && instruction.memory_size().size() == 4
                        && instruction.memory_index() != Register::None =>
                {
                    let known = [instruction.memory_base(), instruction.memory_index()];
                    let table = known.iter().find_map(|one| bases.get(one)).copied();
                    distances = table.or(distances);
                }
                Mnemonic::Jmp if instruction.op0_kind() == OpKind::Register => {
                    let table = distances.take();
                    if let Some(table) = table {
                        self.table(code, table, 4, &starts);
                    }
                }
                Mnemonic::Jmp if instruction.op0_kind() == OpKind::Memory => {
                    let table = bases.get(&instruction.memory_base()).copied();
                    if let (Some(table), 8) = (table, instruction.memory_index_scale()) {
                        self.table(code, table, 8, &starts);
                    }
                }
                _ => {}
            }
        }
        let tables = self.inside.get(&code.address).map(|inside| &inside.tables);
        let own: HashSet<u64> = tables
            .into_iter()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect();
        for instruction in &instructions {
            if let Some((target, _)) = named(instruction)
                && !ends.contains(&target)
                && !own.contains(&target)
            {
                self.lead(target, depth + 1, 0);
            }
        }
        for table in own {
            self.unnamed.remove(&table);
        }
        if self.binary.kind == Kind::Executable {
            let numbers = instructions.iter().flat_map(extent::numbers);
            let is_address = |number: &u64| self.binary.section(*number).is_some();
            let found: Vec<u64> = numbers.filter(is_address).collect();
            self.gathered.numbers.extend(found);
        }
    }

    /// Takes a table of places in a function: of addresses, or of distances from itself.
    fn table(&mut self, code: Code<'a>, table: u64, width: u64, starts: &HashSet<u64>) {
        /// Entries of the largest table.
        const MOST: u64 = 4096;
        let entry = |number: u64| {
            let at = table + number * width;
            let target = match width {
                8 => self.binary.word(at)?,
                _ => {
                    let bytes = self.binary.bytes(at, 4)?;
                    table.wrapping_add_signed(i64::from(i32::from_le_bytes(bytes.try_into().ok()?)))
                }
            };
            starts.contains(&target).then_some(target)
        };
        let targets: Vec<u64> = (0..MOST).map_while(entry).collect();
        if targets.is_empty() {
            return;
        }
        let inside = self.inside.entry(code.address).or_default();
        if width == 8 {
            inside.labels.extend(&targets);
            self.unnamed
                .insert(table, (8 * targets.len() as u64, false));
            self.switches.insert(table);
        } else {
            inside.tables.insert(table, targets);
        }
    }

    /// Notes how many bytes are taken of data without a name: at least so many, and a text of C to its end. Whoever is
    /// told the size knows it, whatever others guess.
    fn unnamed_at(&mut self, address: u64, size: u64, is_told: bool) {
        if self.things.at(address) == Some(Thing::Unnamed) {
            let text = self.text_at(address);
            let size = size.max(text.unwrap_or(0));
            let is_told = is_told || text.is_some();
            let new = (size, !is_told);
            let known = self.unnamed.entry(address).or_insert(new);
            // Nobody has looked at how much of it is read.
            let is_blind = |(size, is_guess): (u64, bool)| is_guess && size <= UNSIZED;
            *known = match (is_blind(*known), is_blind(new)) {
                (true, false) => new,
                (false, true) => *known,
                _ => (known.0.max(size), known.1 || !is_told),
            };
        }
    }

    /// Bytes of a text that ends in a zero, that included, where one stands at an address. Go's end nowhere.
    fn text_at(&self, address: u64) -> Option<u64> {
        let section = self
            .binary
            .section(address)
            .filter(|_| self.binary.go.is_none())?;
        let behind = section.bytes.get((address - section.address) as usize..)?;
        let length = behind.iter().position(|&byte| byte == 0)?;
        let is_text = std::str::from_utf8(&behind[..length]).is_ok_and(|text| {
            text.chars()
                .all(|one| !one.is_control() || one.is_whitespace())
        });
        (length > 0 && is_text).then_some(length as u64 + 1)
    }

    /// Why a function is not taken.
    fn refused(&self, name: &str, depth: u32) -> Option<String> {
        if name == "runtime.unreachableMethod" {
            return Some(
                "the linker left the method out, for no call of the program reaches it".into(),
            );
        }
        if depth > 0 && name.starts_with("runtime.") {
            let why =
                modelled::why_not(name).unwrap_or("it is of Go's runtime, and is not modelled");
            return Some(why.to_string());
        }
        if depth > self.depth {
            let calls = counted(depth as usize, "call");
            return Some(format!("it is {calls} away, and --depth is {}", self.depth));
        }
        (self.seen.len() > MOST_FUNCTIONS)
            .then(|| format!("there are {MOST_FUNCTIONS} functions already"))
    }

    /// Goes to what stands at an address that something names.
    fn lead(&mut self, target: u64, calls: u32, data_depth: u32) {
        match self.things.at(target) {
            Some(Thing::Function { start, name, .. }) => {
                // A place in a function moves with its lines; one that is modelled has places of its own.
                if target != start && !self.provided.contains(&name) {
                    let inside = self.inside.entry(start).or_default();
                    inside.labels.insert(target);
                }
                self.functions.push_back((start, calls));
            }
            Some(Thing::Datum { start, .. }) => self.data.push_back((start, data_depth)),
            Some(Thing::Unnamed) => {
                // A function value is one word.
                let to = self
                    .binary
                    .word(target)
                    .and_then(|word| self.things.at(word).map(|thing| (word, thing)));
                let is_value = data_depth > 0
                    && matches!(to, Some((word, Thing::Function { start, .. })) if word == start);
                match is_value {
                    true => {
                        self.unnamed.entry(target).or_insert((8, false));
                    }
                    false => self.unnamed_at(target, UNSIZED, false),
                }
                self.data.push_back((target, data_depth));
            }
            Some(Thing::Elsewhere { name, .. }) => {
                self.gathered
                    .left_out
                    .insert(name, "another file has it".into());
            }
            None => {}
        }
    }

    /// Takes a datum, and notes what it leads to.
    fn datum(&mut self, address: u64, depth: u32) -> Option<(u64, u64)> {
        let (start, size) = match self.things.at(address)? {
            Thing::Datum { name, .. } if self.provided.contains(&name) => {
                self.gathered.modelled.insert(name);
                return None;
            }
            Thing::Datum { start, size, .. } => (start, size),
            Thing::Unnamed => (
                address,
                self.unnamed.get(&address).map_or(UNSIZED, |one| one.0),
            ),
            _ => return None,
        };
        if !self.seen.insert(start) || depth > DATA_DEPTH {
            return None;
        }
        for (_, target) in self.pointers(start, size.min(LARGEST)) {
            self.lead(target, depth + 1, depth + 1);
        }
        Some((start, size))
    }

    /// Words of data that are addresses, by offset.
    fn pointers(&self, start: u64, size: u64) -> Vec<(u64, u64)> {
        let first = start.next_multiple_of(8);
        let words = (first..start + size)
            .step_by(8)
            .filter(|at| at + 8 <= start + size);
        // Of a type, only the function that compares its values is code's business.
        let is_type = self.things.is_type(start);
        let equal = start + u64::from(layout::TYPE_EQUAL.offset);
        let pointer = |at: u64| {
            if is_type && at != equal {
                return None;
            }
            if let Some(target) = self.binary.patch(at) {
                return Some((at - start, target));
            }
            // Where the loader moves the file, it is told which words are addresses.
            if self.binary.kind != Kind::Executable {
                return None;
            }
            let target = self.binary.word(at)?;
            self.things.at(target).map(|_| (at - start, target))
        };
        words.filter_map(pointer).collect()
    }

    fn code(&self, start: u64, size: u64) -> Option<Code<'a>> {
        let bytes = self
            .binary
            .bytes(start, size)
            .filter(|bytes| !bytes.is_empty())?;
        Some(Code {
            address: start,
            bytes,
        })
    }

    /// Writes what was taken, now that all of it is known.
    fn write(mut self, taken: Vec<(String, Code<'a>)>, datums: Vec<(u64, u64)>) -> Gathered {
        let chunks = self.chunks();
        for (number, (_, code)) in taken.iter().enumerate() {
            let inside = self.inside.entry(code.address).or_default();
            inside.number = number;
            // A word of data may only look like an address, and then no instruction need begin there.
            if !inside.labels.is_empty() {
                let starts: HashSet<u64> = decoded(*code).map(|one| one.ip()).collect();
                inside.labels.retain(|address| starts.contains(address));
            }
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        for (name, code) in taken {
            let inside = &self.inside[&code.address];
            match lines(code, inside, &|address| self.target(address, &chunks)) {
                Ok(lines) => gathered.functions.push(Function {
                    name,
                    address: code.address,
                    size: code.bytes.len() as u64,
                    lines,
                }),
                Err(why) => {
                    gathered.left_out.insert(name, format!("it {why}"));
                }
            }
        }
        let named = datums.into_iter();
        // A table of places in a function stands with the function, and what has no name is in a chunk or nowhere.
        let is_named = |start: u64| matches!(self.things.at(start), Some(Thing::Datum { .. }));
        let named = named.filter(|(start, _)| is_named(*start));
        let unnamed = chunks.iter().map(|(start, end)| (*start, end - start));
        let all: BTreeMap<u64, u64> = named.chain(unnamed).collect();
        for (&start, &size) in &all {
            let data = self.written(start, size, &chunks, &all, &mut gathered);
            gathered.data.extend(data);
        }
        gathered
    }

    /// A datum as the template has it.
    fn written(
        &self,
        start: u64,
        size: u64,
        chunks: &BTreeMap<u64, u64>,
        all: &BTreeMap<u64, u64>,
        gathered: &mut Gathered,
    ) -> Option<Datum> {
        let name = self.target(start, chunks)?.section;
        let section = self.binary.section(start)?;
        let room = section.address + section.size - start;
        let mut bytes = vec![0; size.min(LARGEST).min(room) as usize];
        let in_file = (section.address + section.bytes.len() as u64).saturating_sub(start);
        if let Some(own) = self.binary.bytes(start, in_file.min(bytes.len() as u64)) {
            bytes[..own.len()].copy_from_slice(own);
        }
        let is_told =
            self.things.is_type(start) || self.things.is_itab(start) || self.is_table(start);
        let mut pointers = BTreeMap::new();
        for (at, to) in self.pointers(start, bytes.len() as u64) {
            let is_sure = is_told || self.binary.patch(start + at).is_some();
            gathered.guessed_pointers += usize::from(!is_sure);
            pointers.insert(at, self.pointer(to, chunks, all, gathered));
        }
        if self.things.is_type(start) {
            let gcdata = u64::from(layout::TYPE_GCDATA.offset);
            let nowhere = Pointer::Nowhere("what only the collector reads".into());
            pointers.insert(gcdata, nowhere);
        }
        // What the file has no bytes of costs nothing, up to a bound.
        let behind = size.min(room) - bytes.len() as u64;
        let is_zero = in_file <= bytes.len() as u64 && behind <= MOST_ZEROS;
        Some(Datum {
            name,
            address: start,
            zeros: if is_zero { behind } else { 0 },
            bytes,
            size,
            is_guessed: chunks.contains_key(&start) && self.is_guess(start, size),
            pointers,
        })
    }

    /// What an address in data leads to.
    fn pointer(
        &self,
        to: u64,
        chunks: &BTreeMap<u64, u64>,
        all: &BTreeMap<u64, u64>,
        gathered: &Gathered,
    ) -> Pointer {
        let Some(found) = self.target(to, chunks) else {
            return Pointer::Nowhere(format!("{to:#x}"));
        };
        let begins = match self.things.at(to) {
            Some(Thing::Function { start, .. }) => start,
            _ => to.wrapping_sub(found.offset as u64),
        };
        let is_taken = gathered.functions.iter().any(|one| one.address == begins);
        let is_here = is_taken
            || all.contains_key(&begins)
            || self.provided.contains(&found.section)
            || gathered.left_out.contains_key(&found.section);
        match is_here {
            true => Pointer::To(found),
            false => Pointer::Nowhere(found.section),
        }
    }

    fn is_guess(&self, start: u64, size: u64) -> bool {
        let mut inside = self.unnamed.range(start..start + size);
        inside.any(|(_, (_, is_guess))| *is_guess)
    }

    /// Whether an address is that of a table of places in a function.
    fn is_table(&self, address: u64) -> bool {
        self.switches.contains(&address)
    }

    /// The data without a name, in pieces: where two references are near each other, one.
    fn chunks(&self) -> BTreeMap<u64, u64> {
        let mut chunks: BTreeMap<u64, u64> = BTreeMap::new();
        for (address, (size, _)) in &self.unnamed {
            let section = self.binary.section(*address);
            let end = section.map_or(*address, |section| section.address + section.size);
            let end = end.min(address + size);
            match chunks.last_entry() {
                Some(mut last) if *last.get() >= *address => {
                    let longer = end.max(*last.get());
                    *last.get_mut() = longer;
                }
                _ => {
                    chunks.insert(*address, end);
                }
            }
        }
        chunks
    }

    /// The section of the template in which an address lies.
    fn target(&self, address: u64, chunks: &BTreeMap<u64, u64>) -> Option<Target> {
        let address = self.binary.behind_stub(address).unwrap_or(address);
        let (section, start) = match self.things.at(address)? {
            Thing::Function { name, start, .. } => {
                let inside = self.inside.get(&start);
                match inside.filter(|inside| inside.labels.contains(&address)) {
                    Some(inside) => (inside.label(address - start), address),
                    None => (name, start),
                }
            }
            Thing::Datum { name, start, .. } => (name, start),
            Thing::Elsewhere { name, start } => (name, start),
            Thing::Unnamed => {
                let (start, end) = chunks.range(..=address).next_back()?;
                if address >= *end {
                    return None;
                }
                (format!("data.{start:x}"), *start)
            }
        };
        Some(Target {
            section,
            offset: address.wrapping_sub(start) as i64,
        })
    }
}

/// `1 call`, `2 calls`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
