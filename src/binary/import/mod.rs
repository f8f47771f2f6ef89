//! Machine code of a program as a template: what is called, what that needs, and what was assumed.
//!
//! Correct means: each function's lines assemble to the bytes that the file has, data have the file's
//! bytes, an address in either leads where it leads in the file, and everything that is not so is said
//! in the template.

mod arguments;
mod extent;
mod gather;
mod stacked;
mod text;
mod things;

use std::fmt::Write as _;

use super::itabs::Table;
use super::{Binary, Symbol};
use crate::go::Release;
use arguments::{Arguments, Convention};
use gather::{Datum, Gathered, Gatherer, Pointer, counted};
pub use text::Refusal;
use things::section_name;

/// What to import.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What the file is called.
    pub file: &'a str,
    /// What one iteration calls.
    pub entry: Entry<'a>,
    /// Further functions to take.
    pub others: &'a [u64],
    /// Calls that are followed.
    pub depth: u32,
    /// Registers and what they hold, as `--arg` has them.
    pub arguments: &'a [(String, String)],
}

/// How it is called.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// By its name.
    Function(&'a Symbol<'a>),
    /// Through a slot of an itab.
    Method(&'a Table, usize),
}

/// A template of a program's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The template.
    pub text: String,
    /// Functions that were taken.
    pub functions: usize,
    /// Instructions of theirs, and how many of them stand as bytes.
    pub instructions: (usize, usize),
    /// What is called and was not taken, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// The template of what is asked for.
///
/// # Errors
/// What cannot be called, and why, in words.
pub fn import(binary: &Binary<'_>, request: &Request<'_>) -> Result<Import, String> {
    let release = binary.go.as_ref().and_then(|go| go.release);
    let release = release.unwrap_or(Release::NEWEST);
    let gatherer = Gatherer::new(binary, release, request.depth);
    let (mut functions, mut data) = (Vec::new(), Vec::new());
    match request.entry {
        Entry::Function(symbol) => functions.push(symbol.address),
        Entry::Method(table, slot) => {
            functions.extend(table.slots.get(slot).map(|slot| slot.address));
            data.push(table.address);
        }
    }
    let entry = functions.first().copied().unwrap_or_default();
    functions.extend(request.others);
    let name = gatherer.name_at(entry);
    let name = name.ok_or_else(|| format!("at {entry:#x} the file has no function"))?;
    let gathered = gatherer.gather(&functions, &data);
    if !gathered.functions.iter().any(|one| one.address == entry) {
        return Err(match gathered.left_out.get(&name) {
            Some(why) => format!("`{name}` cannot be imported: {why}"),
            None => format!("`{name}` is no function that the file has the code of"),
        });
    }
    let mut body = body(binary, request, release, &name)?;
    let size = binary.symbol_at(entry).map_or(0, |(symbol, _)| symbol.size);
    let code = binary.bytes(entry, size).unwrap_or_default();
    let is_said = binary.go.is_some() && !release.has_register_abi();
    if !is_said && stacked::reads_arguments(code) {
        body.assumed.push(
            "it reads arguments on the stack, and nothing gives it these: they are what the stack holds".into(),
        );
    }
    Ok(written(binary, request, release, &gathered, &body))
}

/// Header lines, assumptions and the lines of the body.
struct Body {
    header: Vec<String>,
    assumed: Vec<String>,
    text: String,
}

fn body(
    binary: &Binary<'_>,
    request: &Request<'_>,
    release: Release,
    name: &str,
) -> Result<Body, String> {
    let is_go = binary.go.is_some();
    let is_register = is_go && release.has_register_abi();
    let convention = match request.entry {
        _ if !is_go => Convention::C,
        _ if !is_register => Convention::Stack,
        Entry::Function(_) => Convention::Go { first: 0 },
        Entry::Method(..) => Convention::Go { first: 1 },
    };
    let arguments = Arguments::new(request.arguments, convention)?;
    let mut out = Body {
        header: Vec::new(),
        assumed: arguments.sentences(),
        text: String::new(),
    };
    if is_go {
        out.header.push(format!("go       = \"{release}\""));
    }
    let set = arguments.code();
    let mut unknown = Vec::new();
    match request.entry {
        Entry::Method(table, slot) => {
            through(binary, table, slot, is_register, &set, &mut out);
            unknown.push("object".to_string());
        }
        Entry::Function(_) => {
            out.text.push_str("body:\n");
            out.text.push_str(&set);
            if is_register {
                out.text
                    .push_str("        xor  edx, edx\n        xorps xmm15, xmm15\n");
            }
            let _ = writeln!(out.text, "        call \"{name}\"");
        }
    }
    out.text += arguments.object();
    unknown.push("data".to_string());
    unknown.extend(arguments.unknown());
    out.header.push(format!("assumed  = {unknown:?}"));
    Ok(out)
}

