//! From the names of the command line to scenarios.
//!
//! Correct means: an existing path comes first, then a suite, then a scenario; and what cannot be
//! bound says what could.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::output::Input;
use super::{Common, Stop, record};
use crate::scenario::{BindError, Recording, Scenario, parse_name};
use crate::sys::files;
use crate::template::library::{Library, LoadError, path_of, text_of};
use crate::template::suite::{Member, Said, Suite};
use crate::template::{Origin, Template, params};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

/// What the names stand for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    /// In the order asked for.
    pub(super) scenarios: Vec<Scenario>,
    /// The row that ratios refer to: a suite's own, else none.
    pub(super) reference: Option<String>,
    /// The suites among the names.
    pub(super) suites: Vec<Suite>,
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Stop {
        match error.diagnostics() {
            Ok(diagnostics) => Stop::Templates(diagnostics),
            Err(other) => Stop::Usage(other.to_string()),
        }
    }
}

impl From<BindError> for Stop {
    fn from(error: BindError) -> Stop {
        Stop::Usage(error.to_string())
    }
}

/// Finds what the names stand for.
pub(super) fn resolve(common: &Common, names: &[String]) -> Result<Wanted, Stop> {
    let library = common.library()?;
    common.tell_overlay(&library);
    resolve_in(common, &library, names)
}

/// The same in a library.
pub(super) fn resolve_in(
    common: &Common,
    library: &Library,
    names: &[String],
) -> Result<Wanted, Stop> {
    check_stdin(names)?;
    let parameters = common.parameters()?;
    let mut wanted = Wanted {
        scenarios: Vec::new(),
        reference: None,
        suites: Vec::new(),
    };
    for name in names {
        match library.suite(name) {
            Err(error) => wanted.scenarios.push(refused(name, error)?),
            Ok(Some(suite)) => {
                let mut members = of_suite(library, &suite, &parameters)?;
                // A parameter may make members equal, which nobody has named twice.
                drop_repeated(&mut members);
                wanted.scenarios.append(&mut members);
                wanted.reference.clone_from(&suite.reference);
                wanted.suites.push(suite);
            }
            Ok(None) => wanted.scenarios.push(match load(library, name)? {
                Ok((template, given)) => {
                    let bound: Vec<_> = given.into_iter().chain(parameters.clone()).collect();
                    common.tell(&template);
                    with_recording(Scenario::bind(Arc::new(template), &bound)?)?
                }
                Err(error) => refused(name, error)?,
            }),
        }
    }
    let repeated = drop_repeated(&mut wanted.scenarios);
    if !repeated.is_empty() {
        let names = repeated.join(", ");
        common.warn(&format!(
            "warning: named more than once, and measured once: {names}\n"
        ));
    }
    Ok(wanted)
}

/// The files that names and scenarios are read from, and those that a run looks into besides.
pub(super) fn inputs(
    common: &Common,
    names: &[String],
    scenarios: &[Scenario],
) -> Result<Vec<Input>, Stop> {
    let mut paths = common.library()?.files();
    paths.extend(record::path());
    for name in names {
        let template = name.split('[').next().unwrap_or(name);
        paths.extend([name, template].map(path_of));
        paths.push(path_of(&format!("{template}.asm")));
    }
    for scenario in scenarios {
        paths.extend(scenario.recording_path().map(path_of));
        let template = &scenario.template;
        let included = template.includes.texts.iter().map(|one| &one.origin);
        for origin in std::iter::once(&template.origin).chain(included) {
            if let Origin::File(path) = origin {
                paths.push(path_of(&path.to_string_lossy()));
            }
        }
    }
    Ok(paths.iter().filter_map(|path| Input::at(path)).collect())
}

/// Refuses to read standard input twice, for the second time it is empty.
pub(super) fn check_stdin(names: &[String]) -> Result<(), Stop> {
    let is_stdin = |name: &&String| *name == "-" || name.starts_with("-[");
    if names.iter().filter(is_stdin).count() > 1 {
        let message = "`-` twice: standard input can be read once; save it to a file";
        return Err(Stop::Usage(message.into()));
    }
    Ok(())
}

/// Leaves one of equal scenarios, and names those it removed.
fn drop_repeated(scenarios: &mut Vec<Scenario>) -> Vec<String> {
    let mut kept: Vec<Scenario> = Vec::new();
    let mut repeated = Vec::new();
    for scenario in scenarios.drain(..) {
        if kept.contains(&scenario) {
            if !repeated.contains(&scenario.name) {
                repeated.push(scenario.name);
            }
        } else {
            kept.push(scenario);
        }
    }
    *scenarios = kept;
    repeated
}

