//! Files that somebody edits: when one of them was saved.
//!
//! Correct means: whatever way an editor has of saving, by writing into the file, by another file that takes its name, or
//! by removing it first, is heard of when the file is whole; where the kernel tells nothing, as of files on other
//! machines, a look now and then finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Between two looks at files of which the kernel tells nothing.
pub const LOOK: Duration = Duration::from_millis(200);

/// How long a file may be missing or empty while an editor saves it: its old one is moved away before the new one is there.
const BETWEEN: Duration = Duration::from_millis(40);

/// What an editor's way of saving ends with, and what it may begin with.
const TOLD: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_CREATE);

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    There {
        device: u64,
        number: u64,
        length: u64,
        /// When its text was written, in nanoseconds.
        written: i128,
    },
}

impl State {
    fn of(path: &Path) -> State {
        match fs::metadata(path) {
            Ok(known) => State::There {
                device: known.dev(),
                number: known.ino(),
                length: known.len(),
                written: i128::from(known.mtime()) * 1_000_000_000 + i128::from(known.mtime_nsec()),
            },
            Err(_) => State::Missing,
        }
    }

    /// Whether it may be one that only stands for a moment.
    fn is_between(self) -> bool {
        matches!(self, State::Missing | State::There { length: 0, .. })
    }
}

/// Some files, each as it was when that was last asked.
#[derive(Debug)]
pub struct Saves {
    /// None where the system gives none; then there are looks alone.
    told: Option<Inotify>,
    files: BTreeMap<PathBuf, State>,
    /// As they were at the last look that nothing gave reason to, and when that was.
    looked: (BTreeMap<PathBuf, State>, Instant),
    /// What events call the files.
    names: BTreeSet<OsString>,
    folders: BTreeSet<PathBuf>,
    /// Whether the kernel has told of one of the files since the last wait.
    is_told: bool,
}

/// What ended a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// These files were saved, or are gone.
    Saved(Vec<PathBuf>),
    /// One of the other streams can be read.
    Asked,
    /// Nothing, or a signal.
    Nothing,
}

impl Saves {
    /// Of no file yet.
    pub fn new() -> Saves {
        Saves {
            told: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok(),
            files: BTreeMap::new(),
            looked: (BTreeMap::new(), Instant::now()),
            names: BTreeSet::new(),
            folders: BTreeSet::new(),
            is_told: false,
        }
    }

    /// From now on of these files. What is known of those that it was of before stays known.
    pub fn follow(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        let before = std::mem::take(&mut self.files);
        for path in paths {
            let state = before.get(&path).copied();
            let state = state.unwrap_or_else(|| State::of(&path));
            self.files.insert(path, state);
        }
        self.name();
    }

    /// Finds the folders to hear of, for a link also that of the file it leads to, and hears of them: one that was
    /// replaced is another one.
    fn name(&mut self) {
        self.names.clear();
        self.folders.clear();
        for path in self.files.keys() {
            for path in [Some(path.clone()), path.canonicalize().ok()]
                .into_iter()
                .flatten()
            {
                self.names.extend(path.file_name().map(OsString::from));
                let folder = path.parent().filter(|folder| *folder != Path::new(""));
                self.folders
                    .insert(folder.unwrap_or(Path::new(".")).to_path_buf());
            }
        }
        if let Some(told) = &self.told {
            for folder in &self.folders {
                // One that is not there, or one too many for this user, is looked at.
                let _ = told.add_watch(folder, TOLD);
            }
        }
    }

