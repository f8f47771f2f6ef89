//! Where templates and suites come from: a file, standard input, a folder, or the set inside the binary.
//!
//! Correct means: one place reads files, a file of the folder replaces the shipped one of the
//! same name as a whole, and a file that cannot be read says why.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::include::{Home, Shelf, Shipped};
use super::{Origin, Suite, Template, TextOptions, shipped};
use crate::sys::files;
use crate::text::closest;
use crate::text::content::Content;
use crate::text::diagnostic::Diagnostic;
use crate::text::paths::{self, named};

/// The folder that overrides shipped templates where the command line names none.
pub const FOLDER: &str = "asm_templates";
/// The folder in it that has suites.
const SUITES: &str = "suites";

/// Longest template that is read, bytes. What repeats is better written as a loop.
pub const MAX_BYTES: u64 = 32 << 20;

/// Standard input, as messages call it.
pub const STDIN: &str = "<stdin>";

/// The templates and suites that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    folder: Option<PathBuf>,
    /// The folder whose files stand over all others.
    overlay: Option<PathBuf>,
    /// What is said of files and of standard input.
    options: TextOptions,
    /// Where the folder's templates are to be found later, where that is elsewhere.
    later: Option<PathBuf>,
}

/// Why a template cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// No file and no template has that name.
    Unknown {
        /// What was asked for.
        name: String,
        /// A name like it.
        near: Option<String>,
    },
    /// The name is that of a suite, where one template is wanted.
    Suite(String),
    /// There is no such file or folder.
    Missing(PathBuf),
    /// The file is there and cannot be read.
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// The text is there, and is no template.
    Wrong(Vec<Diagnostic>),
}

