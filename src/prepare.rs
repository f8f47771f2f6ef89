//! From a scenario to a row that a worker can run: expanded, assembled, laid out, linked.
//!
//! Correct means: what does not come through says what is wrong, and on which line of the template.

use std::collections::BTreeMap;

use crate::asm::{self, CodePlace, Program, Section, SectionKind, SourceSection};
use crate::go::heap::{Heap, HeapSpec, lay_out};
use crate::go::modelled::why_not;
use crate::go::{HeapKind, hash, runtime, symbol};
use crate::injection::{self, Injection, Latency};
use crate::job::{Carried, JobRow, Kept, PLACEMENT_COUNTS, Placement, check, placements};
use crate::link::harness::stub_names;
use crate::link::{Image, LinkError, Site, Variant, link, link_with_written_data, trespass};
use crate::scenario::Scenario;
use crate::template;
use crate::template::{Cold, Order, Template};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

pub mod apart;

/// Address at which code is linked to be shown; nothing runs there.
pub const SHOWN_CODE: u64 = 0x10_0000;
/// Address at which data are linked to be shown.
pub const SHOWN_DATA: u64 = 0x80_0000;

/// A scenario that assembles and links.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What a worker gets.
    pub row: JobRow,
    /// Its data.
    pub heap: Heap,
    /// It, linked at the address where code is shown.
    pub image: Image,
    /// The template's remark on it.
    pub note: Option<String>,
}

impl Prepared {
    /// The row linked where code is shown, at any placement.
    pub fn image_at(&self, placement: Placement, variant: Variant) -> Image {
        let site = Site {
            data: SHOWN_DATA,
            code: SHOWN_CODE,
            placement,
            variant,
        };
        link(&self.row, &self.heap, site).unwrap_or_else(|_| self.image.clone())
    }

    /// The data of an image of [`Prepared::image_at`], with zeros for what data sections repeat, so
    /// that a large buffer takes addresses here and no memory.
    pub fn written_data_of(&self, image: &Image) -> Vec<u8> {
        // Memory for its data, which the kernel gives page by page to who writes there.
        let addresses = &image.data_addresses;
        let mut data = vec![0; (addresses.end - addresses.start) as usize];
        // It has linked before.
        let _ = link_with_written_data(&self.row, &self.heap, image.site, &mut data);
        data
    }
}

/// As [`prepare`], for a worker: what no template may run is refused.
///
/// # Errors
/// As [`prepare`], and a far transfer that its code leads to.
pub fn to_run(scenario: &Scenario) -> Result<Prepared, Vec<Diagnostic>> {
    let prepared = prepare(scenario)?;
    let Some(far) = trespass::far_transfer(&prepared.image) else {
        return Ok(prepared);
    };
    let line = prepared.image.line(&prepared.row.program, far.ip());
    let message = format!(
        "`{far}` is a far transfer, which no template may run: all of its code stands in one segment"
    );
    let help = "write a near `jmp`, `call` or `ret`; `asm` and `show` take this one as it is";
    Err(vec![scenario.template.at_line(
        line.unwrap_or(1),
        message,
        Some(help.into()),
    )])
}

/// Expands, assembles, lays out and links.
///
/// # Errors
/// Everything that is wrong with the template under these parameters.
pub fn prepare(scenario: &Scenario) -> Result<Prepared, Vec<Diagnostic>> {
    if !scenario.refused.is_empty() {
        return Err(scenario.refused.clone());
    }
    if scenario.settings.walk.order == Order::Recorded && scenario.recording.is_none() {
        let message = "`order=@FILE`: the recording was not read".to_string();
        return Err(vec![scenario.template.at_line(1, message, None)]);
    }
    let sections = scenario.expand_by(&apart::render)?;
    let (mut program, injection) = assemble(scenario, &sections)?;
    let setup = program
        .sections
        .iter()
        .find(|section| section.kind == SectionKind::Setup);
    if let Some(setup) = setup.filter(|_| !scenario.settings.work.is_none()) {
        let message = "`setup:` may hold values in the registers that `work` needs".to_string();
        let help = "leave `work` at 0, or move what setup does into the body".to_string();
        return Err(vec![scenario.template.at_line(
            setup.line,
            message,
            Some(help),
        )]);
    }
    let header = &scenario.template.header;
    let expected = scenario.expected().map_err(|message| {
        let line = scenario.template.header_line("expect");
        vec![scenario.template.at_line(line, message, None)]
    })?;
    let heap = heap_spec(scenario);
    runtime::pull_in(&mut program, &heap)
        .map_err(|message| vec![scenario.template.at_line(1, message, None)])?;
    let row = JobRow {
        name: scenario.name.clone(),
        carried: Carried::of(&program),
        program,
        heap,
        settings: scenario.settings,
        recorded: scenario
            .recording
            .as_ref()
            .map_or_else(Vec::new, |recording| recording.types().to_vec()),
        results: header.results.clone(),
        expected,
        expect: scenario.expected_by_element(),
        clobbers: header.clobbers,
        unroll: header.unroll.max(1),
        kept: Vec::new(),
        injection,
    };
    let row = match scenario.settings.is_still {
        true => stand_still(scenario, row)?,
        false => row,
    };
    complete(scenario, row, template::note(&sections))
}

