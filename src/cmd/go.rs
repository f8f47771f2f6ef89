//! `go`: one function as several releases of Go compile it, side by side, run and compared.
//!
//! Correct means: each column is what the Go in its head has made of the same text, what is compared is what is
//! shown, and the folder of all that is gone at the end.

mod beside;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::Output;
use super::program::read;
use super::run::{self, Exports, Files};
use super::{Common, Stop, compare, print_plain};
use crate::binary::import::{Entry, Request, import};
use crate::report::compiled::{
    Build as Built, Compiled as Compilation, Decided, LeftOut, SourceLine,
};
use crate::sys::interrupt;
use crate::text::paths::{named as shown, path};
use crate::text::printable;
use crate::toolchain::{
    Failure, Folder, Made, Options, Source, Toolchain, chosen, declaration, installed,
};

/// Where templates stand in the folder.
const TEMPLATES: &str = "templates";

/// What to compile, and with what.
#[derive(Debug, Args)]
pub(super) struct Compiled {
    /// The function: F, '(*T).M' or T.M, of a generic one an instance, 'F[int]'
    #[arg(long, value_name = "F")]
    func: String,
    /// Only these releases, the first is what the others are held against [default: all, the oldest first]
    #[arg(long, value_name = "1.22,1.27", value_delimiter = ',')]
    go: Vec<String>,
    /// A folder of a Go installation, beside GOROOT and PATH; may be repeated
    #[arg(long, value_name = "DIR")]
    goroot: Vec<PathBuf>,
    /// Flags of the compiler, as `go build -gcflags` takes them
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    gcflags: String,
    /// A profile: each Go compiles without it and with it
    #[arg(long, value_name = "FILE")]
    pgo: Option<PathBuf>,
    /// Calls that are followed: what lies further away ends the row
    #[arg(long, value_name = "N", default_value_t = 3)]
    depth: u32,
    /// Leave the templates in this folder, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        // Go sets what it has and wants below each other by tabs, of which a terminal is shown none.
        let spaced = |text: String| text.replace('\t', "    ");
        match failure {
            Failure::Missing(why) => Stop::Usage(spaced(why)),
            Failure::Refused { version, text } => {
                let text = spaced(text);
                Stop::Source(format!("{version} does not compile it:\n{text}"))
            }
            Failure::Interrupted(signal) => Stop::Signal(signal),
            Failure::System(error) => Stop::System(error),
        }
    }
}

pub(super) fn run(
    mut common: Common,
    named: &str,
    compiled: &Compiled,
    mut exports: Exports,
) -> Result<i32, Stop> {
    interrupt::watch();
    let toolchains = chosen(installed(&compiled.goroot)?, &compiled.go)?;
    let folder = Folder::new()?;
    // Rows have the names of the templates there, and not the path.
    common.templates = Some(folder.path().join(TEMPLATES));
    let source = Source::find(&path(named).to_string_lossy(), &toolchains[0], &folder)?;
    let builds = builds(&toolchains, compiled)?;
    let (mut made, mut decided) = (Vec::new(), Vec::new());
    for build in &builds {
        let program = make(&common, &folder, &source, compiled, build)?;
        made.push(as_built(
            &common, &folder, &source, compiled, build, &program,
        )?);
        decided.push(program.decisions);
    }
    // Where they are to be found later: a message that names the folder of this run would lead nowhere.
    common.templates_later = Some(compiled.keep.clone().unwrap_or_default());
    if let Some(kept) = &compiled.keep {
        keep(&common, &folder, kept, &made)?;
    }
    let shown = Compilation {
        function: source.symbol(&compiled.func),
        source: named.to_string(),
        lines: lines(&source, &compiled.func, &builds, &decided)?,
        builds: made,
    };
    if !common.json {
        print_plain(&beside::text(&shown, common.style().width))?;
    }
    if common.arguments.is_empty() {
        // A slice that is nil has no elements, and a loop over it no iterations.
        common.warn(
            "warning: it is called with 0 in all registers of its arguments, as with nil and with what is empty: --arg \
             BX=2 gives another value, and --keep DIR leaves a template to give it more\n",
        );
    }
    let names: Vec<String> = shown
        .builds
        .iter()
        .map(|build| build.scenario.clone())
        .collect();
    exports.compiled = Some(shown);
    let code = match names.len() {
        1 => run::run(&common, &names, &Files::only(exports)),
        _ => compare::run(&common, &names, compare::CONFIDENCE, None, &exports),
    }?;
    /// Of a row that went wrong.
    const WRONG: [i32; 2] = [3, 4];
    if compiled.keep.is_none() && WRONG.contains(&code) {
        common.warn(
            "warning: the templates that these lines are of are gone with this run; --keep DIR leaves them\n",
        );
    }
    Ok(code)
}

/// Leaves the templates in a folder; none takes the place of a file that is there.
fn keep(common: &Common, folder: &Folder, kept: &Path, builds: &[Built]) -> Result<(), Stop> {
    fs::create_dir_all(kept)
        .map_err(|error| Stop::Usage(format!("`--keep {}`: {error}", shown(kept))))?;
    let files = builds.iter().map(|build| format!("{}.asm", build.scenario));
    let outputs = files
        .map(|file| Ok((Output::new_one("--keep", &kept.join(&file))?, file)))
        .collect::<Result<Vec<_>, Stop>>()?;
    for (output, file) in outputs {
        let text = fs::read_to_string(folder.path().join(TEMPLATES).join(&file))?;
        output.write(&text, printable::lines)?;
        let place = shown(kept.join(file));
        common.warn(&format!("wrote {place}: dispatchlab run {place}\n"));
    }
    Ok(())
}

