//! What went wrong with a row, in words, at the template's own line.
//!
//! Correct means: the message says what happened and what to do, and the line is that of the
//! instruction that did it, or none.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions};

use super::assumed;
use crate::asm;
use crate::go::{layout, panic_words, symbol};
use crate::job::{Cause, Failure, Outside, PanicAt, Place, Plan, Trace};
use crate::link::{Image, Owner, Variant, frame, trespass};
use crate::prepare::Prepared;
use crate::report::{FaultReport, Status};
use crate::scenario::Scenario;
use crate::sys::filter;
use crate::template::{Clobbers, Template};
use crate::worker::parent::{duration, signal_name};

/// What ended a row that is no fault.
const TIMEOUT: &str = "timeout";

pub(super) fn no_result(scenario: &Scenario, message: String) -> Status {
    Status::Fault(FaultReport {
        kind: Some("exit".into()),
        signal: None,
        call: None,
        address: None,
        message,
        template: scenario.template.file_name(),
        line: None,
        text: None,
        registers: BTreeMap::new(),
    })
}

/// The status of a row that ended in a failure.
pub fn failed(scenario: &Scenario, prepared: &Prepared, failure: &Failure, plan: &Plan) -> Status {
    let report = |kind: &str, message: String, remedy: &str, place: &Place| {
        located(scenario, prepared, plan, kind, (&message, remedy), place)
    };
    if let Some(clobber) = harness_register(prepared, failure, plan) {
        return failed(scenario, prepared, &clobber, plan);
    }
    match failure {
        Failure::Panic(panic) => panicked(scenario, prepared, *panic, plan),
        Failure::WrongResult {
            element,
            iterations,
            expected,
            actual,
        } => Status::WrongResult {
            element: *element,
            iterations: *iterations,
            expected: *expected,
            actual: *actual,
        },
        Failure::Signal {
            signal,
            address,
            cause,
            place,
            may_be,
            registers,
            ..
        } => {
            let rsp = registers.get(4).copied().unwrap_or(0);
            let (message, remedy) = match cause_message(*cause, *address) {
                Some(known) => known,
                None => (signal_message(*signal, *address, rsp), ""),
            };
            let image = placed_image(prepared, place, plan);
            let message = message + &one_of(&image, (&scenario.template, prepared), may_be);
            let unbalanced = unbalanced(&image, prepared, place, rsp).unwrap_or_default();
            let guess = assumed::remedy(&scenario.template, (&image, prepared), place, registers);
            let remedy = format!("{unbalanced}{remedy}{}", guess.unwrap_or_default());
            let mut fault = report("signal", message, &remedy, place);
            fault.signal = Some(signal_name(*signal));
            fault.address = address.map(|address| format!("{address:#x}"));
            let numbered = registers.iter().enumerate().map(|(number, value)| {
                let register = crate::template::ResultRegister {
                    number: number as u8,
                    bits: 64,
                };
                (
                    crate::link::harness::register_name(register).to_string(),
                    format!("{value:#x}"),
                )
            });
            fault.registers = numbered.collect();
            Status::Fault(fault)
        }
        Failure::Clobber {
            what,
            kind,
            in_setup,
            place,
        } => {
            let who = if *in_setup { "setup" } else { "body" };
            let remedy = match kind.as_str() {
                "clobber" if what.starts_with('r') => {
                    "; use another register, or put `clobbers = \"all\"` into the header".into()
                }
                "stack" if what == "rsp" => {
                    format!("; every push wants its pop before the {who} ends")
                }
                "stack" => FOREIGN.into(),
                _ => format!("; put it back before the {who} ends"),
            };
            let message = format!("the {who} does not leave {what} as it was");
            Status::Fault(report(kind, message, &remedy, place))
        }
        Failure::Above {
            slot,
            in_setup,
            place,
        } => {
            let who = if *in_setup { "setup" } else { "body" };
            let message = format!("the {who} can write to [rsp+{slot}], above its 256 bytes");
            Status::Fault(report("stack", message, FOREIGN, place))
        }
        Failure::Forbidden {
            number,
            architecture,
            place,
        } => {
            let call = call_name(*number, *architecture);
            let message = format!("the system call {call} was stopped");
            let remedy = match call.as_str() {
                "mprotect" | "pkey_mprotect" => {
                    "; code stays read-only: what changes is data, as in the template `filling_cache`"
                }
                _ => "; generated code may make none: take it out of the template",
            };
            let mut fault = report("signal", message, remedy, place);
            fault.signal = Some(signal_name(libc::SIGSYS));
            fault.call = Some(call);
            Status::Fault(fault)
        }
        Failure::Exit { status, place } => {
            let message = format!("the process ended with status {status} before the body did");
            Status::Fault(report("exit", message, "", place))
        }
        Failure::Timeout { limit_ms, place } => {
            let limit = *limit_ms as f64 / 1000.0;
            let message = format!("one entry took more than {limit} s");
            let remedy = "; an endless loop? (--timeout S gives it longer)";
            Status::Timeout(report(TIMEOUT, message, remedy, place))
        }
        Failure::TooLong {
            needed_ms,
            iteration_us,
            limit_ms,
        } => {
            let message = format!(
                "it would take {} at the least, because one iteration takes {}, and a row may take {}; fewer \
                 --placements make it less, --max-row S allows more",
                duration(*needed_ms as f64 / 1e3),
                duration(*iteration_us as f64 / 1e6),
                duration(*limit_ms as f64 / 1e3)
            );
            Status::Timeout(report(TIMEOUT, message, "", &Place::default()))
        }
        Failure::Slowed { spent_ms } => {
            let message = format!(
                "it got slower than its first iterations were: while it was timed its long entries took {}, and a row \
                 may take {} besides what --time asks for; --max-row S allows more",
                duration(*spent_ms as f64 / 1e3),
                duration(plan.max_row_s)
            );
            Status::Timeout(report(TIMEOUT, message, "", &Place::default()))
        }
        Failure::Unfinished { in_setup, place } => {
            let who = if *in_setup { "setup" } else { "body" };
            let message = format!("the {who} does not end on an instruction");
            Status::Fault(report("exit", message, UNFINISHED, place))
        }
        Failure::Worker(what) => no_result(scenario, what.clone()),
        Failure::Ended(how) => ended(scenario, how),
    }
}

