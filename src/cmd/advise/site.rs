//! The call site that `advise` is asked about: that of a program, or of a template that shows one.
//!
//! Correct means: what is said of a site is what its program says of it, and what is none of an interface is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::names::has;
use super::super::program::{bytes_of, read};
use super::super::{Common, Stop};
use crate::advise::{Packages, Site};
use crate::binary::Binary;
use crate::binary::itabs::Table;
use crate::binary::sites::How;
use crate::go::{HeapKind, Release};
use crate::scenario::{Recording, Scenario};
use crate::template::Value as Param;
use crate::text::content::Content;
use crate::text::paths::path;
use crate::text::word;
use crate::visits::Spot;

/// The site that a template shows.
pub(super) fn of_template(
    common: &Common,
    name: &str,
    given: &[(String, String)],
    (recording, text): (&Recording, &str),
) -> Result<(String, Site), Stop> {
    let library = common.library()?;
    let template = library.load(name).map_err(|error| match is_program(name) {
        true => Stop::Usage(format!(
            "{name} is a program: name its call site behind it; `dispatchlab sites {} FUNC` lists them",
            word(name)
        )),
        false => Stop::from(error),
    })?;
    let refuse = |why: &str| {
        Stop::Usage(format!(
            "`{name}`: {why}; `advise` is for a call through an interface of several types, as `itab_call`"
        ))
    };
    if !matches!(template.header.heap, HeapKind::Iface | HeapKind::Eface) {
        return Err(refuse("its receivers are no interface values"));
    }
    // As many types as the recording has, where nobody says more.
    let needed = recording.needed();
    let mut bound = given.to_vec();
    let is_given = |key: &str| given.iter().any(|(known, _)| known == key);
    let key = ["targets", "cases"]
        .into_iter()
        .find(|key| has(&template, key));
    match key {
        None => return Err(refuse("it has one type")),
        Some(key) if is_given(key) => {}
        Some("cases") => bound.push(("cases".into(), needed.max(2).to_string())),
        Some(key) => bound.push((key.into(), needed.to_string())),
    }
    if has(&template, "hit") && !is_given("hit") {
        bound.push(("hit".into(), "order".into()));
    }
    // What only the ways have says nothing of the template.
    bound.retain(|(key, _)| key != "callee" || has(&template, key));
    let scenario = Scenario::bind(Arc::new(template), &bound)?.replay(recording.clone())?;
    let count = |key: &str| match scenario.params.get(key) {
        Some(Param::Int(count)) => u32::try_from(*count).ok(),
        _ => None,
    };
    let types = key.and_then(count).unwrap_or(needed);
    let site = Site::of(recording, text, register_abi(scenario.release)?, types);
    Ok((scenario.template.name.clone(), site))
}

/// Whether a name is that of a file of machine code.
fn is_program(name: &str) -> bool {
    let place = path(name);
    let bytes = place.is_file().then(|| bytes_of(name).ok()).flatten();
    bytes.is_some_and(|bytes| Content::foreign(&bytes) == Some(Content::Program))
}

