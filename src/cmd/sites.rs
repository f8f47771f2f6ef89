//! `sites`: where a program decides at run time what to call.
//!
//! Correct means: each line is an instruction of the program, and the kinds are counted over all that
//! were looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::program::{bytes_of, read};
use super::{Common, Stop, print_json, print_plain};
use crate::binary::sites::{Finder, HashTable, How, Site, functions, unnamed_code};
use crate::binary::{Binary, Symbol};
use crate::text::{hanging, quoted, word};

pub(super) fn sites(common: &Common, file: &str, function: Option<&str>) -> Result<i32, Stop> {
    let bytes = bytes_of(file)?;
    let binary = read(file, &bytes)?;
    let wanted: Vec<u64> = match function {
        None => Vec::new(),
        Some(name) => {
            let found = match binary.find(name) {
                found if found.is_empty() => binary.matching(name),
                found => found,
            };
            found.iter().map(|symbol| symbol.address).collect()
        }
    };
    if function.is_some() && wanted.is_empty() {
        // Says what is like it.
        super::program::symbol(&binary, file, function.unwrap_or_default())?;
    }
    let [unnamed, all] = unnamed_code(&binary);
    if function.is_none() && 2 * unnamed > all {
        common.warn(&hanging(
            &format!(
                "{unnamed} of {all} bytes of the code of {file} belong to no function that it names, and were not looked \
                 at; ask of the file before it was stripped, or of one with its symbols"
            ),
            "warning:",
            2,
            common.error_style().width,
        ));
    }
    let finder = Finder::new(&binary);
    let looked_at =
        functions(&binary).filter(|symbol| function.is_none() || wanted.contains(&symbol.address));
    let looked_at: Vec<_> = looked_at.collect();
    if let (Some(name), true) = (function, looked_at.is_empty()) {
        return Err(Stop::Usage(format!(
            "{file}: `{name}` is no function with code here, and only those have sites; `dispatchlab sym {file} '{name}'` shows \
             what it is"
        )));
    }
    let found = found(&finder, &looked_at);
    if common.json {
        let all: Vec<_> = found.iter().map(|site| document(&binary, site)).collect();
        print_json(&format!("{:#}\n", json!({ "schema": 1, "sites": all })))?;
        return Ok(0);
    }
    print_plain(&text(&binary, &found, file, function.is_some()))?;
    Ok(0)
}

/// The sites of functions, in their order: each processor that this process may use takes a share.
fn found<'b, 'a>(finder: &Finder<'b, 'a>, functions: &[&'b Symbol<'a>]) -> Vec<Site> {
    /// Functions that are taken at a time.
    const SOME: usize = 256;
    let shares: Vec<_> = functions.chunks(SOME).enumerate().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, share)) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
            let sites = share.iter().flat_map(|symbol| finder.sites(symbol));
            done.push((*at, sites.collect::<Vec<Site>>()));
        }
        done
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut done = thread::scope(|scope| {
        let others = 1..processors.min(shares.len());
        let others: Vec<_> = others.map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().flat_map(|(_, sites)| sites).collect()
}

fn document(binary: &Binary<'_>, site: &Site) -> serde_json::Value {
    let slot = match site.how {
        How::Itab { slot } | How::Vtable { slot } => Some(slot),
        _ => None,
    };
    let cases = match site.how {
        How::Hashes { cases } | How::Interfaces { cases } => cases,
        How::Addresses { cases, .. } => Some(cases),
        How::HashTable(HashTable { cases, .. }) => Some(cases),
        _ => None,
    };
    json!({
        "address": format!("{:#x}", site.address),
        "function": site.function,
        "kind": site.how.name(),
        "slot": slot,
        "cases": cases,
        "text": site.text(binary),
        "row": site.how.row(),
    })
}

/// The sites, and how many there are of each kind; of a whole program only the latter.
fn text(binary: &Binary<'_>, found: &[Site], file: &str, is_listed: bool) -> String {
    let mut out = String::new();
    let (mut function, mut last) = ("", 0);
    for site in found.iter().filter(|_| is_listed) {
        let start = binary.symbol_at(site.address);
        let meant = start.map_or(site.address, |(symbol, _)| symbol.address);
        if site.function != function || meant != last {
            (function, last) = (&site.function, meant);
            // Of several functions of one name each has its address.
            let meant = quoted(&binary.reference(meant));
            let _ = writeln!(
                out,
                "{function}  (dispatchlab import {} {meant})",
                word(file)
            );
        }
        let slot = match &site.how {
            How::Itab { slot } | How::Vtable { slot } => format!(" slot {slot}"),
            How::Hashes { cases: Some(cases) }
            | How::Interfaces { cases: Some(cases) }
            | How::Addresses { cases, .. }
            | How::HashTable(HashTable { cases, .. }) => match cases {
                1 => ", 1 case".into(),
                cases => format!(", {cases} cases"),
            },
            How::Guard { itab: on } | How::FuncGuard { function: on, .. } => format!(" on {on}"),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "  {:#x}  {:<28} {}{slot}",
            site.address,
            site.text(binary),
            site.how.name()
        );
    }
    let mut counts: BTreeMap<&str, (usize, Option<String>)> = BTreeMap::new();
    for site in found {
        let entry = counts
            .entry(site.how.name())
            .or_insert_with(|| (0, site.how.row()));
        entry.0 += 1;
    }
    if is_listed && !found.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{} sites", found.len());
    for (name, (count, row)) in counts {
        let row = row.map_or(String::new(), |row| format!("dispatchlab run '{row}'"));
        let _ = writeln!(
            out,
            "{}",
            format!("  {count:>7}  {name:<23} {row}").trim_end()
        );
    }
    if !is_listed && !found.is_empty() {
        let _ = writeln!(out, "one function's: dispatchlab sites {} FUNC", word(file));
    }
    out
}