/// The register of the harness that the code writes, where that is why a row went wrong so late that nobody saw
/// it: with another sum, without an end, or at an address that the harness made of it.
fn harness_register(prepared: &Prepared, failure: &Failure, plan: &Plan) -> Option<Failure> {
    let place = match failure {
        Failure::WrongResult { .. } => &Place::default(),
        Failure::Timeout { place, .. } | Failure::Signal { place, .. } => place,
        _ => return None,
    };
    if prepared.row.clobbers != Clobbers::Some || place.delayed.is_some() || place.baseline {
        return None;
    }
    let image = placed_image(prepared, place, plan);
    let at = place.code_offset.map(|offset| image.site.code + offset);
    let owner = at.and_then(|at| image.owner(at)).map(|piece| &piece.owner);
    let is_own = matches!(owner, Some(Owner::Section(_)));
    if is_own && matches!(failure, Failure::Signal { .. }) {
        return None;
    }
    let writers = trespass::register_writers(&image);
    let (address, register) = *writers.first()?;
    Some(Failure::Clobber {
        what: format!("{register:?}").to_lowercase(),
        kind: "clobber".into(),
        in_setup: false,
        place: Place {
            code_offset: Some(address - image.site.code),
            ..*place
        },
    })
}

/// The lines of instructions of which one did it.
fn one_of(image: &Image, (template, prepared): (&Template, &Prepared), may_be: &[u64]) -> String {
    let line =
        |offset: &u64| image.line(&prepared.row.program, image.site.code.checked_add(*offset)?);
    let lines: BTreeSet<u32> = may_be.iter().filter_map(line).collect();
    let named = lines.iter().map(|line| template.place(*line));
    let mut named: Vec<String> = named
        .map(|place| match place.name {
            None => place.line.to_string(),
            Some(_) => place.to_string(),
        })
        .collect();
    match named.pop() {
        None => String::new(),
        Some(last) => format!(
            ", by a jump in one of the lines {} and {last}",
            named.join(", ")
        ),
    }
}

/// That the harness finds its frame elsewhere, as after a push without its pop. Frames that take turns begin at
/// multiples of their distance.
fn unbalanced(image: &Image, prepared: &Prepared, place: &Place, rsp: u64) -> Option<String> {
    let step = frame::FRAME_STEP as u64;
    let owner = &image.owner(image.site.code + place.code_offset?)?.owner;
    let above = rsp % step;
    if prepared.row.clobbers != Clobbers::All || *owner != Owner::Harness || above == 0 {
        return None;
    }
    let (bytes, side) = match above > step / 2 {
        true => (step - above, "below"),
        false => (above, "above"),
    };
    Some(format!(
        "; rsp is {bytes} bytes {side} where an iteration must leave it: every push wants its pop"
    ))
}