/// What to do about a file that is there and cannot be read, where the reason does not say it.
fn mend(reason: &str) -> Option<&'static str> {
    (!reason.contains("; ")).then_some("mend it, or name another file")
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Unknown {
                name,
                near: Some(near),
            } => {
                write!(
                    f,
                    "no file and no template is called `{name}`; did you mean `{near}`?"
                )
            }
            LoadError::Unknown { name, near: None } => {
                write!(
                    f,
                    "no file and no template is called `{name}`; `dispatchlab list` shows the names"
                )
            }
            LoadError::Suite(name) => write!(
                f,
                "`{name}` is a suite, and one of its scenarios is wanted here; `dispatchlab run {name}` runs them all"
            ),
            LoadError::Missing(path) => {
                write!(
                    f,
                    "cannot read {}: there is no such file or folder; mend the path, or name a template of `dispatchlab list`",
                    named(path)
                )
            }
            LoadError::Unreadable { path, reason } => {
                write!(f, "cannot read {}: {reason}", named(path))?;
                mend(reason).map_or(Ok(()), |next| write!(f, "; {next}"))
            }
            LoadError::Wrong(diagnostics) => {
                for (number, diagnostic) in diagnostics.iter().enumerate() {
                    let end = if number == 0 { "" } else { "\n" };
                    let Diagnostic {
                        file,
                        line,
                        column,
                        message,
                        ..
                    } = diagnostic;
                    write!(f, "{end}{file}:{line}:{column}: {message}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl LoadError {
    /// What is wrong with the file, where there is one: beside others it is a row of its own. Else the name is
    /// wrong, and nothing runs.
    ///
    /// # Errors
    /// The same error, where the name is wrong.
    pub fn diagnostics(self) -> Result<Vec<Diagnostic>, LoadError> {
        match self {
            LoadError::Wrong(diagnostics) => Ok(diagnostics),
            LoadError::Unreadable { path, reason } => Ok(vec![Diagnostic {
                file: named(path),
                line: 1,
                column: 1,
                width: 1,
                text: String::new(),
                origin: None,
                help: mend(&reason).map(Into::into),
                message: format!("cannot read it: {reason}"),
            }]),
            other => Err(other),
        }
    }
}

impl LoadError {
    /// Why, without the file.
    fn reason(self) -> String {
        match self {
            LoadError::Unreadable { reason, .. } => reason,
            LoadError::Missing(_) => "there is no such file".to_string(),
            other => other.to_string(),
        }
    }
}

impl Library {
    /// The shipped templates, overridden by those in `dir`, or, where it is not given, by those in
    /// the folder `asm_templates` of the working directory if there is one.
    ///
    /// # Errors
    /// Where `dir` is given and is no folder that can be read.
    pub fn new(dir: Option<PathBuf>) -> Result<Library, LoadError> {
        let folder = match dir {
            Some(dir) => {
                std::fs::read_dir(&dir).map_err(|error| unreadable(&dir, &error))?;
                Some(dir)
            }
            None => Some(PathBuf::from(FOLDER)).filter(|folder| folder.is_dir()),
        };
        Ok(Library {
            folder,
            overlay: None,
            options: TextOptions::default(),
            later: None,
        })
    }

    /// The same, where the folder is gone when its templates are spoken of: they are named as files of another one.
    #[must_use]
    pub fn found_later_in(self, folder: &Path) -> Library {
        Library {
            later: Some(folder.to_path_buf()),
            ..self
        }
    }

    /// The same, where the files of `overlay`, if there is one, stand over all others of their names:
    /// templates, what they include, and suites.
    ///
    /// # Errors
    /// Where it is no folder that can be read.
    pub fn under(self, overlay: Option<PathBuf>) -> Result<Library, LoadError> {
        if let Some(overlay) = &overlay {
            std::fs::read_dir(overlay).map_err(|error| unreadable(overlay, &error))?;
        }
        Ok(Library { overlay, ..self })
    }

    /// The folders, that first whose files win.
    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.overlay.iter().chain(&self.folder)
    }

    /// The files of the overlay that stand over none: what they are called nothing else is.
    pub fn over_nothing(&self) -> Vec<String> {
        let below = Library {
            overlay: None,
            ..self.clone()
        };
        let Some(overlay) = &self.overlay else {
            return Vec::new();
        };
        let (templates, suites) = (below.names(), below.suite_names());
        let mut known: BTreeSet<String> = Shipped.names().into_iter().collect();
        known.extend(self.folder.iter().flat_map(|folder| pieces(folder)));
        known.extend(templates.iter().map(|name| format!("{name}.asm")));
        known.extend(suites.iter().map(|name| format!("{SUITES}/{name}.toml")));
        let own =
            files(Some(overlay.clone()), "asm").chain(files(Some(overlay.join(SUITES)), "toml"));
        let own = own.map(|path| named(path.strip_prefix(overlay).unwrap_or(&path).as_os_str()));
        let mut over = own.chain(pieces(overlay)).collect::<Vec<_>>();
        over.retain(|name| !known.contains(name));
        over.sort();
        over
    }

    /// The same, where this is said of files and of standard input. Templates of the folder and shipped ones
    /// say themselves what they are.
    #[must_use]
    pub fn reading(self, options: TextOptions) -> Library {
        Library { options, ..self }
    }

    /// The shipped templates alone.
    pub fn embedded() -> Library {
        Library {
            folder: None,
            overlay: None,
            options: TextOptions::default(),
            later: None,
        }
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> Vec<String> {
        names(shipped::TEMPLATES, self.folders().cloned(), "asm")
    }

    /// The names of all suites, sorted.
    pub fn suite_names(&self) -> Vec<String> {
        names(shipped::SUITES, self.folders_of_suites(), "toml")
    }

    /// The files of the folder: its templates and its suites.
    pub fn files(&self) -> Vec<PathBuf> {
        let own = self
            .folders()
            .flat_map(|folder| files(Some(folder.clone()), "asm"));
        let suites = self
            .folders_of_suites()
            .flat_map(|folder| files(Some(folder), "toml"));
        own.chain(suites).collect()
    }

    fn folders_of_suites(&self) -> impl Iterator<Item = PathBuf> {
        self.folders().map(|folder| folder.join(SUITES))
    }

    /// What in the folders has the name of a template or a suite and is none that can be listed, and why.
    pub fn unlisted(&self) -> Vec<(String, LoadError)> {
        let own = self
            .folders()
            .flat_map(|folder| entries(Some(folder.clone()), "asm"));
        let suites = self
            .folders_of_suites()
            .flat_map(|folder| entries(Some(folder), "toml"));
        let odd = own.chain(suites).filter(|path| !path.is_file());
        odd.map(|path| {
            let why = match std::fs::metadata(&path) {
                Err(error) => unreadable(&path, &error),
                Ok(known) if known.is_dir() => LoadError::Unreadable {
                    path: path.clone(),
                    reason: "it is a folder".into(),
                },
                // It may have one reader only, or no end.
                Ok(_) => LoadError::Unreadable {
                    path: path.clone(),
                    reason: "it is no regular file, and is read only where it is named".into(),
                },
            };
            (named(path.file_stem().unwrap_or_default()), why)
        })
        .collect()
    }

    /// The file of that name in the first folder that has one.
    fn own(&self, file: &str) -> Option<PathBuf> {
        let mut own = self.folders().map(|folder| path_in(folder, file));
        own.find(|own| own.symlink_metadata().is_ok())
    }

    /// The same suite, unless it is a shipped one that nowhere names one of these templates: reading it would take
    /// milliseconds, and it says nothing of them.
    ///
    /// # Errors
    /// As [`Library::suite`].
    pub fn suite_about(&self, name: &str, templates: &[&str]) -> Result<Option<Suite>, LoadError> {
        let is_own = self.own(&format!("{SUITES}/{name}.toml")).is_some();
        let is_about = |text: &str| templates.iter().any(|one| text.contains(one));
        match shipped::text(shipped::SUITES, name) {
            Some(text) if !is_own && !is_about(text) => Ok(None),
            _ => self.suite(name),
        }
    }

    /// The suite that `name` means: an existing file that ends in `.toml`, else one of the folder's `suites`,
    /// else a shipped one; none where it means something else.
    ///
    /// # Errors
    /// Where it cannot be read, or is no suite.
    pub fn suite(&self, name: &str) -> Result<Option<Suite>, LoadError> {
        if Library::is_path(name) {
            let path = path_of(name);
            return ends_in(&path, "toml")
                .then(|| read_suite(&path))
                .transpose();
        }
        if name.is_empty() || name.contains('/') {
            return Ok(None);
        }
        if let Some(own) = self.own(&format!("{SUITES}/{name}.toml")) {
            return read_suite(&own).map(Some);
        }
        let shipped = shipped::text(shipped::SUITES, name);
        shipped
            .map(|text| Suite::parse(name, Origin::Embedded, text.to_string()))
            .transpose()
            .map_err(LoadError::Wrong)
    }

    fn read(&self, path: &Path, name: &str, options: &TextOptions) -> Result<Template, LoadError> {
        self.parse(name, origin(path), text_at(path)?, options)
    }

    /// A text that is in no file as a template of this name; it includes what those of the library may.
    ///
    /// # Errors
    /// Where it is no template.
    pub fn of_text(&self, name: &str, text: String) -> Result<Template, LoadError> {
        self.parse(name, Origin::Stdin, text, &self.options)
    }

    /// A text as a template, with what it includes: from the folder where it lies, from that of the templates,
    /// and from the shipped set.
    fn parse(
        &self,
        name: &str,
        origin: Origin,
        text: String,
        options: &TextOptions,
    ) -> Result<Template, LoadError> {
        let beside = match &origin {
            Origin::File(path) => path_of(&path.to_string_lossy())
                .parent()
                .map(Path::to_path_buf),
            Origin::Embedded | Origin::Stdin => None,
        };
        let beside = beside.filter(|beside| !self.is_folder(beside));
        let home = Home {
            folder: String::new(),
            is_beside: beside.is_some(),
        };
        let shelves = Shelves {
            library: self,
            beside,
        };
        let parsed = Template::parse_from(name, origin, text, options, (home, &shelves));
        parsed.map_err(LoadError::Wrong)
    }

    /// Whether that is a folder of templates, however it is written.
    fn is_folder(&self, path: &Path) -> bool {
        let same = |folder: &PathBuf| match (folder.canonicalize(), path.canonicalize()) {
            (Ok(folder), Ok(path)) => folder == path,
            _ => folder == path,
        };
        self.folders().any(same)
    }

    /// Whether a name can only be that of a file: standard input, or a path that exists.
    pub fn is_path(name: &str) -> bool {
        let path = path_of(name);
        // A link that leads nowhere is a file that cannot be read, and no wrong name.
        name == "-" || path.symlink_metadata().is_ok() && !path.is_dir()
    }

    /// The template that `name` means: standard input for `-`, else an existing file, else a
    /// template of the folder, else a shipped one, else the file `NAME.asm`, which is what the name
    /// of a scenario from a file says.
    ///
    /// # Errors
    /// Where there is none, it cannot be read, or it is no template.
    pub fn load(&self, name: &str) -> Result<Template, LoadError> {
        if name == "-" {
            return self.parse("stdin", Origin::Stdin, text_of(name)?, &self.options);
        }
        let path = &path_of(name);
        if Library::is_path(name) {
            if ends_in(path, "toml") {
                return Err(LoadError::Suite(name.to_string()));
            }
            return self.read(path, &stem(path), &self.options);
        }
        let file = format!("{name}.asm");
        if !name.is_empty() && !name.contains('/') {
            if let Some(own) = self.own(&file) {
                let name = named(own.file_stem().unwrap_or_default());
                let origin = match &self.later {
                    Some(later) => Origin::File(path_in(later, &file)),
                    None => origin(&own),
                };
                return self.parse(&name, origin, text_at(&own)?, &TextOptions::default());
            }
            if let Some(text) = shipped::text(shipped::TEMPLATES, name) {
                let own = TextOptions::default();
                return self.parse(name, Origin::Embedded, text.to_string(), &own);
            }
        }
        if Library::is_path(&file) {
            let path = path_of(&file);
            return self.read(&path, &stem(&path), &self.options);
        }
        // A path that is no file says so itself, better than any guess at a name.
        if name.contains('/') || ends_in(path, "asm") || ends_in(path, "toml") || path.is_dir() {
            return self.read(path, &stem(path), &self.options);
        }
        let (names, suites) = (self.names(), self.suite_names());
        if suites.iter().any(|suite| suite == name) {
            return Err(LoadError::Suite(name.to_string()));
        }
        let all = names.iter().chain(&suites).map(String::as_str);
        let near = closest(name, all).map(str::to_string);
        Err(LoadError::Unknown {
            name: name.to_string(),
            near,
        })
    }
}

fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

/// The names of shipped files and of those of folders, sorted.
fn names(
    shipped: shipped::Files,
    folders: impl Iterator<Item = PathBuf>,
    ending: &str,
) -> Vec<String> {
    let mut names: BTreeSet<String> = shipped.iter().map(|(name, _)| name.to_string()).collect();
    for path in folders.flat_map(|folder| files(Some(folder), ending)) {
        names.extend(path.file_stem().map(named));
    }
    names.into_iter().collect()
}

/// The files of a folder whose names end so.
fn files(folder: Option<PathBuf>, ending: &str) -> impl Iterator<Item = PathBuf> {
    // A pipe would be waited for, and a link that leads nowhere is no file.
    entries(folder, ending).filter(|path| path.is_file())
}

/// What in a folder has a name that ends so.
fn entries(folder: Option<PathBuf>, ending: &str) -> impl Iterator<Item = PathBuf> {
    // A folder that has vanished since is as good as an empty one; loading from it says so.
    let entries = folder.into_iter().flat_map(std::fs::read_dir).flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(move |path| ends_in(path, ending))
}

/// The path without its extension: the name of a scenario from a file.
fn stem(path: &Path) -> String {
    named(path.with_extension(""))
}

/// The files in the folders below one, by the path below it.
fn pieces(folder: &Path) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut below = vec![PathBuf::new()];
    while let Some(path) = below.pop() {
        let entries = std::fs::read_dir(folder.join(&path)).into_iter().flatten();
        for entry in entries.flatten() {
            let path = path.join(entry.file_name());
            let is = |kind: fn(&std::fs::FileType) -> bool| {
                entry.file_type().is_ok_and(|found| kind(&found))
            };
            // A link may lead to a folder around it.
            if is(std::fs::FileType::is_dir) && path.components().count() < DEEPEST {
                below.push(path);
            } else if ends_in(&path, "asm") && path.components().count() > 1 {
                pieces.push(named(path));
            }
        }
    }
    pieces
}

/// Folders in folders that are looked through for what can be included.
const DEEPEST: usize = 4;

/// Where the texts that a template includes are looked for.
struct Shelves<'a> {
    library: &'a Library,
    /// The folder of the template, where it stands beside nothing of the library.
    beside: Option<PathBuf>,
}