/// The body that calls a method through its itab.
fn through(
    binary: &Binary<'_>,
    table: &Table,
    slot: usize,
    is_register: bool,
    set: &str,
    out: &mut Body,
) {
    let itab = section_name(&table.symbol());
    let offset = 24 + 8 * slot;
    let go = binary.go.as_ref();
    let size = go.and_then(|go| go.value_size(table.type_address));
    out.header.push("heap     = \"pointer\"".into());
    out.header.push(format!(
        "words    = [{:?}, \"object\"]",
        format!("\"{itab}\"")
    ));
    match size {
        Some(size) => {
            let room = size.max(16) - 4;
            out.header.push(format!("object   = \"dd id; resb {room}\""));
            out.assumed.insert(0, format!(
                "an object of {} has {size} bytes, its number in the first 4 and zeros behind it",
                table.type_name
            ));
        }
        None => out.assumed.insert(0, format!(
            "an object of {} has 16 bytes, its number in the first 4 and zeros behind it: how large it is, the file \
             does not say",
            table.type_name
        )),
    }
    out.header.push("dispatch = \"site\"".into());
    let slot_name = table.slots.get(slot).map_or("", |slot| &slot.method);
    let _ = writeln!(
        out.text,
        "body:                                   ; rax = itab, rbx = data"
    );
    let _ = writeln!(
        out.text,
        "        mov  rdx, [rax + {offset}]            ; fun[{slot}], {slot_name}"
    );
    if is_register {
        let _ = write!(
            out.text,
            "        mov  rax, rbx\n{set}        xorps xmm15, xmm15\nsite:   call rdx\n"
        );
    } else {
        let _ = write!(out.text, "        mov  [rsp], rbx\n{set}site:   call rdx\n");
    }
}