    /// What to wait for besides with `poll`, for who does something else meanwhile.
    pub fn stream(&self) -> Option<BorrowedFd<'_>> {
        self.told.as_ref().map(|told| told.as_fd())
    }

    /// Whether one of the files may have been saved since; what is told stays to be found by [`Saves::wait`].
    pub fn is_any(&mut self) -> bool {
        self.hear();
        self.is_told
            && self
                .files
                .iter()
                .any(|(path, state)| State::of(path) != *state)
    }

    /// Waits until one of the files was saved, or one of the streams can be read, and no longer than [`LOOK`].
    ///
    /// # Errors
    /// What poll says.
    pub fn wait(&mut self, others: &[BorrowedFd<'_>]) -> io::Result<Woken> {
        let limit = if self.is_told { Duration::ZERO } else { LOOK };
        let is_asked = self.sleep(others, limit)?;
        self.hear();
        let saved = match std::mem::take(&mut self.is_told) {
            true => self.settled(),
            // What the kernel tells of other files is no reason to look.
            false if self.looked.1.elapsed() < LOOK => Vec::new(),
            false => self.looked(),
        };
        Ok(match saved {
            saved if !saved.is_empty() => Woken::Saved(saved),
            _ if is_asked => Woken::Asked,
            _ => Woken::Nothing,
        })
    }

    /// Whether one of the other streams can be read.
    fn sleep(&self, others: &[BorrowedFd<'_>], limit: Duration) -> io::Result<bool> {
        let own = self.told.as_ref().map(|told| told.as_fd());
        let all = others.iter().copied().chain(own);
        let mut wanted: Vec<PollFd<'_>> = all
            .map(|stream| PollFd::new(stream, PollFlags::POLLIN))
            .collect();
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        match poll(&mut wanted, limit) {
            Ok(_) => Ok(wanted[..others.len()]
                .iter()
                .any(|one| one.any().unwrap_or(true))),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the kernel has told. Other files in the same folders are nobody's business.
    fn hear(&mut self) {
        let Some(told) = &self.told else { return };
        while let Ok(events) = told.read_events() {
            self.is_told |= events.iter().any(|event| {
                let name = event.name.as_ref();
                name.is_none_or(|name| self.names.contains(name))
            });
        }
    }

    /// What has changed, once it is no longer between two files.
    fn settled(&mut self) -> Vec<PathBuf> {
        let is_between = |saves: &Saves| {
            let mut changed = saves
                .files
                .iter()
                .map(|(path, known)| (State::of(path), *known));
            changed.any(|(now, known)| now != known && now.is_between())
        };
        let begun = Instant::now();
        while is_between(self) && begun.elapsed() < BETWEEN {
            // An event, or the next look.
            let _ = self.sleep(&[], Duration::from_millis(2));
            self.hear();
        }
        self.is_told = false;
        self.taken(|_, _| true)
    }

    /// What has changed, and stood as it stands at the last look already: of a text that somebody still writes nothing
    /// else tells the end.
    fn looked(&mut self) -> Vec<PathBuf> {
        self.name();
        let paths = self.files.keys();
        let now = paths.map(|path| (path.clone(), State::of(path))).collect();
        let (before, _) = std::mem::replace(&mut self.looked, (now, Instant::now()));
        self.taken(|path, now| before.get(path) == Some(&now))
    }

    fn taken(&mut self, is_so: impl Fn(&Path, State) -> bool) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, known) in &mut self.files {
            let now = State::of(path);
            if now != *known && is_so(path, now) {
                *known = now;
                changed.push(path.clone());
            }
        }
        changed
    }
}

impl Default for Saves {
    fn default() -> Saves {
        Saves::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What editors do to a file, by name.
    type Way = (&'static str, fn(&Path));

    fn write(path: &Path, text: &str) {
        fs::write(path, text).expect("writes");
    }

    fn beside(path: &Path) -> PathBuf {
        path.with_extension("new")
    }

    const WAYS: [Way; 6] = [
        ("written", |path| write(path, "written")),
        ("emptied", |path| write(path, "")),
        ("replaced", |path| {
            write(&beside(path), "replaced");
            fs::rename(beside(path), path).expect("renames");
        }),
        ("made anew", |path| {
            fs::rename(path, beside(path)).expect("renames");
            write(path, "made anew");
            fs::remove_file(beside(path)).expect("removes");
        }),
        ("removed", |path| fs::remove_file(path).expect("removes")),
        ("back", |path| write(path, "back")),
    ];

    /// A file in a folder of its own.
    fn file(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("saves-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("own.asm");
        write(&path, "first");
        path
    }

    /// What comes in the time of so many looks.
    fn waited(saves: &mut Saves, looks: u32) -> Vec<Woken> {
        let begun = Instant::now();
        let mut all = Vec::new();
        while begun.elapsed() < looks * LOOK {
            let woken = saves.wait(&[]).expect("waits");
            all.extend(Some(woken).filter(|woken| *woken != Woken::Nothing));
        }
        all
    }

    #[test]
    fn each_way_to_save_is_one_save_told_of_or_looked_for() {
        for has_ear in [true, false] {
            let path = file(&format!("ways-{has_ear}"));
            let mut saves = Saves::new();
            if !has_ear {
                saves.told = None;
            }
            saves.follow([path.clone()]);
            assert_eq!(waited(&mut saves, 2), []);
            for (way, save) in WAYS {
                save(&path);
                let heard = waited(&mut saves, 4);
                assert_eq!(
                    heard,
                    [Woken::Saved(vec![path.clone()])],
                    "{way}, {has_ear}"
                );
            }
            fs::remove_dir_all(path.parent().expect("a folder")).expect("removes");
        }
    }

    #[test]
    fn a_folder_that_is_replaced_and_a_link_are_followed() {
        let path = file("folder");
        let folder = path.parent().expect("a folder");
        let link = folder.with_extension("link");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&path, &link).expect("links");
        let mut saves = Saves::new();
        saves.follow([link.clone()]);
        write(&path, "through the link");
        assert_eq!(waited(&mut saves, 1), [Woken::Saved(vec![link.clone()])]);
        let old = folder.with_extension("old");
        let _ = fs::remove_dir_all(&old);
        fs::rename(folder, &old).expect("renames");
        fs::create_dir(folder).expect("a folder");
        write(&path, "in another folder");
        assert_eq!(waited(&mut saves, 5), [Woken::Saved(vec![link.clone()])]);
        write(&path, "there again");
        assert_eq!(waited(&mut saves, 1), [Woken::Saved(vec![link.clone()])]);
        for place in [folder, &old] {
            fs::remove_dir_all(place).expect("removes");
        }
        fs::remove_file(link).expect("removes");
    }

    #[test]
    fn a_text_that_is_still_written_is_no_save_whatever_happens_beside_it() {
        let path = file("half");
        let mut saves = Saves::new();
        saves.follow([path.clone()]);
        let mut half = fs::File::create(&path).expect("empties it");
        let begun = Instant::now();
        for _ in 0..3 {
            write(&beside(&path), "another file");
            let woken = saves.wait(&[]).expect("waits");
            // Where others have kept this thread waiting, it may be taken for whole.
            assert!(woken == Woken::Nothing || begun.elapsed() >= LOOK);
        }
        io::Write::write_all(&mut half, b"whole").expect("writes");
        drop(half);
        assert_eq!(waited(&mut saves, 2), [Woken::Saved(vec![path.clone()])]);
        fs::remove_dir_all(path.parent().expect("a folder")).expect("removes");
    }

    #[test]
    fn who_does_something_else_is_told_and_the_save_still_comes() {
        let path = file("beside");
        let mut saves = Saves::new();
        saves.follow([path.clone()]);
        write(&beside(&path), "another file");
        assert!(!saves.is_any());
        write(&path, "saved");
        assert!(saves.is_any() && saves.is_any());
        assert_eq!(waited(&mut saves, 2), [Woken::Saved(vec![path.clone()])]);
        fs::remove_dir_all(path.parent().expect("a folder")).expect("removes");
    }
}
