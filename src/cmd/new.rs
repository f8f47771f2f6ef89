//! `new`: a template to start from, in the folder where it will be found.
//!
//! Correct means: nothing is overwritten or hidden, and what was written runs as it is.

use std::io;
use std::path::{Path, PathBuf};

use super::names::bind;
use super::{Common, Stop, output, print_plain};
use crate::template::library::{FOLDER, Library};

/// What a new template says where nothing is to be copied.
const STARTER: &str = include_str!("starter.asm");

pub(super) fn new(
    common: &Common,
    name: &str,
    from: Option<&str>,
    listing: Option<&str>,
) -> Result<i32, Stop> {
    let library = common.library()?;
    check_name(name, &library)?;
    let text = match (from, listing) {
        (Some(from), _) => bind(&library, from, &[])?.template.text.clone(),
        (None, Some(listing)) => from_listing(common, &library, listing)?,
        (None, None) => STARTER.to_string(),
    };
    let folder = common.templates.clone();
    let folder = folder.or_else(|| Some(PathBuf::from(FOLDER)).filter(|folder| folder.is_dir()));
    let path = folder
        .clone()
        .unwrap_or_default()
        .join(format!("{name}.asm"));
    write(&path, &text)?;
    let run = match (&common.templates, &folder) {
        (Some(folder), _) => format!("{name} --templates {}", folder.display()),
        (None, Some(_)) => name.to_string(),
        (None, None) => format!("{name}.asm"),
    };
    print_plain(&format!(
        "wrote {}\nnext: dispatchlab run {run}\n",
        path.display()
    ))?;
    Ok(0)
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
            path.display()
        )),
        _ => output::refusal("new", path, &error),
    })
}