/// Binds a scenario's name, or a path with or without parameters in brackets.
pub(super) fn bind(
    library: &Library,
    name: &str,
    parameters: &[(String, String)],
) -> Result<Scenario, Stop> {
    let (template, mut bound) = load(library, name)??;
    bound.extend_from_slice(parameters);
    with_recording(Scenario::bind(Arc::new(template), &bound)?)
}

/// A template and the parameters in the brackets behind its name.
type Loaded = (Template, Vec<(String, String)>);

/// The template that a name, or a path with or without parameters in brackets, begins with.
fn load(library: &Library, name: &str) -> Result<Result<Loaded, LoadError>, Stop> {
    let (template, bound) = match path_of(name).is_file() {
        true => (name.to_string(), Vec::new()),
        false => parse_name(name)?,
    };
    Ok(library.load(&template).map(|template| (template, bound)))
}

/// A row that says what is wrong with its file, so that the others run.
fn refused(name: &str, error: LoadError) -> Result<Scenario, Stop> {
    let why = error.diagnostics()?;
    let origin = match name {
        "-" => Origin::Stdin,
        _ => Origin::File(why.first().map_or(name, |one| &one.file).into()),
    };
    // Where it can be read again, its hash says which text it was.
    let text = match &origin {
        Origin::File(path) if path_of(&path.to_string_lossy()).is_file() => {
            text_of(&path.to_string_lossy()).ok()
        }
        _ => None,
    };
    let (short, _) = parse_name(name).unwrap_or_default();
    let template = Template::in_place(&short, origin, text.unwrap_or_default());
    Ok(Scenario::refused(template, name, why))
}

/// Reads the recording that `order=@FILE` names.
fn with_recording(scenario: Scenario) -> Result<Scenario, Stop> {
    let Some(path) = scenario.recording_path().map(str::to_string) else {
        return Ok(scenario);
    };
    let (recording, _) = recorded(&path)?;
    let replayed = scenario.replay(recording);
    replayed.map_err(|error| Stop::Usage(format!("`order=@{path}`: {error}")))
}