/// What to do about a write to what belongs to the harness.
const FOREIGN: &str =
    "; what stands there is the harness's: take room from `rsp` first, or a `data` section";
/// What to do about an instruction without its last bytes.
const UNFINISHED: &str =
    ": the one behind it swallows its last bytes; complete the instruction that they begin";

/// The status of a row whose worker was ended by something outside.
fn ended(scenario: &Scenario, how: &Outside) -> Status {
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    let (what, help) = match how {
        Outside::Signal {
            signal,
            sender,
            name,
        } => {
            let who = match (sender, name) {
                (Some(sender), Some(name)) => format!(" from process {sender} ({name})"),
                (Some(sender), None) => format!(" from process {sender}, which is gone"),
                (None, _) => " from outside, and the kernel does not say from whom".into(),
            };
            (
                format!("the worker was ended by {}{who}", signal_name(*signal)),
                "run it again",
            )
        }
        Outside::Memory { allowed_mib } => (
            match allowed_mib {
                Some(mib) => format!(
                    "the kernel ended the worker for want of memory (the OOM killer): the memory cgroup allows {mib} \
                     MiB; {} are the next to try",
                    2 * mib
                ),
                None => "the kernel ended the worker for want of memory (the OOM killer)".into(),
            },
            "run fewer rows at once, lower `objects` or --placements, or run it where there is more memory",
        ),
        Outside::Processor { allowed_s } => (
            match allowed_s {
                Some(seconds) => format!(
                    "the worker's time on the processor was used up: `ulimit -t` is {seconds} s for each process"
                ),
                None => "the worker's time on the processor was used up (`ulimit -t`)".into(),
            },
            "raise `ulimit -t`, or run fewer rows at once",
        ),
        Outside::Unable(why) => (why.clone(), "raise that limit, or run it elsewhere"),
        Outside::NoMemory { limit: Some(limit) } => (
            format!("the worker got no more memory: {limit}"),
            "raise that limit, or lower the template's parameters",
        ),
        Outside::NoMemory { limit: None } => (
            "the worker got no more memory".into(),
            "lower the template's parameters, or run it where there is more",
        ),
        Outside::Starved {
            processor_ms,
            passed_ms,
        } => (
            format!(
                "the worker had {} of the processor in {}, and did nothing: it was stopped from outside, or others \
                 left it no time",
                seconds(*processor_ms),
                seconds(*passed_ms)
            ),
            "run it again on a quieter machine",
        ),
    };
    Status::Ended {
        template: scenario.template.file_name(),
        message: format!("{what}; the template is not to blame"),
        help: help.into(),
    }
}

/// What a signal was about, and what to do, where its number does not say it.
fn cause_message(cause: Cause, address: Option<u64>) -> Option<(String, &'static str)> {
    let at = address.map_or(String::new(), |address| format!(" at address {address:#x}"));
    let (message, remedy) = match cause {
        Cause::Plain => return None,
        Cause::Breakpoint => ("SIGTRAP: a breakpoint, `int3`".into(), ""),
        Cause::Icebp => ("SIGTRAP: `int1`, which is `icebp`".into(), ""),
        Cause::TrapFlag => (
            "SIGTRAP: the trap flag was set".into(),
            "; leave bit 8 of the flags alone",
        ),
        Cause::Padding => (
            "SIGTRAP: a jump into the padding between functions".into(),
            "; a function ends with `ret` or `jmp`",
        ),
        Cause::AlignmentCheck => (
            "SIGBUS: a misaligned access while the alignment check flag was set".into(),
            "; leave bit 18 of the flags alone",
        ),
        Cause::SplitLock => (
            "SIGBUS: a locked access that crosses two cache lines, which this kernel forbids".into(),
            "; align what it accesses",
        ),
        Cause::Misaligned(multiple) => (
            format!("SIGSEGV{at}: the address is not a multiple of {multiple}"),
            "; align it, or take the instruction for unaligned data, as `movups` for `movaps`",
        ),
        Cause::CodeWritten => (
            format!("SIGSEGV{at}: code is read-only, so none changes itself"),
            "; what changes is data: a cell with an address that is called, `call [\"main.cell\"]`, a table of them, or an \
             inline cache as in the template `filling_cache`",
        ),
        Cause::DataRun => (
            format!("SIGSEGV{at}: data cannot be run"),
            "; code stands in `body:` and in `func` sections, and data hold the addresses of functions, `dq \"main.f\"`",
        ),
        Cause::Nowhere => (format!("SIGSEGV{at}: no code stands there"), ""),
        Cause::Middle => (
            "a jump into the middle of an instruction, whose rest is another one".into(),
            "; jump to labels",
        ),
        Cause::Unfinished => (
            "the last instruction of its section lacks bytes, and took them from what stands behind it".into(),
            "; complete it",
        ),
    };
    Some((message, remedy))
}

