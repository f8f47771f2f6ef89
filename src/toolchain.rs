//! The Go installations of this machine, and the programs that they make of a source.
//!
//! Correct means: a program is made by the Go that it is named after, of the source as it is, without the network;
//! what Go says against a source is handed on in Go's own words, with the user's file and line; and nothing stays
//! behind when the folder is dropped.
//!
//! ```text
//! places ─ installed ─▶ Toolchain ─┐
//! FILE.go, PACKAGE ─ find ─▶ Source ┴ make ─▶ Made (program, decisions)
//! ```

mod folder;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use folder::Folder;
pub use source::{Source, declaration};

use crate::sys::interrupt;
use crate::sys::process::finish;

/// A Go that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Its `go`.
    pub program: PathBuf,
    /// As it says, `go1.27.3`.
    pub version: String,
}

/// Why there is no program.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for is not there, in a sentence.
    Missing(String),
    /// Go refuses the source, in its own words.
    Refused {
        /// Which Go.
        version: String,
        /// What it says.
        text: String,
    },
    /// A signal asks to end.
    Interrupted(i32),
    /// The operating system refuses.
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::System(error)
    }
}

/// How a program is made.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The function that stays in the program though nobody calls it, as Go's expressions have it.
    pub function: &'a str,
    /// Flags of the compiler, as `-gcflags` takes them.
    pub gcflags: &'a str,
    /// The profile: none to say nothing of it, `off`, or a file.
    pub profile: Option<&'a Path>,
}

/// What the compiler has said it did with a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// The file, without its folder.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// In its words, as `can inline f`.
    pub text: String,
}

/// A program that was made.
#[derive(Debug)]
pub struct Made {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What `-m` has printed, each once.
    pub decisions: Vec<Decision>,
}

/// The first release that takes a profile.
const FIRST_WITH_PROFILE: u32 = 20;

impl Toolchain {
    /// The release, `1.27`.
    pub fn release(&self) -> String {
        format!("1.{}", self.minor())
    }

    fn minor(&self) -> u32 {
        let minor = self.version.strip_prefix("go1.").unwrap_or_default();
        let digits = minor.split(|c: char| !c.is_ascii_digit()).next();
        digits
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_default()
    }

    /// Whether it takes a profile: Go does from 1.20 on.
    pub fn takes_profile(&self) -> bool {
        self.minor() >= FIRST_WITH_PROFILE
    }

    /// The Go at a place.
    fn at(program: &Path) -> Option<Toolchain> {
        let output = Command::new(program)
            .arg("version")
            .env("GOTOOLCHAIN", "local")
            .env_remove("GOROOT")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(2)?;
        version.starts_with("go1.").then(|| Toolchain {
            program: program.to_path_buf(),
            version: version.to_string(),
        })
    }

    /// A `go` command that needs no network, and writes into the folder alone.
    pub(in crate::toolchain) fn command(&self, folder: &Folder, source: &Source) -> Command {
        let mut command = Command::new(&self.program);
        let config = std::env::var_os("GOENV").map(PathBuf::from).or_else(|| {
            let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".config"));
            let base = std::env::var_os("XDG_CONFIG_HOME")
                .map(PathBuf::from)
                .or_else(home)?;
            Some(base.join("go/env"))
        });
        command
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off")
            .env("GOOS", "linux")
            .env("GOARCH", "amd64")
            .env("GOCACHE", folder.path().join("cache"))
            .env("GOTMPDIR", folder.path().join("tmp"))
            .env("TMPDIR", folder.path().join("tmp"))
            // Counters of Go's own use are written there from 1.23 on.
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .env("GOENV", config.unwrap_or_else(|| "off".into()))
            // Each `go` knows its own.
            .env_remove("GOROOT");
        if source.is_file() {
            command
                .env("GO111MODULE", "off")
                .env("GOFLAGS", "")
                .env("GOPATH", folder.path().join("path"))
                .env("CGO_ENABLED", "0");
        }
        command
    }

    /// Runs a `go` command to its end: what it has printed, and whether it is content.
    pub(in crate::toolchain) fn call(
        &self,
        folder: &Folder,
        command: &mut Command,
    ) -> Result<(bool, String, String), Failure> {
        let [out, err] = ["stdout", "stderr"].map(|name| folder.path().join(name));
        command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out)?)
            .stderr(fs::File::create(&err)?);
        let ended = finish(command, || interrupt::seen().is_some())?;
        let Some(status) = ended else {
            return Err(Failure::Interrupted(interrupt::seen().unwrap_or_default()));
        };
        let text = |path: &Path| -> io::Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        Ok((status.success(), text(&out)?, text(&err)?))
    }

    /// Makes a program of a source.
    ///
    /// # Errors
    /// What Go says against it, or the system.
    pub fn make(
        &self,
        folder: &Folder,
        source: &Source,
        options: &Options<'_>,
    ) -> Result<Made, Failure> {
        let place = source.lay_out(folder, options.function)?;
        let program = folder.path().join("program");
        let mut command = self.command(folder, source);
        match source.is_program() {
            true => command.arg("build"),
            // What it vets is not there for it, but in an overlay.
            false => command.args(["test", "-c", "-vet=off"]),
        };
        command.arg("-o").arg(&program);
        for flags in compiler_flags(options.gcflags) {
            command.arg(format!("-gcflags={flags}"));
        }
        if let Some(profile) = options.profile {
            command.arg(format!("-pgo={}", profile.display()));
        }
        place.add_to(&mut command);
        let (is_made, _, said) = self.call(folder, &mut command)?;
        if !is_made {
            let text = place.as_named(said.trim_end());
            return Err(match source.missing(&text, options.function) {
                Some(why) => Failure::Missing(why),
                None => Failure::Refused {
                    version: self.version.clone(),
                    text,
                },
            });
        }
        let bytes = fs::read(&program)?;
        fs::remove_file(&program)?;
        let mut decisions: Vec<Decision> = said.lines().filter_map(decision).collect();
        decisions.sort();
        decisions.dedup();
        Ok(Made { bytes, decisions })
    }
}

