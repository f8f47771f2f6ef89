//! `completions` and `man`: what a shell and `man` need to know of the command line.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::output::{self, Output};
use super::{Cli, Stop, print, print_plain};
use crate::sys::files;
use crate::text::paths::named;
use crate::text::printable;

pub(super) fn completions(shell: Shell) -> Result<i32, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dispatchlab", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

/// Writes a page for each command; none takes the place of anything but an older one.
pub(super) fn man(folder: &Path) -> Result<i32, Stop> {
    let cannot = |error: io::Error| output::refusal("man", folder, &error);
    fs::create_dir_all(folder).map_err(cannot)?;
    let mut pages = Vec::new();
    for page in pages_of(Cli::command()) {
        let mut text = Vec::new();
        page.render(&mut text).map_err(cannot)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let path = folder.join(page.get_filename());
        let output = Output::open("man", &path)?;
        let begin = begin(&text).as_bytes();
        let read = |path: &Path| files::read(path, begin.len() as u64);
        if path.exists() && read(&path).map_or(path.is_file(), |found| found != begin) {
            return Err(Stop::Usage(format!(
                "`man {}`: what is there is no page of this program, and nothing was written; name another folder",
                named(path)
            )));
        }
        pages.push((path, output, text));
    }
    let mut written = String::new();
    for (path, output, text) in pages {
        output.write(&text, printable::lines)?;
        let _ = writeln!(written, "{}", named(path));
    }
    print_plain(&written)?;
    Ok(0)
}

/// The pages of all commands that are shown, sorted.
fn pages_of(command: Command) -> Vec<Man> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    let mut pages: Vec<Man> = shown.cloned().map(Man::new).collect();
    pages.push(Man::new(command));
    pages.sort_by_key(Man::get_filename);
    pages
}

/// What all versions of a page begin with: everything up to its title.
fn begin(page: &str) -> &str {
    let title = page.find(".TH dispatchlab").unwrap_or(0);
    let length = page[title..].find(" 1 ").unwrap_or(0);
    &page[..title + length]
}