/// One way to compile: a Go, and a profile or none.
struct Build<'a> {
    toolchain: &'a Toolchain,
    profile: Option<PathBuf>,
    name: String,
}

/// All ways that are asked for.
fn builds<'a>(toolchains: &'a [Toolchain], compiled: &Compiled) -> Result<Vec<Build<'a>>, Stop> {
    let mut all = Vec::new();
    for toolchain in toolchains {
        let version = &toolchain.version;
        let Some(profile) = &compiled.pgo else {
            all.push(Build {
                toolchain,
                profile: None,
                name: version.clone(),
            });
            continue;
        };
        if !toolchain.takes_profile() {
            return Err(Stop::Usage(format!(
                "`--pgo`: {version} takes no profile, Go does from 1.20 on; choose later ones with --go"
            )));
        }
        let profile = fs::canonicalize(profile)
            .map_err(|error| Stop::Usage(format!("`--pgo {}`: {error}", profile.display())))?;
        all.push(Build {
            toolchain,
            profile: Some("off".into()),
            name: version.clone(),
        });
        all.push(Build {
            toolchain,
            profile: Some(profile),
            name: format!("{version}-pgo"),
        });
    }
    Ok(all)
}

fn make(
    common: &Common,
    folder: &Folder,
    source: &Source,
    compiled: &Compiled,
    build: &Build<'_>,
) -> Result<Made, Stop> {
    let options = Options {
        function: &compiled.func,
        gcflags: &compiled.gcflags,
        profile: build.profile.as_deref(),
    };
    let is_shown = !common.quiet && std::io::IsTerminal::is_terminal(&std::io::stderr());
    if is_shown {
        common.warn(&format!("compiling with {}\n", build.name));
    }
    Ok(build.toolchain.make(folder, source, &options)?)
}

/// The function as one build has it, and its template in the folder.
fn as_built(
    common: &Common,
    folder: &Folder,
    source: &Source,
    compiled: &Compiled,
    build: &Build<'_>,
    made: &Made,
) -> Result<Built, Stop> {
    let symbol = source.symbol(&compiled.func);
    let binary = read(&build.name, &made.bytes)?;
    let found = binary.find(&symbol);
    // An instance of a generic function stands under the name of its shape.
    let (generic, _) = symbol.split_once('[').unwrap_or((&symbol, ""));
    let shaped = || {
        let shape = format!("{generic}[");
        let mut shapes = binary
            .symbols
            .iter()
            .filter(|one| one.name.starts_with(&shape));
        shapes.find(|one| one.size > 0)
    };
    let entry = found.first().copied().or_else(shaped).ok_or_else(|| {
        Stop::Usage(format!(
            "{} has compiled no `{symbol}`, only inlined it or left it out",
            build.name
        ))
    })?;
    let request = Request {
        file: &build.name,
        entry: Entry::Function(entry),
        others: &[],
        depth: compiled.depth,
        arguments: &common.arguments,
    };
    let imported =
        import(&binary, &request).map_err(|why| Stop::Usage(format!("{}: {why}", build.name)))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let short: String = compiled.func.chars().filter(|c| is_plain(*c)).collect();
    let template = format!("{short}-{}", build.name);
    let templates = folder.path().join(TEMPLATES);
    fs::create_dir_all(&templates)?;
    fs::write(templates.join(format!("{template}.asm")), imported.text)?;
    let code = beside::listing(&binary, entry);
    let left_out = imported.left_out.into_iter();
    Ok(Built {
        name: build.name.clone(),
        version: build.toolchain.version.clone(),
        scenario: template,
        instructions: code.len(),
        bytes: entry.size,
        code,
        without: left_out
            .map(|(function, why)| LeftOut { function, why })
            .collect(),
    })
}

/// The function's lines, with what each build decided at them.
fn lines(
    source: &Source,
    function: &str,
    builds: &[Build<'_>],
    decided: &[Vec<crate::toolchain::Decision>],
) -> Result<Vec<SourceLine>, Stop> {
    let texts = source.texts()?;
    let expression = source.expression(function);
    let found = texts.iter().find_map(|(file, text)| {
        let (first, last) = declaration(text, expression)?;
        Some((file, text, first, last))
    });
    let Some((file, text, first, last)) = found else {
        return Ok(Vec::new());
    };
    let mut lines = Vec::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .skip(first - 1)
        .take(last + 1 - first)
    {
        let mut said: Vec<Decided> = Vec::new();
        for (build, decisions) in builds.iter().zip(decided) {
            let here = decisions
                .iter()
                .filter(|one| one.file == *file && one.line == number);
            for decision in here {
                match said.iter_mut().find(|one| one.text == decision.text) {
                    Some(one) => one.by.push(build.name.clone()),
                    None => said.push(Decided {
                        text: decision.text.clone(),
                        by: vec![build.name.clone()],
                    }),
                }
            }
        }
        lines.push(SourceLine {
            line: number,
            text: line.to_string(),
            decisions: said,
        });
    }
    Ok(lines)
}
