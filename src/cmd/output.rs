//! Files that a command writes besides its result: the one place that writes any.
//!
//! Correct means: a file that cannot be written, or that this run reads, is found before anything is measured;
//! and whatever happens, under a name there is the old text or the whole new one: it is written beside its place
//! and renamed.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Stop;
use crate::sys::files;
use crate::text::paths::named;

/// A file that can be written, its old text still there.
#[derive(Debug)]
pub(super) struct Output {
    option: &'static str,
    path: PathBuf,
    place: Place,
}

/// What a text may stand as where a terminal shows it.
pub(super) type Escapes = fn(&str) -> Cow<'_, str>;

/// How a file gets its text.
#[derive(Debug)]
enum Place {
    /// All at once, by renaming, here: behind all links.
    Renamed(PathBuf),
    /// Into what stands there and cannot be replaced: a pipe, a device, a file in a folder of somebody else.
    Into(File),
}

/// What two names of one file have in common: device and number, of a file that there is not yet those of its
/// folder and its name.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    Of(u64, u64),
    In(u64, u64, PathBuf),
}

/// A file that this run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Input {
    device: u64,
    number: u64,
}

impl Input {
    /// The file at a path; `None` where there is no regular one, or for `-` none behind standard input.
    pub(super) fn at(path: &Path) -> Option<Input> {
        let known = if path == Path::new("-") {
            File::from(io::stdin().as_fd().try_clone_to_owned().ok()?).metadata()
        } else {
            fs::metadata(path)
        };
        let known = known.ok().filter(fs::Metadata::is_file)?;
        Some(Input {
            device: known.dev(),
            number: known.ino(),
        })
    }
}

/// The files that standard output and standard error go to, where they are ones.
fn own_streams() -> Vec<Identity> {
    let streams = [
        io::stdout().as_fd().try_clone_to_owned(),
        io::stderr().as_fd().try_clone_to_owned(),
    ];
    let known = streams
        .into_iter()
        .flatten()
        .map(|stream| File::from(stream).metadata());
    let files = known.flatten().filter(fs::Metadata::is_file);
    files
        .map(|known| Identity::Of(known.dev(), known.ino()))
        .collect()
}

impl Output {
    /// Finds out how the file that an option names can be written.
    pub(super) fn open(option: &'static str, path: &Path) -> Result<Output, Stop> {
        if path == Path::new("-") {
            return Err(Stop::Usage(format!(
                "`{option} -`: name a file; stdout has the report, and with --json its JSON"
            )));
        }
        let place = place(path).map_err(|error| refusal(option, path, &error))?;
        Ok(Output {
            option,
            path: path.to_path_buf(),
            place,
        })
    }

    /// The same of a file that somebody may go on with: one that is there stays.
    pub(super) fn new_one(option: &'static str, path: &Path) -> Result<Output, Stop> {
        let known = path.symlink_metadata();
        // A pipe or a device takes what it is given; a file, and a link to anything, is somebody's.
        if known.is_ok_and(|known| known.is_file() || known.is_symlink()) {
            return Err(Stop::Usage(format!(
                "{} is there already, and nothing was written; choose another name or remove it",
                named(path)
            )));
        }
        Output::open(option, path)
    }

    /// Refuses two options that name one file, for the second would replace the first, and one that names a file
    /// that this run reads.
    pub(super) fn check(outputs: &[&Output], inputs: &[Input]) -> Result<(), Stop> {
        let refuse = |one: &Output, why: String| {
            let path = named(&one.path);
            Err(Stop::Usage(format!("`{} {path}`: {why}", one.option)))
        };
        for (at, one) in outputs.iter().enumerate() {
            let Some(identity) = one.identity() else {
                continue;
            };
            let is_read = |input: &Input| identity == Identity::Of(input.device, input.number);
            if inputs.iter().any(is_read) {
                return refuse(
                    one,
                    "this run reads that file, and it would be lost; name another".into(),
                );
            }
            if own_streams().contains(&identity) {
                return refuse(
                    one,
                    "this run prints into that file, and what it prints would be lost; name another".into(),
                );
            }
            let same = outputs[..at]
                .iter()
                .find(|other| other.identity().as_ref() == Some(&identity));
            if let Some(other) = same {
                let why = format!("{} writes that file already; name another", other.option);
                return refuse(one, why);
            }
        }
        Ok(())
    }

    /// None of what has no text of its own to lose.
    fn identity(&self) -> Option<Identity> {
        let known = match &self.place {
            Place::Renamed(place) => fs::metadata(place),
            Place::Into(file) => file.metadata(),
        };
        match (known, &self.place) {
            (Ok(known), _) => known
                .is_file()
                .then(|| Identity::Of(known.dev(), known.ino())),
            (Err(_), Place::Renamed(place)) => {
                let folder = fs::metadata(folder_of(place)).ok()?;
                let name = place.file_name()?.into();
                Some(Identity::In(folder.dev(), folder.ino(), name))
            }
            (Err(_), Place::Into(_)) => None,
        }
    }