impl Shelf for Shelves<'_> {
    fn text(&self, path: &str, is_beside: bool) -> Result<Option<(Origin, String)>, String> {
        let file = match is_beside {
            true => self.beside.as_ref().map(|folder| path_in(folder, path)),
            false => self.library.own(path),
        };
        if let Some(file) = file.filter(|file| file.is_file()) {
            let text = text_at(&file).map_err(|error| error.reason())?;
            return Ok(Some((origin(&file), text)));
        }
        Shipped.text(path, is_beside)
    }

    fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = Shipped.names().into_iter().collect();
        names.extend(self.library.folders().flat_map(|folder| pieces(folder)));
        names.extend(self.beside.iter().flat_map(|folder| pieces(folder)));
        names.into_iter().collect()
    }
}

fn read_suite(path: &Path) -> Result<Suite, LoadError> {
    let name = named(path.file_stem().unwrap_or_default());
    let text = text_at(path)?;
    Suite::parse(&name, origin(path), text).map_err(LoadError::Wrong)
}

/// The file that a name means: the one of that text ([`paths`]), else the one of that very name, else the one that its
/// name is the text of, as somebody types it who has read it in a report.
pub fn path_of(name: &str) -> PathBuf {
    path_in(Path::new(""), name)
}

fn path_in(folder: &Path, name: &str) -> PathBuf {
    let meant = paths::path(name);
    let all = [&meant, Path::new(name), &paths::path(&meant)].map(|path| folder.join(path));
    let is_there = |path: &&PathBuf| path.symlink_metadata().is_ok();
    all.iter().find(is_there).unwrap_or(&all[0]).clone()
}