/// The status of a first iteration that took all the steps there were.
pub fn unended(scenario: &Scenario, prepared: &Prepared, trace: &Trace, plan: &Plan) -> Status {
    let last = trace.steps.last().map(|step| step.ip);
    let place = Place {
        code_offset: last.and_then(|ip| ip.checked_sub(trace.code)),
        ..Place::default()
    };
    let message = format!(
        "the iteration has not ended after {} steps; an endless loop?",
        trace.steps.len()
    );
    Status::Timeout(located(
        scenario,
        prepared,
        plan,
        TIMEOUT,
        (&message, ""),
        &place,
    ))
}

fn signal_message(signal: i32, address: Option<u64>, rsp: u64) -> String {
    const NIL_PAGE: u64 = 4096;
    match (signal, address) {
        (libc::SIGSEGV, Some(address)) if address.abs_diff(rsp) <= 16 => {
            format!(
                "SIGSEGV at address {address:#x}: the stack is full (an endless recursion?) or rsp is wild"
            )
        }
        (libc::SIGSEGV, Some(address)) if address < NIL_PAGE => {
            format!("SIGSEGV at address {address:#x}: a nil pointer was dereferenced")
        }
        (libc::SIGSEGV | libc::SIGBUS, Some(address)) => {
            format!("{} at address {address:#x}", signal_name(signal))
        }
        (libc::SIGSEGV, None) => {
            "SIGSEGV: a non-canonical address, a privileged instruction or an `int`".into()
        }
        (libc::SIGILL, _) => "SIGILL: an instruction that this CPU does not have, or ud2".into(),
        (libc::SIGFPE, _) => "SIGFPE: a division by zero, or a quotient that does not fit".into(),
        _ => signal_name(signal),
    }
}

/// A system call's name as `man 2 syscalls` has it, with the way in where it is not the usual one.
fn call_name(number: u32, architecture: u32) -> String {
    const X32: u32 = 0x4000_0000;
    let known = |name: Option<&str>| name.map_or_else(|| format!("number {number}"), String::from);
    let amd64 = |number: u32| syscalls::x86_64::Sysno::new(number as usize).map(|call| call.name());
    if architecture == filter::ARCH_I386 {
        let call = syscalls::x86::Sysno::new(number as usize).map(|call| call.name());
        format!("{} (32-bit, int 0x80)", known(call))
    } else if number & X32 != 0 {
        format!("{} (x32)", known(amd64(number & !X32)))
    } else {
        known(amd64(number))
    }
}

/// A fault with the template's line, where the place is the template's.
fn located(
    scenario: &Scenario,
    prepared: &Prepared,
    plan: &Plan,
    kind: &str,
    (message, remedy): (&str, &str),
    place: &Place,
) -> FaultReport {
    let template = &scenario.template;
    let image = placed_image(prepared, place, plan);
    let address = place
        .code_offset
        .and_then(|offset| image.site.code.checked_add(offset))
        .filter(|address| image.owner(*address).is_some());
    let line = address.and_then(|address| image.line(&prepared.row.program, address));
    let instruction = address.map(|address| {
        let text = instruction_text(&image, address);
        // What stands for a function that is not there has nothing but its name.
        let is_told = line.is_none() || text == "ud2";
        match (image.name(address).filter(|_| is_told), line) {
            (Some(name), _) => format!("`{text}` in {name}"),
            (None, None) => format!(
                "`{text}` of the harness, whose registers or memory the template has changed"
            ),
            (None, Some(_)) => format!("`{text}`"),
        }
    });
    let message = match (&instruction, kind) {
        (Some(text), _) => format!("{message}, at {text}{remedy}"),
        (None, TIMEOUT | "exit" | "signal") => format!("{message}{remedy}"),
        (None, _) => {
            format!("{message}; it was noticed only after the body, at the exit{remedy}")
        }
    };
    let own = line.map(|line| template.place(line));
    FaultReport {
        kind: (kind != TIMEOUT).then(|| kind.to_string()),
        signal: None,
        call: None,
        address: None,
        message,
        template: own
            .as_ref()
            .and_then(|own| own.file.clone())
            .unwrap_or_else(|| template.file_name()),
        line: own.as_ref().map(|own| own.line),
        text: line.map(|line| code_of(template.line(line))),
        registers: BTreeMap::new(),
    }
}