/// Copies of a body that has one receiver, and bytes that all of them take at the most.
const STILL_COPIES: u32 = 8;
const STILL_BYTES: usize = 1024;

/// Keeps the receiver in registers that nothing names, and the body as often in a turn of the loop as it may stand there.
fn stand_still(scenario: &Scenario, row: JobRow) -> Result<JobRow, Vec<Diagnostic>> {
    let around = injection::surroundings(scenario);
    let unused = injection::unused(&row.program, &around);
    let received = row.settings.element.registers(row.words());
    let kept = unused
        .iter()
        .zip(&received)
        .map(|(&from, &to)| Kept { from, to });
    let kept: Vec<Kept> = kept.collect();
    if kept.len() < received.len() {
        let message =
            "`walk=none` keeps the receiver in registers that no code names, and too few are left";
        let help = "use fewer registers, or leave out `walk`".to_string();
        return Err(vec![scenario.template.at_line(
            1,
            message.into(),
            Some(help),
        )]);
    }
    let body = row
        .program
        .sections
        .iter()
        .find(|section| section.kind == SectionKind::Body);
    let labels = body.map_or(&[][..], |body| &body.labels);
    let mut fixups = row
        .program
        .sections
        .iter()
        .flat_map(|section| &section.fixups);
    let has_one_address = fixups.any(|fixup| labels.iter().any(|label| label.name == fixup.symbol));
    let bytes = body.map_or(1, |body| body.bytes.len().max(1));
    let unroll = match has_one_address || scenario.settings.cold != Cold::None {
        true => 1,
        false => (STILL_BYTES / bytes).clamp(1, STILL_COPIES as usize) as u32,
    };
    // The copies would need registers of their own, and one receiver has nothing to mispredict.
    let why = "with `walk=none` all iterations have one receiver, and each branch goes one way";
    Ok(JobRow {
        kept,
        unroll,
        injection: Injection::None(why.into()),
        ..row
    })
}

/// Lays out and links.
pub(crate) fn complete(
    scenario: &Scenario,
    row: JobRow,
    note: Option<String>,
) -> Result<Prepared, Vec<Diagnostic>> {
    let template = &scenario.template;
    let header = &template.header;
    let whole_template = |message: String| vec![template.at_line(1, message, None)];
    check::sizes(&row).map_err(|problem| whole_template(problem.to_string()))?;
    let heap = lay_out(&row.heap).map_err(whole_template)?;
    let placement = crate::job::PLACEMENTS[0];
    let site = Site {
        data: SHOWN_DATA,
        code: SHOWN_CODE,
        placement,
        variant: Variant::Body,
    };
    let image = link(&row, &heap, site).map_err(|errors| {
        let mut offered = runtime::names(row.heap.release);
        offered.extend(stub_names().map(str::to_string));
        let told = errors.into_iter().map(|error| {
            let error = with_room(&row, &heap, error);
            link_diagnostic(template, &row.program, &error, &offered)
        });
        let mut told: Vec<Diagnostic> = told.collect();
        // What `times` wrote out is wrong in one place, however often.
        told.dedup_by(|next, one| {
            (next.line, next.column, &next.message) == (one.line, one.column, &one.message)
        });
        told
    })?;
    let row = held_apart(row, &heap, template)?;
    let is_bound = |label: &&String| {
        let mut labels = row
            .program
            .sections
            .iter()
            .flat_map(|section| &section.labels);
        labels.any(|bound| bound.name == **label)
    };
    if let Some(label) = header.dispatch.iter().find(|label| !is_bound(label)) {
        let help =
            "put the label in front of the branch that the template studies, or drop `dispatch`";
        let message = format!("`dispatch` names the label `{label}`, which no section has");
        let line = template.header_line("dispatch");
        return Err(vec![template.at_line(line, message, Some(help.into()))]);
    }
    Ok(Prepared {
        row,
        heap,
        image,
        note,
    })
}

