//! `new`: a template to start from, in the folder where it will be found.
//!
//! Correct means: nothing is overwritten or hidden, and what was written runs as it is.

use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::names::bind;
use super::{Common, Stop, output, print_plain};
use crate::template::chain::{self, Measured};
use crate::template::library::{FOLDER, Library};
use crate::text::paths::named;

/// What a new template says where nothing is to be copied.
const STARTER: &str = include_str!("starter.asm");

/// What a template is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A call through an interface, with its wrapper
    Itab,
    /// A switch over types
    Switch,
    /// A virtual call through a table
    Vtable,
    /// A call behind an inline cache in data
    Cache,
    /// An instruction whose copies wait for each other
    Latency,
    /// An instruction whose copies do not wait for each other
    Throughput,
}

/// What the text of a new template is made of.
pub(super) struct Made<'a> {
    /// A template or file to copy.
    pub(super) from: Option<&'a str>,
    /// A listing to make it of.
    pub(super) listing: Option<&'a str>,
    /// What it is to show.
    pub(super) kind: Option<Kind>,
    /// The instruction that it is to measure.
    pub(super) instruction: Option<&'a str>,
}

pub(super) fn new(common: &Common, name: &str, made: &Made<'_>) -> Result<i32, Stop> {
    let library = common.library()?;
    check_name(name, &library)?;
    let text = match (made.from, made.listing, made.kind) {
        (Some(from), ..) => bind(&library, from, &[])?.template.text.clone(),
        (None, Some(listing), _) => from_listing(common, &library, listing)?,
        (None, None, Some(kind)) => of_kind(kind, made.instruction)?,
        (None, None, None) => STARTER.to_string(),
    };
    let folder = common.templates.clone();
    let folder = folder.or_else(|| Some(PathBuf::from(FOLDER)).filter(|folder| folder.is_dir()));
    let path = folder
        .clone()
        .unwrap_or_default()
        .join(format!("{name}.asm"));
    write(&path, &text)?;
    let run = match (&common.templates, &folder) {
        (Some(folder), _) => format!("{name} --templates {}", named(folder)),
        (None, Some(_)) => name.to_string(),
        (None, None) => format!("{name}.asm"),
    };
    print_plain(&format!(
        "wrote {}\nnext: dispatchlab run {run}\n",
        named(&path)
    ))?;
    Ok(0)
}

/// The template of a kind.
fn of_kind(kind: Kind, instruction: Option<&str>) -> Result<String, Stop> {
    let measured = match kind {
        Kind::Latency => Measured::Latency,
        Kind::Throughput => Measured::Throughput,
        Kind::Itab | Kind::Switch | Kind::Vtable | Kind::Cache => {
            if let Some(instruction) = instruction {
                return Err(Stop::Usage(format!(
                    "`{instruction}`: only --kind latency and --kind throughput take an instruction"
                )));
            }
            return Ok(match kind {
                Kind::Switch => include_str!("starters/switch.asm"),
                Kind::Vtable => include_str!("starters/vtable.asm"),
                Kind::Cache => include_str!("starters/cache.asm"),
                _ => include_str!("starters/itab.asm"),
            }
            .to_string());
        }
    };
    let Some(instruction) = instruction else {
        let message = "--kind latency and --kind throughput take an instruction: `dispatchlab new mine --kind latency 'imul rax, rbx'`";
        return Err(Stop::Usage(message.into()));
    };
    chain::template(measured, instruction)
        .map_err(|why| Stop::Usage(format!("`{instruction}`: {why}")))
}

/// The template of a listing, with what was assumed as comments.
fn from_listing(common: &Common, library: &Library, file: &str) -> Result<String, Stop> {
    let template = library.load(file)?;
    common.tell(&template);
    let text = template.from_pasted().map_err(Stop::Templates)?;
    text.ok_or_else(|| {
        Stop::Usage(format!(
            "{file} is a template already: `new NAME --from {file}` copies it"
        ))
    })
}

fn check_name(name: &str, library: &Library) -> Result<(), Stop> {
    let refuse = |why: &str| Err(Stop::Usage(format!("`new {name}`: {why}")));
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_letter) {
        return refuse(
            "a template's name has letters, digits, - and _ only; the folder and `.asm` are added",
        );
    }
    if library.suite_names().iter().any(|known| known == name) {
        return refuse("a suite has that name; choose another");
    }
    if library.names().iter().any(|known| known == name) {
        return refuse(&format!(
            "there is a template of that name; choose another: `dispatchlab new my_{name} --from {name}`"
        ));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    output::create(path, text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Stop::Usage(format!(
            "{} is there already, and nothing was written; choose another name or remove it",
            named(path)
        )),
        _ => output::refusal("new", path, &error),
    })
}