    /// Gives the file its text; a terminal gets it with the escapes that the text has for what steers one.
    pub(super) fn write(self, text: &str, escapes: Escapes) -> Result<(), Stop> {
        let written = match self.place {
            Place::Renamed(place) => replace(&place, text),
            Place::Into(file) if file.is_terminal() => write_into(file, &escapes(text)),
            Place::Into(file) => write_into(file, text),
        };
        written.map_err(|error| refusal(self.option, &self.path, &error))
    }
}

fn place(path: &Path) -> io::Result<Place> {
    // What must be a folder is no file, whether it is there or not.
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let known = match fs::metadata(path) {
        Ok(known) => Some(known),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Not truncated: what is in it stays if measuring fails.
    let opened = known.is_some().then(|| files::to_write(path)).transpose()?;
    let place = behind_links(path);
    let is_same = |known: &fs::Metadata| {
        let found = fs::metadata(&place).ok();
        found.is_some_and(|found| (found.dev(), found.ino()) == (known.dev(), known.ino()))
    };
    match (known, opened) {
        // `/dev/stdout` leads to files that have no name any more.
        (Some(known), Some(file)) if !known.is_file() || !is_same(&known) => Ok(Place::Into(file)),
        (_, opened) => match (Beside::of(&place), opened) {
            // Dropped, it is gone again: nothing is left of a run that is ended.
            (Ok(_), _) => Ok(Place::Renamed(place)),
            (Err(_), Some(file)) => Ok(Place::Into(file)),
            (Err(error), None) => Err(error),
        },
    }
}

/// Where links lead to, also where that is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    /// As many as the kernel follows.
    const MOST: usize = 40;
    let mut place = path.to_path_buf();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&place) else {
            break;
        };
        place = folder_of(&place).join(target);
    }
    place
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

/// A new file in the folder of another, gone when it is dropped.
struct Beside {
    file: File,
    path: PathBuf,
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Renamed already, where all went well.
        let _ = fs::remove_file(&self.path);
    }
}

impl Beside {
    fn of(place: &Path) -> io::Result<Beside> {
        for number in 0u32.. {
            let name = format!(".dispatchlab-{}-{number}.tmp", std::process::id());
            let path = folder_of(place).join(name);
            // Never through a link that somebody has put there.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Beside { file, path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("there are not so many files")
    }
}

/// Replaces a file's text, or makes the file: a full disk leaves it as it was.
pub(super) fn replace(place: &Path, text: &str) -> io::Result<()> {
    let mut new = Beside::of(place)?;
    new.file.write_all(text.as_bytes())?;
    // Some disks say only now that they are full.
    new.file.sync_all()?;
    if let Ok(old) = fs::metadata(place) {
        new.file.set_permissions(old.permissions())?;
    }
    match fs::rename(&new.path, place) {
        // A file that is mounted by itself, as into a container.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            write_into(OpenOptions::new().write(true).open(place)?, text)
        }
        renamed => renamed,
    }
}

fn write_into(mut file: File, text: &str) -> io::Result<()> {
    // A pipe or a terminal has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

/// Makes a file that there is not yet.
pub(super) fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // Half of it is of no use.
        let _ = fs::remove_file(path);
    }
    written
}

/// Why a path cannot be written, and what to do.
pub(super) fn refusal(option: &str, path: &Path, error: &io::Error) -> Stop {
    let shown = named(path);
    let why = match error.kind() {
        io::ErrorKind::NotFound => {
            let place = behind_links(path);
            let folder = folder_of(&place);
            match (folder.is_dir(), folder == Path::new(".")) {
                (true, false) => format!(
                    "no file can be made in {}; name another place",
                    named(folder)
                ),
                (_, true) => "the working directory is gone; go to another".into(),
                (false, false) => format!("there is no folder {}; make it first", named(folder)),
            }
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "what is there is no folder; name another place".into()
        }
        io::ErrorKind::PermissionDenied => "permission denied; name another place".into(),
        io::ErrorKind::IsADirectory => "it is a folder; name a file in it".into(),
        io::ErrorKind::StorageFull => "the disk is full; name another place".into(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up; name another place".into(),
        io::ErrorKind::FileTooLarge => "files may not be so large here; raise `ulimit -f`".into(),
        _ => format!("{error}; name another place"),
    };
    let what = format!("{option} {shown}");
    Stop::Usage(format!("`{}`: cannot write it: {why}", what.trim_end()))
}