/// The site of a program.
pub(super) fn of_program(
    file: &str,
    site: &str,
    given: &[(String, String)],
    (recording, text): (&Recording, &str),
) -> Result<(String, Site), Stop> {
    let bytes = bytes_of(file)?;
    let binary = read(file, &bytes)?;
    let spot = Spot::find(&binary, site).map_err(|why| {
        Stop::Usage(format!(
            "{file}: {why}; `dispatchlab sites {} FUNC` lists them",
            word(file)
        ))
    })?;
    if !spot.how.is_by_interface() {
        let row = spot.how.row();
        let row = match &spot.how {
            How::Dictionary => {
                "; here the types were chosen where the generic function was called".into()
            }
            How::HashTable(_) => {
                "; a recording of this one has the targets of its jump, of which several types may share one, for nothing \
                 tells where the type stands: record a call through the same interface in front of it or behind it"
                    .into()
            }
            _ => row.map_or(String::new(), |row| {
                format!("; `dispatchlab run '{row}'` measures the like")
            }),
        };
        return Err(Stop::Usage(format!(
            "{file}: {} is a site of the kind {}, and `advise` is for those that choose by the type of an interface of \
             Go{row}",
            spot.name,
            spot.how.name()
        )));
    }
    let said = given.iter().rev().find(|(key, _)| key == "go");
    let release = match said {
        Some((_, release)) => release.parse().map_err(Stop::Usage)?,
        None => binary
            .go
            .as_ref()
            .and_then(|go| go.release)
            .unwrap_or(Release::NEWEST),
    };
    let mut found = Site::of(recording, text, register_abi(release)?, 0);
    found.packages = Packages::of(&binary, &spot.name);
    found.is_switch = matches!(
        spot.how,
        How::Hashes { .. } | How::Addresses { .. } | How::HashTable(_)
    );
    let called = Called::at(&binary, &spot.how, &found);
    found.method = called.method.or(found.method);
    (found.signature, found.interface) = (called.signature, called.interface);
    Ok((format!("{} in {file}", spot.name), found))
}

/// What a site calls, as far as the itabs of the types that come agree on it.
struct Called {
    method: Option<String>,
    signature: Option<String>,
    interface: Option<String>,
}

impl Called {
    fn at(binary: &Binary<'_>, how: &How, site: &Site) -> Called {
        let nothing = Called {
            method: None,
            signature: None,
            interface: None,
        };
        let (How::Itab { slot }, Some(go)) = (how, &binary.go) else {
            return nothing;
        };
        let slot = *slot as usize;
        let names: Vec<String> = site
            .ranked()
            .into_iter()
            .map(|one| site.name(one))
            .collect();
        // A target is named with the types whose itabs lead there.
        let is_named = |of: &str| {
            names.iter().any(|name| {
                let mut places = name.match_indices(of);
                places.any(|(at, _)| {
                    let (before, behind) = (&name[..at], &name[at + of.len()..]);
                    (before.is_empty() || before.ends_with(" or "))
                        && (behind.is_empty()
                            || behind.starts_with(" (")
                            || behind.starts_with(" or "))
                })
            })
        };
        let is_called = |table: &&Table| {
            let slot = table.slots.get(slot);
            let known = site.method.as_ref();
            slot.is_some_and(|slot| known.is_none_or(|known| *known == slot.method))
        };
        let of_types = go.itabs.iter().filter(|table| is_named(&table.type_name));
        let mut by_interface: BTreeMap<u64, Vec<&Table>> = BTreeMap::new();
        for table in of_types.filter(is_called) {
            let all = by_interface.entry(table.interface_address).or_default();
            all.push(table);
        }
        // Each type has itabs for other interfaces as well; all of them together have it for the site's.
        let most = by_interface
            .values()
            .map(Vec::len)
            .max()
            .unwrap_or_default();
        let tables = by_interface.into_values().filter(|all| all.len() == most);
        let tables: Vec<&Table> = tables.flatten().collect();
        let method = agreed(
            tables
                .iter()
                .map(|one| Some(one.slots[slot].method.clone())),
        );
        if method.is_none() {
            return nothing;
        }
        Called {
            method,
            signature: agreed(
                tables
                    .iter()
                    .map(|one| go.signature(one.interface_address, slot)),
            ),
            interface: agreed(tables.iter().map(|one| Some(one.interface.clone()))),
        }
    }
}

/// What all say, if they do.
fn agreed(mut all: impl Iterator<Item = Option<String>>) -> Option<String> {
    let first = all.next()??;
    all.all(|one| one.as_ref() == Some(&first)).then_some(first)
}

fn register_abi(release: Release) -> Result<Release, Stop> {
    match release.has_register_abi() {
        true => Ok(release),
        false => Err(Stop::Usage(format!(
            "Go {release} passes arguments on the stack, and the ways that are measured pass them in registers, as Go does \
             since 1.17; take a later one with -p go=1.27"
        ))),
    }
}