/// The recording of a file that `order=@FILE` names, and the file's text.
pub(super) fn recorded(path: &str) -> Result<(Recording, String), Stop> {
    /// Longer than any recording with a word of remark on each number.
    const MAX_BYTES: u64 = 64 << 20;
    let file = path_of(path);
    let wrong = |why: String| Stop::Usage(format!("`order=@{path}`: {why}"));
    let bytes = files::read(&file, MAX_BYTES + 1).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            wrong("there is no such file; the path counts from the working directory".into())
        }
        io::ErrorKind::IsADirectory => wrong("it is a folder; name a file of type numbers".into()),
        _ => wrong(format!("cannot read it: {error}")),
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        let limit = MAX_BYTES >> 20;
        return Err(wrong(format!(
            "a recording has at most {limit} MiB; record a shorter stretch"
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| wrong("it is not UTF-8; write type numbers as text, from 0".into()))?;
    let text = text.trim_start_matches('\u{feff}').to_string();
    let recording = Recording::parse(&text).map_err(|error| wrong(error.to_string()))?;
    Ok((recording, text))
}

/// Binds scenarios that stand beside each other: each takes those of the parameters that it has, and
/// a parameter that none has is refused.
pub(super) fn bind_among(
    library: &Library,
    names: &[String],
    parameters: &[(String, String)],
) -> Result<Vec<Scenario>, Stop> {
    let loaded: Vec<Named> = names
        .iter()
        .map(|name| named_in(library, name)?)
        .collect::<Result<_, _>>()?;
    bind_fitting(&loaded, parameters)
}

/// What a name that stands beside others means, or what is wrong with its file alone.
pub(super) fn named_in(library: &Library, name: &str) -> Result<Result<Named, Stop>, Stop> {
    Ok(match load(library, name)? {
        Ok((template, bound)) => Ok((Arc::new(template), bound)),
        Err(error) => Err(Stop::Templates(error.diagnostics()?)),
    })
}

/// A suite's scenarios. A row that there is not is one with the reason, so that the others run.
pub(super) fn of_suite(
    library: &Library,
    suite: &Suite,
    parameters: &[(String, String)],
) -> Result<Vec<Scenario>, Stop> {
    let mut templates = BTreeMap::new();
    let mut rows = Vec::new();
    for member in &suite.members {
        if !member.wrong.is_empty() {
            rows.push(Err(member.wrong.clone()));
            continue;
        }
        let name = member.template();
        let loaded = templates
            .entry(name)
            .or_insert_with(|| library.load(name).map(Arc::new));
        rows.push(as_it_stands(suite, member, loaded));
    }
    let found: Vec<Named> = rows.iter().flatten().cloned().collect();
    refuse_unknown(&found, parameters)?;
    let members = suite.members.iter().zip(rows);
    let bound = members.map(|(member, row)| {
        let refused = |why| Scenario::refused(suite.in_place_of(member), &member.scenario, why);
        match row.map(|(template, bound)| bind_one(&template, &bound, parameters)) {
            Err(why) => Ok(refused(why)),
            // The file that it replays is missing or wrong.
            Ok(Err(Stop::Usage(message))) if member.scenario.contains("order=@") => {
                Ok(refused(vec![suite.complain(member, message, None)]))
            }
            Ok(bound) => bound,
        }
    });
    bound.collect()
}

/// A row of a suite that binds as it stands there.
///
/// # Errors
/// Why it does not.
fn as_it_stands(
    suite: &Suite,
    member: &Member,
    loaded: &Result<Arc<Template>, LoadError>,
) -> Result<Named, Vec<Diagnostic>> {
    let refuse = |message, help| vec![suite.complain(member, message, help)];
    let template = loaded.as_ref().map_err(|error| match error {
        LoadError::Wrong(diagnostics) => diagnostics.clone(),
        other => refuse(other.to_string(), None),
    })?;
    let (_, given) =
        parse_name(&member.scenario).map_err(|error| refuse(error.message, error.help))?;
    match Scenario::bind(Arc::clone(template), &given) {
        Err(error) => Err(refuse(error.message, error.help)),
        Ok(bound) if bound.name != member.scenario => Err(refuse(
            format!("this scenario is called `{}`", bound.name),
            Some("write it so: figures and ratios go by that name".into()),
        )),
        Ok(_) => Ok((Arc::clone(template), given)),
    }
}

/// What suites say of rows of these names, by name: of two that say something of one the first, and those that are
/// `named` before all others.
pub(super) fn said<'a>(
    common: &Common,
    named: &[Suite],
    rows: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, Said>, Stop> {
    let library = common.library()?;
    let template = |row: &'a str| row.split('[').next().unwrap_or(row);
    let templates: Vec<&str> = rows.map(template).collect();
    let mut suites = Vec::new();
    for name in library.suite_names() {
        match library.suite_about(&name, &templates) {
            Ok(suite) => suites.extend(suite),
            Err(error) => common.warn(&format!(
                "warning: nothing is told of what the suite `{name}` says of rows: {error}\n"
            )),
        }
    }
    let mut said = BTreeMap::new();
    // That one lists it is nothing to say of a row that is run by itself.
    let is_more = |one: &Said| {
        Said {
            section: None,
            ..one.clone()
        } != Said::default()
    };
    let others = suites.iter().flat_map(Suite::said);
    let others = others.filter(|(_, one)| is_more(one));
    for (name, one) in named.iter().flat_map(Suite::said).chain(others) {
        said.entry(name).or_insert(one);
    }
    Ok(said)
}

/// A template, and the parameters in the brackets of its name.
pub(super) type Named = (Arc<Template>, Vec<(String, String)>);

/// Each takes those of the parameters that it has.
pub(super) fn bind_fitting(
    loaded: &[Named],
    parameters: &[(String, String)],
) -> Result<Vec<Scenario>, Stop> {
    refuse_unknown(loaded, parameters)?;
    let bind = |(template, bound): &Named| bind_one(template, bound, parameters);
    loaded.iter().map(bind).collect()
}

/// Whether a template has a parameter.
pub(super) fn has(template: &Template, key: &str) -> bool {
    params::all(&template.header).contains_key(key)
}

/// Refuses a parameter that no template has.
fn refuse_unknown(loaded: &[Named], parameters: &[(String, String)]) -> Result<(), Stop> {
    let is_known = |key: &str| loaded.iter().any(|(template, _)| has(template, key));
    if let Some(unknown) = parameters.iter().find(|(key, _)| !is_known(key)) {
        // Refused by the first template that has a parameter of nearly that name, for its words
        // suggest it.
        let is_near = |(template, _): &&Named| {
            let known = params::all(&template.header);
            closest(&unknown.0, known.keys().map(String::as_str)).is_some()
        };
        let refusing = loaded.iter().find(is_near).or(loaded.first());
        if let Some((template, _)) = refusing {
            Scenario::bind(Arc::clone(template), std::slice::from_ref(unknown))?;
        }
    }
    Ok(())
}

fn bind_one(
    template: &Arc<Template>,
    bound: &[(String, String)],
    parameters: &[(String, String)],
) -> Result<Scenario, Stop> {
    let fitting = parameters.iter().filter(|(key, _)| has(template, key));
    let bound: Vec<(String, String)> = bound.iter().chain(fitting).cloned().collect();
    with_recording(Scenario::bind(Arc::clone(template), &bound)?)
}
