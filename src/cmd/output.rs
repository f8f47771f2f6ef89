//! Files that a command writes besides its result.
//!
//! Correct means: a file that cannot be written is found before anything is measured, and a file
//! that was there keeps its text until its new text is complete in memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Stop;

/// A file that can be written, its old text still there.
#[derive(Debug)]
pub(super) struct Output {
    option: &'static str,
    path: PathBuf,
    file: File,
    is_new: bool,
}

impl Output {
    /// Opens the file that an option names.
    pub(super) fn open(option: &'static str, path: &Path) -> Result<Output, Stop> {
        if path == Path::new("-") {
            return Err(Stop::Usage(format!(
                "`{option} -`: name a file; stdout has the report, and with --json its JSON"
            )));
        }
        let is_new = !path.exists();
        // Not truncated yet: what is in it stays if measuring fails.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| refusal(option, path, &error))?;
        Ok(Output {
            option,
            path: path.to_path_buf(),
            file,
            is_new,
        })
    }

    /// Refuses two options that name one file, for the second would replace the first.
    pub(super) fn all_differ(outputs: &[&Output]) -> Result<(), Stop> {
        let identity = |output: &Output| {
            let known = output.file.metadata().ok().filter(fs::Metadata::is_file);
            known.map(|known| (known.dev(), known.ino()))
        };
        for (at, one) in outputs.iter().enumerate() {
            for other in &outputs[..at] {
                if identity(one).is_some() && identity(one) == identity(other) {
                    return Err(Stop::Usage(format!(
                        "`{} {}`: {} writes that file already; name another",
                        one.option,
                        one.path.display(),
                        other.option
                    )));
                }
            }
        }
        Ok(())
    }

    /// Replaces the file's text.
    pub(super) fn write(mut self, text: &str) -> Result<(), Stop> {
        self.is_new = false;
        let is_file = self.file.metadata().is_ok_and(|known| known.is_file());
        // A pipe or a terminal has no length.
        let emptied = if is_file {
            self.file.set_len(0)
        } else {
            Ok(())
        };
        emptied
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(|error| refusal(self.option, &self.path, &error))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // Opening it made it, and nothing was written: leave no trace.
        if self.is_new && self.file.metadata().is_ok_and(|known| known.len() == 0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why a path cannot be written, and what to do.
pub(super) fn refusal(option: &str, path: &Path, error: &io::Error) -> Stop {
    let shown = path.display();
    let why = match error.kind() {
        io::ErrorKind::NotFound => {
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            format!("there is no folder {}; make it first", parent.display())
        }
        io::ErrorKind::PermissionDenied => "permission denied; name another place".into(),
        io::ErrorKind::IsADirectory => "it is a folder; name a file in it".into(),
        io::ErrorKind::StorageFull => "the disk is full; name another place".into(),
        _ => format!("{error}; name another place"),
    };
    Stop::Usage(format!("`{option} {shown}`: cannot write it: {why}"))
}
