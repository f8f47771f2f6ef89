//! `import`: machine code of a program as a template.
//!
//! Correct means: what is printed runs as it is, and what it is not is said in it.

use std::path::Path;

use super::itab::{go_of, matching};
use super::output::{Input, Output};
use super::program::{bytes_of, read, symbol};
use super::{Common, Stop, print_plain};
use crate::binary::import::{Entry, Request, import};
use crate::binary::itabs::{Held, Table};
use crate::binary::{Binary, Content, Symbol, SymbolKind};
use crate::text::paths::{named, path};
use crate::text::{closest, printable, quoted, word};

/// What to import, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Imported {
    /// Functions: the first is called; or an itab, INTERFACE,TYPE, one method of which is called
    #[arg(required = true, value_name = "SYMBOL")]
    symbols: Vec<String>,
    /// The method that is called through the itab
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Calls that are followed: what lies further away ends the row
    #[arg(long, value_name = "N", default_value_t = 3)]
    depth: u32,
    /// Write the template here
    #[arg(short, long, value_name = "FILE.asm")]
    output: Option<std::path::PathBuf>,
}

pub(super) fn run(common: &Common, file: &str, wanted: &Imported) -> Result<i32, Stop> {
    let inputs: Vec<Input> = Input::at(&path(file)).into_iter().collect();
    let output = wanted
        .output
        .as_deref()
        .map(|target| Output::new_one("-o", target))
        .transpose()?;
    if let Some(output) = &output {
        Output::check(&[output], &inputs)?;
    }
    let bytes = bytes_of(file)?;
    let binary = read(file, &bytes)?;
    let [first, others @ ..] = &wanted.symbols[..] else {
        return Err(Stop::Usage("`import`: name a symbol".into()));
    };
    let others = others
        .iter()
        .map(|one| symbol(&binary, file, one).map(|one| one.address));
    let others = others.collect::<Result<Vec<u64>, Stop>>()?;
    let entry = match &wanted.method {
        Some(method) => {
            let tables = matching(go_of(&binary, file)?, file, Some(first))?;
            through(file, first, &tables, method)?
        }
        None if first.contains(',') && binary.find(first).is_empty() => {
            let tables = matching(go_of(&binary, file)?, file, Some(first))?;
            let methods: Vec<&str> = tables[0].slots.iter().map(|slot| &*slot.method).collect();
            match methods[..] {
                [only] => through(file, first, &tables, only)?,
                _ => {
                    let next = match called(tables[0]) {
                        Some(method) => format!("; say which one is called: --method {method}"),
                        None => ", and the program calls none of them".into(),
                    };
                    return Err(Stop::Usage(format!(
                        "`{first}` has the methods {}{next}",
                        methods.join(", "),
                    )));
                }
            }
        }
        None => Entry::Function(function(&binary, file, first)?),
    };
    let name = match file {
        "-" => "stdin".to_string(),
        _ => Path::new(file)
            .file_name()
            .map_or_else(|| file.to_string(), named),
    };
    let request = Request {
        file: &name,
        entry,
        others: &others,
        depth: wanted.depth,
        arguments: &common.arguments,
    };
    let made = import(&binary, &request).map_err(|why| Stop::Usage(format!("{file}: {why}")))?;
    let target = wanted.output.as_deref();
    match (output, target) {
        (Some(output), Some(target)) => {
            output.write(&made.text, printable::lines)?;
            let target = named(target);
            print_plain(&format!(
                "wrote {target}\nnext: dispatchlab run {}\n",
                word(&target)
            ))?;
        }
        _ => print_plain(&made.text)?,
    }
    Ok(0)
}

/// The one function that a text means.
fn function<'b, 'a>(
    binary: &'b Binary<'a>,
    file: &str,
    wanted: &str,
) -> Result<&'b Symbol<'a>, Stop> {
    let found = symbol(binary, file, wanted)?;
    let section = binary.section(found.address);
    if found.kind == SymbolKind::Elsewhere
        || section.is_none_or(|section| section.content == Content::Code)
    {
        return Ok(found);
    }
    let table = binary.go.as_ref().and_then(|go| go.itab_at(found.address));
    Err(Stop::Usage(match table {
        Some(table) => {
            let next = match called(table) {
                Some(method) => format!(
                    "a method is called through it with `dispatchlab import {} {} --method {method}`",
                    word(file),
                    quoted(&table.pair())
                ),
                None => "the linker left out all of its methods, for no call reaches them".into(),
            };
            format!("{file}: {} is an itab; {next}", found.name)
        }
        None => format!(
            "{file}: {} is data, and functions are imported, with the data that they name; `dispatchlab sym {} {}` shows it",
            found.name,
            word(file),
            quoted(wanted)
        ),
    }))
}

/// The first method of an itab that the program has.
fn called(table: &Table) -> Option<&str> {
    let found = table.slots.iter().find(|slot| slot.held != Held::Pruned);
    found.map(|slot| &*slot.method)
}

/// A method of the one itab that was meant.
fn through<'a>(
    file: &str,
    wanted: &str,
    tables: &[&'a Table],
    method: &str,
) -> Result<Entry<'a>, Stop> {
    let [table] = tables else {
        const SHOWN: usize = 8;
        let pairs: Vec<String> = tables.iter().map(|table| quoted(&table.pair())).collect();
        let more = match pairs.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = &pairs[..pairs.len().min(SHOWN)];
        return Err(Stop::Usage(format!(
            "{file} has {} itabs for {wanted}: name one, {}{more}",
            tables.len(),
            shown.join(", "),
        )));
    };
    let at = table.slots.iter().position(|slot| slot.method == method);
    let Some(at) = at else {
        let names: Vec<&str> = table.slots.iter().map(|slot| &*slot.method).collect();
        let there = table.slots.iter().filter(|slot| slot.held != Held::Pruned);
        let near = closest(method, there.map(|slot| &*slot.method));
        return Err(Stop::Usage(format!(
            "{} has no method `{method}`; it has {}{}",
            table.interface,
            names.join(", "),
            near.map_or(String::new(), |near| format!(": did you mean `{near}`?"))
        )));
    };
    if table.slots[at].held == Held::Pruned {
        return Err(Stop::Usage(format!(
            "{wanted} has no `{method}` in this program: no call reaches it, and the linker left it out"
        )));
    }
    Ok(Entry::Method(table, at))
}