/// The template.
fn written(
    binary: &Binary<'_>,
    request: &Request<'_>,
    release: Release,
    gathered: &Gathered,
    body: &Body,
) -> Import {
    let title = match request.entry {
        Entry::Function(symbol) => format!("{} of {}", symbol.name, request.file),
        Entry::Method(table, slot) => format!(
            "{} of {} through {}, of {}",
            table.slots.get(slot).map_or("", |slot| &slot.method),
            table.type_name,
            table.interface,
            request.file
        ),
    };
    let mut text = format!(
        ";! title    = {:?}\n;! syntax   = \"intel\"\n;! clobbers = \"all\"\n",
        title.replace('"', "'")
    );
    for line in &body.header {
        let _ = writeln!(text, ";! {line}");
    }
    let bytes: u64 = gathered.functions.iter().map(|one| one.size).sum();
    let count: usize = gathered.functions.iter().map(|one| one.lines.count).sum();
    let as_bytes: usize = gathered
        .functions
        .iter()
        .map(|one| one.lines.as_bytes)
        .sum();
    let made = binary
        .go
        .as_ref()
        .map_or(String::new(), |go| format!(", made by {}", go.version));
    let _ = writeln!(
        text,
        "; From {}{made}: {} of {bytes} bytes, {count} instructions, as the file has them; {}.",
        request.file,
        counted(gathered.functions.len(), "function"),
        counted(gathered.data.len(), "piece") + " of data"
    );
    let mut assumed = body.assumed.clone();
    if let Some(go) = binary.go.as_ref().filter(|go| go.release.is_none()) {
        assumed.push(format!(
            "the release is {release}: nothing here knows {}",
            go.version
        ));
    }
    if gathered.functions.iter().any(|one| one.lines.moves_g) {
        assumed.push("g is at gs:[-8], where the file has it at fs:[-8]".into());
    }
    if gathered.guessed_pointers > 0 {
        assumed.push(format!(
            "{} of data taken for addresses, because they look like some: the file does not say which are",
            counted(gathered.guessed_pointers, "word")
        ));
    }
    let widened: usize = gathered.functions.iter().map(|one| one.lines.widened).sum();
    if widened > 0 {
        assumed.push(format!(
            "{} to other functions, short in the file, 3 or 4 bytes longer here, for those are further away",
            counted(widened, "jump")
        ));
    }
    if as_bytes > 0 {
        assumed.push(format!(
            "as bytes stand {}, for which the assembler has no words in that encoding",
            counted(as_bytes, "instruction")
        ));
    }
    let guessed = gathered.data.iter().filter(|one| one.is_guessed).count();
    if guessed > 0 {
        assumed.push(format!(
            "{} of data as long as below: nothing says where they end, and a result that hangs on more of them is wrong",
            counted(guessed, "piece")
        ));
    }
    let is_cut = |one: &&gather::Datum| one.size > one.bytes.len() as u64 + one.zeros;
    let cut = gathered.data.iter().filter(is_cut).count();
    if cut > 0 {
        assumed.push(format!(
            "of {} of data the first bytes alone: what lies behind them is not here",
            counted(cut, "piece")
        ));
    }
    if let Some(first) = gathered.numbers.first() {
        assumed.push(format!(
            "{} of the program, {first:#x} {}, in instructions as numbers: they stay those, and what they lead to is not \
             here; reading it most likely ends the row",
            counted(gathered.numbers.len(), "address").replace("addresss", "addresses"),
            if gathered.numbers.len() == 1 { "alone" } else { "the first" },
        ));
    }
    if !gathered.data.is_empty() {
        assumed
            .push("data hold what the file has, as before the program's first instruction".into());
    }
    for one in &assumed {
        let _ = writeln!(text, "; Assumed: {one}.");
    }
    if !gathered.modelled.is_empty() {
        let names: Vec<&str> = gathered.modelled.iter().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "; Modelled, and not the program's own: {}.",
            names.join(", ")
        );
    }
    text.push('\n');
    text.push_str(&body.text);
    for function in &gathered.functions {
        let _ = writeln!(text, "\nfunc \"{}\":", function.name);
        let _ = writeln!(text, "; {:#x}, {} bytes", function.address, function.size);
        text.push_str(&function.lines.text);
    }
    for (name, why) in &gathered.left_out {
        let _ = writeln!(
            text,
            "\n; Not here: {why}. A call ends the row; put what it is to do in its place."
        );
        let _ = writeln!(text, "func \"{name}\":\n        ud2");
    }
    for datum in &gathered.data {
        text.push('\n');
        text.push_str(&data(datum));
    }
    Import {
        text,
        functions: gathered.functions.len(),
        instructions: (count, as_bytes),
        left_out: gathered.left_out.clone().into_iter().collect(),
    }
}

/// A datum's section.
fn data(datum: &Datum) -> String {
    let mut out = format!("data \"{}\":", datum.name);
    let taken = datum.bytes.len() as u64 + datum.zeros;
    let guess = match (datum.is_guessed, datum.size > taken) {
        (true, _) => ": how many there are, nothing says",
        (false, true) => ": the first of them",
        _ => "",
    };
    let _ = writeln!(out, "\n; {:#x}, {taken} bytes{guess}", datum.address,);
    let mut at = 0;
    while at < datum.bytes.len() {
        if let Some(pointer) = datum.pointers.get(&(at as u64)) {
            let _ = match pointer {
                Pointer::To(target) => writeln!(out, "        dq   {target}"),
                Pointer::Nowhere(name) => {
                    writeln!(out, "        dq   0{:24}; not here: {name}", "")
                }
            };
            at += 8;
            continue;
        }
        let next = datum
            .pointers
            .range(at as u64..)
            .next()
            .map_or(datum.bytes.len(), |(next, _)| *next as usize);
        let zeros = datum.bytes[at..next]
            .iter()
            .take_while(|byte| **byte == 0)
            .count();
        if zeros >= 16 || zeros == next - at {
            let _ = writeln!(out, "        resb {zeros}");
            at += zeros;
            continue;
        }
        let row = &datum.bytes[at..next.min(at + 8)];
        let bytes: Vec<String> = row.iter().map(|byte| format!("{byte:#04x}")).collect();
        let shown: String = row
            .iter()
            .map(|byte| {
                if (b' '..=b'~').contains(byte) {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect();
        let _ = writeln!(out, "        db   {} ; {shown}", bytes.join(", "));
        at += row.len();
    }
    if datum.zeros > 0 {
        let _ = writeln!(out, "        resb {}", datum.zeros);
    }
    out
}
