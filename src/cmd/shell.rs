//! `completions` and `man`: what a shell and `man` need to know of the command line.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Stop, output, print, print_plain};

pub(super) fn completions(shell: Shell) -> Result<i32, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dispatchlab", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

pub(super) fn man(folder: &Path) -> Result<i32, Stop> {
    let cannot = |error: std::io::Error| output::refusal("man", folder, &error);
    fs::create_dir_all(folder).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(cannot)?;
    let mut pages: Vec<String> = fs::read_dir(folder)
        .map_err(cannot)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "1"))
        .map(|path| path.display().to_string())
        .collect();
    pages.sort();
    print_plain(&(pages.join("\n") + "\n"))?;
    Ok(0)
}