fn origin(path: &Path) -> Origin {
    Origin::File(named(path).into())
}

fn text_at(path: &Path) -> Result<String, LoadError> {
    let read = files::read(path, MAX_BYTES + 1);
    text_in(path, read.map_err(|error| unreadable(path, &error))?)
}

/// The text of a file, of standard input for `-`.
///
/// # Errors
/// Where it cannot be read, or is no text.
pub fn text_of(name: &str) -> Result<String, LoadError> {
    if name == "-" {
        let path = Path::new(STDIN);
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(path, &error))?;
        return text_in(path, bytes);
    }
    text_at(&path_of(name))
}

/// The text that the bytes of a file are.
fn text_in(path: &Path, bytes: Vec<u8>) -> Result<String, LoadError> {
    let refuse = |reason: String| LoadError::Unreadable {
        path: path.to_path_buf(),
        reason,
    };
    match Content::foreign(&bytes) {
        Some(content) => Err(refuse(format!("it is {content}"))),
        None if bytes.len() as u64 > MAX_BYTES => Err(refuse(format!(
            "a template or suite has at most {} MiB; in a template, write what repeats as a loop, with `expand = true`",
            MAX_BYTES >> 20
        ))),
        None => utf8(path, bytes),
    }
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, LoadError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = valid
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .count()
            + 1;
        let wrong = error.as_bytes()[valid.len()];
        let reason = format!(
            "line {line}, byte {column}: {wrong:#04x} is not UTF-8 text; save the file as UTF-8"
        );
        LoadError::Unreadable {
            path: path.to_path_buf(),
            reason,
        }
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> LoadError {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => match std::fs::read_link(path) {
            Ok(target) => format!("it is a link to {}, which is not there", named(target)),
            Err(_) => return LoadError::Missing(path.to_path_buf()),
        },
        std::io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        std::io::ErrorKind::IsADirectory => {
            "it is a folder; name a file in it, or use --templates".to_string()
        }
        std::io::ErrorKind::NotADirectory => "it is not a folder".to_string(),
        _ if error.raw_os_error() == Some(libc::ELOOP) => {
            "its links lead round and never to a file".to_string()
        }
        _ => error.to_string(),
    };
    LoadError::Unreadable {
        path: path.to_path_buf(),
        reason,
    }
}