/// The row, where functions at a distance overlap nothing at any placement. The images with latency are
/// longer; where they do not link there are none.
fn held_apart(
    mut row: JobRow,
    heap: &Heap,
    template: &Template,
) -> Result<JobRow, Vec<Diagnostic>> {
    let is_far = |section: &Section| matches!(section.place, Some(CodePlace::Behind(_)));
    if !row.program.sections.iter().any(is_far) {
        return Ok(row);
    }
    for placement in all_placements() {
        for variant in [Variant::Body, Variant::Baseline] {
            if let Err(errors) = link(&row, heap, site(placement, variant)) {
                let told = errors.into_iter().map(|error| {
                    let error = with_room(&row, heap, error);
                    link_diagnostic(template, &row.program, &error, &[])
                });
                return Err(told.collect());
            }
        }
        let mut delayed = (0..row.injection.images()).map(Variant::Delayed);
        if delayed.any(|variant| link(&row, heap, site(placement, variant)).is_err()) {
            let why = "a function stands at a distance from the loop head at which the image with latency has other code";
            row.injection = Injection::None(why.into());
        }
    }
    Ok(row)
}

fn all_placements() -> Vec<Placement> {
    placements(PLACEMENT_COUNTS.last().copied().unwrap_or(1))
}

fn site(placement: Placement, variant: Variant) -> Site {
    Site {
        data: SHOWN_DATA,
        code: SHOWN_CODE,
        placement,
        variant,
    }
}

/// Of a function that stands where other code does, the nearest line of the cache behind that at which it may stand, at
/// every placement; where there is none near, as it was.
fn with_room(row: &JobRow, heap: &Heap, error: LinkError) -> LinkError {
    const LINES: u64 = 64;
    let LinkError::Overlap {
        section,
        with,
        free,
    } = error
    else {
        return error;
    };
    let first = free.next_multiple_of(64);
    let has_room = |distance: &u64| {
        let mut moved = row.clone();
        moved.program.sections[section].place = Some(CodePlace::Behind(*distance as u32));
        all_placements().into_iter().all(|placement| {
            let linked = |variant| link(&moved, heap, site(placement, variant)).is_ok();
            linked(Variant::Body) && linked(Variant::Baseline)
        })
    };
    let found = (0..LINES).map(|line| first + 64 * line).find(has_room);
    LinkError::Overlap {
        section,
        with,
        free: found.unwrap_or(free),
    }
}

/// Assembles, and once more with latency in front of the dispatch branch where that can be.
fn assemble(
    scenario: &Scenario,
    sections: &[SourceSection],
) -> Result<(Program, Injection), Vec<Diagnostic>> {
    let template = &scenario.template;
    let release = scenario.release;
    let hash = move |name: &str| hash::type_hash(release, name);
    let file = template.file_name();
    let bound: Vec<String> = template.header.bind.keys().cloned().collect();
    let context = asm::Context {
        file: &file,
        hash: &hash,
        is_open: false,
        is_run: true,
        syntax: scenario.template.header.syntax,
        separates: scenario.template.header.separates,
        bound: &bound,
        go_minor: Some(release.minor()),
    };
    let mut planned = Vec::new();
    let assembled = asm::assemble_and_insert(sections, &context, |program| {
        planned = injection::plan_for(scenario, program);
        let insertions = planned.iter().flat_map(injection::Planned::insertions);
        insertions.cloned().collect()
    });
    let (mut program, copies) = assembled.map_err(|mut diagnostics| {
        for diagnostic in &mut diagnostics {
            let own = template.line(diagnostic.line);
            diagnostic.origin = (own != diagnostic.text).then(|| own.to_string());
            let place = template.place(diagnostic.line);
            diagnostic.line = place.line;
            diagnostic.file = place.file.unwrap_or_else(|| file.clone());
        }
        diagnostics
    })?;
    let bind = &template.header.bind;
    rename(&mut program.sections, bind);
    let mut injection = injection::of(planned, &program, copies).map_err(|problem| {
        let help =
            "put the label in front of the branch that the template studies, or drop `dispatch`";
        vec![template.at_line(problem.line, problem.message, Some(help.into()))]
    })?;
    if let Injection::Sites(sites) = &mut injection {
        for site in sites {
            if let Latency::Delayed { copies, .. } = &mut site.latency {
                rename(&mut copies[..], bind);
            }
        }
    }
    Ok((program, injection))
}

/// Gives symbols the names that the header's `bind` says they stand for.
fn rename(sections: &mut [Section], bind: &BTreeMap<String, String>) {
    for fixup in sections.iter_mut().flat_map(|section| &mut section.fixups) {
        if let Some(name) = bind.get(&fixup.symbol) {
            fixup.symbol.clone_from(name);
        }
    }
}