fn placed_image(prepared: &Prepared, place: &Place, plan: &Plan) -> Image {
    let placement = plan
        .placements
        .get(place.placement)
        .copied()
        .unwrap_or(crate::job::PLACEMENTS[0]);
    prepared.image_at(
        placement,
        if place.baseline {
            Variant::Baseline
        } else {
            Variant::Body
        },
    )
}

fn instruction_text(image: &Image, address: u64) -> String {
    let bytes = &image.code[(address - image.site.code) as usize..];
    let length = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE)
        .decode()
        .len();
    // What lacks bytes is shown as what is there of it.
    let end = image
        .owner(address)
        .map_or(u64::MAX, |piece| piece.addresses.end);
    let length = length.min((end - address) as usize);
    let listed = asm::disassemble(&bytes[..length.min(bytes.len())], address, &|address| {
        image.name(address)
    });
    listed
        .first()
        .map(|one| one.text.clone())
        .unwrap_or_default()
}

pub(super) fn panicked(
    scenario: &Scenario,
    prepared: &Prepared,
    panic: PanicAt,
    plan: &Plan,
) -> Status {
    let image = placed_image(prepared, &Place::default(), plan);
    let caller = image
        .symbol_at(image.site.code.wrapping_add(panic.code_offset))
        .map(|symbol| symbol.name.clone());
    let types = panic.types.map(|offset| {
        let address = image.site.data.wrapping_add(offset);
        let symbol = image.symbol_at(address).filter(|_| offset != 0);
        symbol.map(|symbol| symbol::described_type(&symbol.name).to_string())
    });
    let [have, want, interface] = types.each_ref().map(Option::as_deref);
    let message = match panic.kind {
        frame::PANIC_DOTTYPE => panic_words::dottype(have, want, interface),
        frame::PANIC_MISSING_METHOD => {
            let missing = want.and_then(|want| missing_method(scenario, prepared, want));
            panic_words::missing_method(have, want, missing)
        }
        frame::PANIC_WRAP => caller
            .as_deref()
            .and_then(symbol::panicwrap_message)
            .unwrap_or_else(|| {
                format!(
                    "runtime.panicwrap called from {}, which is no wrapper",
                    caller.as_deref().unwrap_or("the body")
                )
            }),
        frame::PANIC_INDEX => "runtime error: index out of range".into(),
        frame::PANIC_SLICE => "runtime error: slice bounds out of range".into(),
        frame::PANIC_BOUNDS => "runtime error: index or slice bounds out of range".into(),
        frame::PANIC_DIVIDE => "runtime error: integer divide by zero".into(),
        frame::PANIC_SHIFT => "runtime error: negative shift amount".into(),
        frame::PANIC_NIL => {
            "runtime error: invalid memory address or nil pointer dereference".into()
        }
        frame::PANIC_CALLED => "panic, called by the template".into(),
        _ => "stack overflow".into(),
    };
    Status::Panic {
        message,
        asked_for: scenario.nil_receiver || scenario.settings.panics,
    }
}

/// The method of an interface that a type lacks: of the heap's interface the first that the header
/// names, of one that the template defines the first label in its table of methods.
fn missing_method<'p>(
    scenario: &'p Scenario,
    prepared: &'p Prepared,
    interface: &str,
) -> Option<&'p str> {
    let descriptor = symbol::type_descriptor(interface);
    let mut sections = prepared.row.program.sections.iter();
    let Some(own) = sections.find(|section| symbol::canonical(&section.name) == descriptor) else {
        let mut methods = scenario.template.header.methods.iter();
        return methods.next().map(String::as_str);
    };
    let mut labels = own.labels.iter();
    let method = labels.find(|label| label.offset >= layout::INTERFACE_TYPE_SIZE)?;
    Some(&method.name)
}

/// A line without its comment and outer blanks.
fn code_of(line: &str) -> String {
    let code = line.split(';').next().unwrap_or(line).trim();
    code.replace('\t', " ")
}