/// The values of `-gcflags` that say what the user says, and `-m`.
fn compiler_flags(given: &str) -> Vec<String> {
    let given = given.trim();
    match given.split_once('=') {
        // A pattern of packages stands in front.
        Some((pattern, flags)) if !given.starts_with('-') => {
            vec!["-m".into(), format!("{pattern}=-m {flags}")]
        }
        _ => vec![format!("-m {given}").trim_end().to_string()],
    }
}

/// `./f.go:12:6: can inline f`.
fn decision(line: &str) -> Option<Decision> {
    let (place, text) = line.split_once(": ")?;
    let mut parts = place.splitn(3, ':');
    let (file, line, _) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Decision {
        file: file.rsplit('/').next()?.to_string(),
        line: line.parse().ok()?,
        text: text.to_string(),
    })
}

/// The Go installations in these folders, in `GOROOT` and on `PATH`: the oldest first, of one version one.
///
/// # Errors
/// Which of the folders has none.
pub fn installed(roots: &[PathBuf]) -> Result<Vec<Toolchain>, Failure> {
    let mut found: Vec<Toolchain> = Vec::new();
    let mut add = |program: &Path| {
        let one = Toolchain::at(program);
        let is_new = |one: &Toolchain| found.iter().all(|other| other.version != one.version);
        let is_one = one.is_some();
        found.extend(one.filter(is_new));
        is_one
    };
    for root in roots {
        let program = root.join("bin/go");
        if !add(&program) {
            return Err(Failure::Missing(format!(
                "`--goroot {}`: there is no Go in it; its `bin/go version` is what should answer",
                root.display()
            )));
        }
    }
    if let Some(root) = std::env::var_os("GOROOT") {
        add(&Path::new(&root).join("bin/go"));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for place in std::env::split_paths(&path) {
        let program = place.join("go");
        if program.is_file() {
            add(&program);
        }
    }
    found.sort_by_key(Toolchain::minor);
    Ok(found)
}

/// Those of these releases, in their order; without any, all.
///
/// # Errors
/// Which release is not there, or that there is none at all, and what to do.
pub fn chosen(found: Vec<Toolchain>, releases: &[String]) -> Result<Vec<Toolchain>, Failure> {
    if found.is_empty() {
        return Err(Failure::Missing(
            "no Go is installed here: install one (Debian and Ubuntu: apt-get install golang), or name its folder with \
             --goroot DIR"
                .into(),
        ));
    }
    if releases.is_empty() {
        return Ok(found);
    }
    let pick = |wanted: &String| {
        let bare = wanted.trim().trim_start_matches("go");
        let is_it = |one: &&Toolchain| {
            one.release() == bare || one.version.trim_start_matches("go") == bare
        };
        let one = found.iter().rfind(is_it).cloned();
        one.ok_or_else(|| {
            let names: Vec<&str> = found.iter().map(|one| &*one.version).collect();
            Failure::Missing(format!(
                "`--go {wanted}`: that one is not installed; here is {}; install it, or name its folder with --goroot \
                 DIR",
                names.join(", ")
            ))
        })
    };
    releases.iter().map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(version: &str) -> Toolchain {
        Toolchain {
            program: "go".into(),
            version: version.into(),
        }
    }

    #[test]
    fn a_release_is_chosen_by_its_number_in_the_order_asked_for() {
        let all = || vec![go("go1.19.8"), go("go1.22.10"), go("go1.27.3")];
        let names = |releases: &[&str]| -> Result<Vec<String>, String> {
            let releases: Vec<String> = releases.iter().map(|one| (*one).to_string()).collect();
            match chosen(all(), &releases) {
                Ok(found) => Ok(found.into_iter().map(|one| one.version).collect()),
                Err(Failure::Missing(why)) => Err(why),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(names(&[]).expect("all").len(), 3);
        assert_eq!(
            names(&["1.27", "1.19.8"]).expect("two"),
            ["go1.27.3", "go1.19.8"]
        );
        let why = names(&["1.2"]).expect_err("a part of a number is none");
        assert!(why.contains("go1.22.10"), "{why}");
        let none = chosen(Vec::new(), &[]);
        assert!(
            matches!(none, Err(Failure::Missing(why)) if why.contains("apt-get install golang"))
        );
        assert!(!go("go1.19.8").takes_profile() && go("go1.20").takes_profile());
    }

    #[test]
    fn what_the_compiler_decides_has_file_and_line() {
        let found = decision("./gauges.go:12:6: can inline (*Dial).Read: cost 4").expect("one");
        assert_eq!(
            (&*found.file, found.line, &*found.text),
            ("gauges.go", 12, "can inline (*Dial).Read: cost 4")
        );
        assert_eq!(decision("# command-line-arguments"), None);
        assert_eq!(compiler_flags(""), ["-m"]);
        assert_eq!(compiler_flags("-N -l"), ["-m -N -l"]);
        assert_eq!(compiler_flags("all=-N"), ["-m", "all=-m -N"]);
    }
}