fn heap_spec(scenario: &Scenario) -> HeapSpec {
    let header = &scenario.template.header;
    let objects = if header.heap == HeapKind::None {
        0
    } else {
        scenario.objects
    };
    HeapSpec {
        kind: header.heap,
        types: (0..scenario.types)
            .map(|number| scenario.type_name(number))
            .collect(),
        methods: header.methods.clone(),
        signatures: header.signatures.clone(),
        objects: (0..objects)
            .map(|object| scenario.type_of_object(object))
            .collect(),
        release: scenario.release,
        nil_receiver: scenario.nil_receiver,
        nil_interface: scenario.nil_interface,
        indexed: scenario.indexed,
        object: header.object.clone(),
        words: header.words.clone(),
        interfaces: header.interfaces.clone(),
    }
}

/// What there is of the runtime, for who calls something else of it.
fn modelled(wanted: &str, offered: &[String]) -> String {
    let mut names: Vec<&str> = offered
        .iter()
        .filter_map(|name| name.strip_prefix("runtime."))
        .collect();
    names.sort_unstable();
    format!(
        "of the runtime there are {}; a section of your own takes its place by `;! bind = {{ \"{wanted}\" = \"main.mine\" }}`",
        names.join(", ")
    )
}

/// `offered` are the runtime's functions, which are there where somebody names them.
fn link_diagnostic(
    template: &Template,
    program: &Program,
    error: &LinkError,
    offered: &[String],
) -> Diagnostic {
    let at_fixup = |section: usize, fixup: usize, message: String, help: Option<String>| {
        let fixup = &program.sections[section].fixups[fixup];
        let mut diagnostic = template.at_line(fixup.line, message, help);
        diagnostic.column = fixup.column;
        diagnostic.width = fixup.symbol.chars().count() as u32 + 2;
        diagnostic
    };
    match error {
        LinkError::Undefined {
            section,
            fixup,
            nearest,
        } => {
            let wanted = symbol::canonical(&program.sections[*section].fixups[*fixup].symbol);
            let is_runtime = wanted.starts_with("runtime.");
            let of_runtime = offered.iter().filter(|_| is_runtime).map(String::as_str);
            let why = why_not(&wanted);
            let near = closest(&wanted, of_runtime).or(nearest.as_deref());
            let help = match near.filter(|_| why.is_none()) {
                None if is_runtime => modelled(&wanted, offered),
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("define it with `func \"{wanted}\":` or `data \"{wanted}\":`"),
            };
            at_fixup(
                *section,
                *fixup,
                match why {
                    Some(why) => format!("nothing defines the symbol \"{wanted}\": {why}"),
                    None => format!("nothing defines the symbol \"{wanted}\""),
                },
                Some(help),
            )
        }
        LinkError::Narrow { section, fixup } => at_fixup(
            *section,
            *fixup,
            "an address does not fit into 32 bits".into(),
            Some("use `lea reg, [\"NAME\"]`, or `dq` in data".into()),
        ),
        LinkError::Copied { section, fixup } => {
            let label = &program.sections[*section].fixups[*fixup].symbol;
            at_fixup(
                *section,
                *fixup,
                format!("the body stands there several times, so `{label}` has no one address"),
                Some("take `unroll` out of the header, or jump inside the section only".into()),
            )
        }
        LinkError::MissingFunction {
            function,
            wanted_by,
        } => {
            let line = template.header_line("methods");
            let message = format!(
                "{wanted_by} needs the function \"{function}\", which the template does not define"
            );
            template.at_line(
                line,
                message,
                Some(format!("add a section `func \"{function}\":`")),
            )
        }
        LinkError::Formula { key, message } => {
            template.at_line(template.header_line(key), message.clone(), None)
        }
        LinkError::Overlap {
            section,
            with,
            free,
        } => {
            let name = |index: usize| format!("\"{}\"", program.sections[index].name);
            let with = with.map_or("the loop and what stands behind it".to_string(), name);
            let own = &program.sections[*section];
            let message = format!("{} stands where {with} does", name(*section));
            let help = format!(
                "there is room at \"+{free}\"; `dispatchlab show --harness` has all addresses"
            );
            template.at_line(own.line, message, Some(help))
        }
        LinkError::Duplicate { section } => {
            let section = &program.sections[*section];
            let message = format!("the symbol \"{}\" is defined twice", section.name);
            template.at_line(
                section.line,
                message,
                Some("rename one of the two sections".into()),
            )
        }
    }
}
