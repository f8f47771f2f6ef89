//! Whose doing the end of a worker was: an instruction of the template, or somebody outside.
//!
//! Correct means: the instruction that is named is the one that did it, or none is; and what another process
//! or the kernel did to the worker is no fault of the template.

use std::fs;
use std::time::Duration;

use iced_x86::{EncodingKind, FlowControl, Instruction, Mnemonic, OpKind, Register};

use crate::asm::Program;
use crate::job::{Cause, Outside};
use crate::link::{Image, Owner, Piece};
use crate::sys::limits;
use crate::sys::shared::RawFault;

/// What a fault comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blamed {
    /// The instruction.
    pub(super) address: Option<u64>,
    /// Those that it can have been, where there are several.
    pub(super) may_be: Vec<u64>,
    /// Whether it is one of the template's.
    pub(super) is_own: bool,
    /// What it did.
    pub(super) cause: Cause,
    /// The address that was touched, where the CPU says it or the instruction does.
    pub(super) touched: Option<u64>,
}

/// Who ended a worker that recorded a signal, where that was no instruction.
pub(super) fn ended_by(fault: &RawFault) -> Option<Outside> {
    if fault.signal == libc::SIGXCPU {
        return Some(used_up());
    }
    fault.is_sent().then(|| {
        let sender = Some(fault.sender).filter(|sender| *sender > 0);
        Outside::Signal {
            signal: fault.signal,
            sender,
            name: sender.and_then(name),
        }
    })
}

fn used_up() -> Outside {
    Outside::Processor {
        allowed_s: limits::processor_seconds(),
    }
}

/// The same of one that had no time to record anything. Faults of generated code are recorded; one that is
/// not is the template's all the same, for it has overwritten what records.
/// `kills` are the processes that the kernel had ended for want of memory when the worker began, and has now.
/// `processor` is the time of it that the worker has had.
pub(super) fn ended_unseen(
    signal: i32,
    kills: [Option<u64>; 2],
    processor: Duration,
) -> Option<Outside> {
    const RAISED: [i32; 6] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];
    if RAISED.contains(&signal) {
        return None;
    }
    if signal == libc::SIGKILL && limits::is_used_up(processor) {
        return Some(used_up());
    }
    let [before, now] = kills;
    let is_more = before.zip(now).is_some_and(|(before, now)| now > before);
    let is_for_memory = signal == libc::SIGKILL && is_more;
    Some(match is_for_memory {
        true => Outside::Memory {
            allowed_mib: limits::memory_of_group(),
        },
        false => Outside::Signal {
            signal,
            sender: None,
            name: None,
        },
    })
}

/// What a process runs.
fn name(process: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_string())
}

/// The instruction that a fault is to be blamed on, and what it did.
pub(super) fn find(image: &Image, program: &Program, fault: &RawFault) -> Blamed {
    let (culprit, cause) = match fault.signal {
        libc::SIGTRAP => trapped(image, fault),
        libc::SIGBUS => misaligned(image, fault),
        _ => (culprit(image, program, fault), cause(image, fault)),
    };
    if let Some(jump) = culprit.and_then(|at| into_the_middle(image, program, at, fault)) {
        return Blamed {
            address: Some(jump),
            is_own: true,
            cause: Cause::Middle,
            ..Blamed::default()
        };
    }
    let inside = |address: u64| image.owner(address).map(|_| address);
    let stepped = culprit
        .and_then(inside)
        .or_else(|| inside(fault.previous_ip));
    let (found, may_be) = match stepped {
        Some(address) => (Some(address), Vec::new()),
        None => match &*leads_to(image, fault).1 {
            [] => (fell_into_padding(image, target(fault)), Vec::new()),
            [first, others @ ..] => {
                // An unrolled body has each of its lines several times.
                let line = |address: &u64| image.line(program, *address);
                match others.iter().all(|other| line(other) == line(first)) {
                    true => (Some(*first), Vec::new()),
                    false => (None, [&[*first], others].concat()),
                }
            }
        },
    };
    let is_own = found.is_some_and(|address| is_section(image, address));
    let is_of_bytes = matches!(
        cause,
        Cause::Plain | Cause::Padding | Cause::Breakpoint | Cause::Nowhere
    );
    let (address, cause) = match found {
        Some(address) if is_of_bytes && image.is_unfinished(address) => (found, Cause::Unfinished),
        // It went on in the middle of the harness's instructions.
        _ if !is_own
            && may_be.is_empty()
            && matches!(cause, Cause::Plain | Cause::Nowhere)
            && let Some(last) = unfinished(image, program) =>
        {
            (Some(last), Cause::Unfinished)
        }
        _ => (found, cause),
    };
    let is_own = address.is_some_and(|address| is_section(image, address));
    let unaligned = address
        .filter(|_| cause == Cause::Plain)
        .and_then(|address| unaligned(image, address, fault));
    let (cause, touched) = match unaligned {
        Some((touched, multiple)) => (Cause::Misaligned(multiple), Some(touched)),
        None => (cause, memory_address(fault)),
    };
    Blamed {
        address,
        may_be,
        is_own,
        cause,
        touched,
    }
}

/// The code sections of an image.
fn own_instructions(image: &Image) -> impl Iterator<Item = Instruction> {
    let own = image.pieces.iter();
    let own = own.filter(|piece| matches!(piece.owner, Owner::Section(_)));
    own.flat_map(|piece| image.instructions(piece))
}

/// A SIGBUS: of an access that was misaligned the instruction that has set the flag which forbids it, where only
/// one could have.
fn misaligned(image: &Image, fault: &RawFault) -> (Option<u64>, Cause) {
    /// Exception 17, `#AC`.
    const ALIGNMENT: u64 = 17;
    const ALIGNMENT_CHECK: u64 = 1 << 18;
    if fault.exception != ALIGNMENT {
        return (Some(fault.ip), Cause::Plain);
    }
    if fault.flags & ALIGNMENT_CHECK == 0 {
        return (Some(fault.ip), Cause::SplitLock);
    }
    let mut setters = own_instructions(image).filter(|one| image.pops_flags(one.ip()));
    let only = setters.next().filter(|_| setters.next().is_none());
    let culprit = only.map_or(fault.ip, |one| one.ip());
    (Some(culprit), Cause::AlignmentCheck)
}

/// Of a general protection fault of an instruction whose address must be a multiple of something and is none: the
/// address, and of what.
fn unaligned(image: &Image, address: u64, fault: &RawFault) -> Option<(u64, u16)> {
    /// Exception 13, `#GP`.
    const GENERAL_PROTECTION: u64 = 13;
    if fault.exception != GENERAL_PROTECTION || fault.ip != address {
        return None;
    }
    let one = image.instruction(address);
    let multiple = alignment(&one)?;
    let operand = (0..one.op_count()).find(|at| one.op_kind(*at) == OpKind::Memory)?;
    let touched = one.virtual_address(operand, 0, |register, _, _| value_of(register, fault))?;
    let is_canonical = touched.cast_signed() << 16 >> 16 == touched.cast_signed();
    (is_canonical && touched % u64::from(multiple) != 0).then_some((touched, multiple))
}

/// What the address of an instruction's memory operand must be a multiple of (Intel SDM vol. 1, 11.6.10.1 and
/// 14.9): with the old encodings whole vectors, but where the instruction is for unaligned ones; with the new
/// encodings only those moves that are named so.
fn alignment(one: &Instruction) -> Option<u16> {
    use Mnemonic::{
        Cmpxchg16b, Fxrstor, Fxrstor64, Fxsave, Fxsave64, Lddqu, Movdqu, Movupd, Movups, Pcmpestri,
        Pcmpestrm, Pcmpistri, Pcmpistrm, Vmovapd, Vmovaps, Vmovdqa, Vmovdqa32, Vmovdqa64, Vmovntdq,
        Vmovntdqa, Vmovntpd, Vmovntps,
    };
    let bytes = one.memory_size().size() as u16;
    match one.mnemonic() {
        Fxsave | Fxsave64 | Fxrstor | Fxrstor64 | Cmpxchg16b => Some(16),
        Vmovapd | Vmovaps | Vmovdqa | Vmovdqa32 | Vmovdqa64 | Vmovntdq | Vmovntdqa | Vmovntpd
        | Vmovntps => Some(bytes),
        Movups | Movupd | Movdqu | Lddqu | Pcmpestri | Pcmpestrm | Pcmpistri | Pcmpistrm => None,
        _ => (one.encoding() == EncodingKind::Legacy && bytes == 16).then_some(16),
    }
}

/// A register as the fault found it; segments begin at 0, but for those whose base nobody has recorded.
fn value_of(register: Register, fault: &RawFault) -> Option<u64> {
    match register {
        Register::ES | Register::CS | Register::SS | Register::DS => Some(0),
        _ if register.is_gpr() => {
            let whole = fault.registers[register.full_register().number()];
            match register.size() {
                8 => Some(whole),
                4 => Some(whole & 0xffff_ffff),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_section(image: &Image, address: u64) -> bool {
    let owner = image.owner(address).map(|piece| &piece.owner);
    matches!(owner, Some(Owner::Section(_)))
}

/// The instruction that faulted. A trap reports the address behind it (Intel SDM vol. 3, 6.5), and
/// so does a filter; `syscall` and `int 0x80` are two bytes each.
fn culprit(image: &Image, program: &Program, fault: &RawFault) -> Option<u64> {
    const OVERFLOW: u64 = 4;
    let before = fault.ip.wrapping_sub(1);
    Some(match fault.signal {
        libc::SIGSYS => fault.ip.wrapping_sub(2),
        libc::SIGSEGV if fault.exception == OVERFLOW => {
            image.instruction_start(program, before).unwrap_or(before)
        }
        _ => fault.ip,
    })
}

/// What a fault about memory did beside touching an address.
fn cause(image: &Image, fault: &RawFault) -> Cause {
    let code = image.site.code..image.site.code + image.code.len() as u64;
    if fault.is_write() && code.contains(&fault.address) {
        Cause::CodeWritten
    } else if fault.is_fetch() && image.data_addresses.contains(&fault.address) {
        Cause::DataRun
    } else if fault.is_fetch() && fault.address == fault.ip {
        Cause::Nowhere
    } else {
        Cause::Plain
    }
}

/// The instruction behind a SIGTRAP, and which of its causes it is.
fn trapped(image: &Image, fault: &RawFault) -> (Option<u64>, Cause) {
    /// Exception 1, `#DB`.
    const DEBUG: u64 = 1;
    const TRAP_TRACE: i32 = 2;
    const ICEBP: u8 = 0xf1;
    const INT3: u8 = 0xcc;
    let byte = |address: u64| {
        let at = address.checked_sub(image.site.code)? as usize;
        image.code.get(at).copied()
    };
    let before = fault.ip.wrapping_sub(1);
    if fault.exception == DEBUG && fault.code == TRAP_TRACE {
        return (trap_flag_setter(image, fault.ip), Cause::TrapFlag);
    }
    if fault.exception == DEBUG {
        // Some hypervisors report the address of the instruction, and none the one behind it.
        let at = [before, fault.ip];
        let found = at.into_iter().find(|at| byte(*at) == Some(ICEBP));
        return (found, Cause::Icebp);
    }
    if image.owner(before).is_none() && byte(before) == Some(INT3) {
        return (None, Cause::Padding);
    }
    // `int 3` in two bytes is the same.
    let start = match byte(before) {
        Some(INT3) => before,
        _ => before.wrapping_sub(1),
    };
    (Some(start), Cause::Breakpoint)
}

/// The instruction in front of an address, of those of its section.
fn in_front(image: &Image, address: u64) -> Option<Instruction> {
    let piece = image.owner(address.checked_sub(1)?)?;
    let mut all = image.instructions(piece);
    all.find(|one| one.next_ip() == address)
}

/// The instruction that set the trap flag: the trap comes behind the one that follows it. Where that one has
/// jumped, the only one that could have.
fn trap_flag_setter(image: &Image, ip: u64) -> Option<u64> {
    let followed = in_front(image, ip).and_then(|one| in_front(image, one.ip()));
    let pops = |one: &Instruction| image.pops_flags(one.ip());
    if let Some(setter) = followed.filter(pops) {
        return Some(setter.ip());
    }
    let mut all = own_instructions(image).filter(pops);
    let only = all.next()?;
    all.next().is_none().then(|| only.ip())
}

/// What ran on into the padding that holds an address: the end of the function in front of it, where that does
/// not jump, or lacks bytes that it took from the padding.
fn fell_into_padding(image: &Image, address: u64) -> Option<u64> {
    let mut in_front = image.pieces.iter().rev();
    let piece = in_front.find(|piece| piece.addresses.end <= address)?;
    let last = image.instructions(piece).last()?;
    let end = piece.addresses.end;
    // What lacks bytes may have an `int3` of the padding as its own last byte.
    let is_unfinished = last.next_ip() > end && last.next_ip() <= address + 1;
    let goes_on = !matches!(
        last.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return
    );
    let runs_on = address == end && last.next_ip() == end && goes_on;
    let is_own = matches!(piece.owner, Owner::Section(_));
    (is_own && (runs_on || is_unfinished)).then(|| last.ip())
}

/// Where code went that faulted there: a breakpoint is reported by the address behind it.
fn target(fault: &RawFault) -> u64 {
    match fault.signal {
        libc::SIGTRAP => fault.ip.wrapping_sub(1),
        _ => fault.ip,
    }
}

/// How sure it is that an instruction led somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Led {
    Not,
    /// Nothing says where it goes.
    Perhaps,
    /// What it takes its target from holds this one.
    Surely,
    /// So does a call's, whose return address is on top of the stack: a return finds its target by chance in what
    /// others left below.
    Called,
}

/// The instructions that can have led to nowhere: all whose target is known to be the place that faulted; where
/// there are none, those whose target is not known.
fn leads_to(image: &Image, fault: &RawFault) -> (Led, Vec<u64>) {
    let led: Vec<(u64, Led)> = own_instructions(image)
        .map(|one| (one.ip(), leads(image, &one, fault)))
        .collect();
    let most = led.iter().map(|(_, led)| *led).max().unwrap_or(Led::Not);
    let best = led
        .iter()
        .filter(|(_, led)| *led == most && most > Led::Not);
    (most, best.map(|(address, _)| *address).collect())
}

/// The only instruction that led to an address in the middle of another.
fn into_the_middle(
    image: &Image,
    program: &Program,
    address: u64,
    fault: &RawFault,
) -> Option<u64> {
    if is_boundary(image, program, address) {
        return None;
    }
    match leads_to(image, fault) {
        (Led::Surely | Led::Called, led) if led.len() == 1 => led.first().copied(),
        _ => None,
    }
}

/// Whether an instruction begins at an address, as its line is read; outside the template's code everywhere.
fn is_boundary(image: &Image, program: &Program, address: u64) -> bool {
    let Some(mut at) = image.instruction_start(program, address) else {
        return true;
    };
    while at < address {
        at += image.instruction(at).len().max(1) as u64;
    }
    at == address
}

fn leads(image: &Image, one: &Instruction, fault: &RawFault) -> Led {
    let target = target(fault);
    let surely = |is_it: bool| if is_it { Led::Surely } else { Led::Not };
    // A call leaves its return address on the stack.
    let is_at_work = |one: &Instruction| fault.top_of_stack == one.next_ip();
    match one.flow_control() {
        FlowControl::Return => {
            // The words below `rsp` are still there: the handler has a stack of its own.
            let dropped = one.try_immediate(0).unwrap_or(0) / 8;
            let word = fault.below.get(dropped as usize);
            word.map_or(Led::Perhaps, |word| surely(*word == target))
        }
        FlowControl::Call => surely(one.near_branch_target() == target && is_at_work(one)),
        FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
            surely(one.near_branch_target() == target)
        }
        FlowControl::IndirectCall if !is_at_work(one) => Led::Not,
        FlowControl::IndirectCall | FlowControl::IndirectBranch => match one.op0_kind() {
            OpKind::Register if value_of(one.op0_register(), fault) != Some(target) => Led::Not,
            OpKind::Register if one.flow_control() == FlowControl::IndirectCall => Led::Called,
            OpKind::Register => Led::Surely,
            _ => leads_through_memory(image, one, (target, fault)),
        },
        _ => Led::Not,
    }
}

/// Whether the word that a jump or a call goes through holds the target.
fn leads_through_memory(
    image: &Image,
    one: &Instruction,
    (target, fault): (u64, &RawFault),
) -> Led {
    const RSP: usize = 4;
    let mut before = *fault;
    if one.flow_control() == FlowControl::IndirectCall {
        before.registers[RSP] = before.registers[RSP].wrapping_add(8);
    }
    let address = one.virtual_address(0, 0, |register, _, _| value_of(register, &before));
    let Some(address) = address else {
        return Led::Perhaps;
    };
    let in_code = address
        .checked_sub(image.site.code)
        .and_then(|at| image.code.get(at as usize..)?.first_chunk());
    match in_code {
        Some(word) if u64::from_le_bytes(*word) == target => Led::Surely,
        _ if fault.holders.contains(&address) => Led::Surely,
        // Not all that hold the target may be known.
        _ => Led::Perhaps,
    }
}

/// The last instruction of body or setup, where it lacks bytes.
fn unfinished(image: &Image, program: &Program) -> Option<u64> {
    let ends = [image.setup.end, image.body.end];
    let is_code = |piece: &&Piece| ends.contains(&piece.addresses.end);
    let mut pieces = image.pieces.iter().filter(is_code);
    pieces.find_map(|piece| {
        let last = image.instruction_start(program, piece.addresses.end - 1)?;
        let mut at = last;
        while at < piece.addresses.end {
            if image.is_unfinished(at) {
                return Some(at);
            }
            at += image.instruction(at).len().max(1) as u64;
        }
        None
    })
}

/// The address that was touched, where the CPU says it: a general protection fault (non-canonical
/// address, privileged instruction) and an alignment check report none, and the others are not about memory.
fn memory_address(fault: &RawFault) -> Option<u64> {
    const SI_KERNEL: i32 = 128;
    const BUS_ADRALN: i32 = 1;
    let is_said = match fault.signal {
        libc::SIGSEGV => fault.code != SI_KERNEL,
        libc::SIGBUS => fault.code != SI_KERNEL && fault.code != BUS_ADRALN,
        _ => false,
    };
    is_said.then_some(fault.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(signal: i32, code: i32, sender: i32) -> RawFault {
        RawFault {
            signal,
            code,
            address: 0,
            ip: 0,
            previous_ip: 0,
            registers: [0; 16],
            call: 0,
            architecture: 0,
            top_of_stack: 0,
            steps: 0,
            exception: 0,
            error: 0,
            sender,
            flags: 0,
            guard: 0,
            below: [0; 8],
            holders: [0; 8],
        }
    }

    #[test]
    fn what_a_process_sent_is_told_from_what_an_instruction_raised() {
        const SI_KERNEL: i32 = 128;
        const SI_QUEUE: i32 = -1;
        const SI_TKILL: i32 = -6;
        let own = std::process::id() as i32;
        let sent = |code| match ended_by(&fault(libc::SIGSEGV, code, own)) {
            Some(Outside::Signal { sender, name, .. }) => sender == Some(own) && name.is_some(),
            _ => false,
        };
        assert_eq!([0, SI_QUEUE, SI_TKILL].map(sent), [true; 3]);
        for raised in [1, 2, SI_KERNEL] {
            assert_eq!(
                ended_by(&fault(libc::SIGSEGV, raised, own)),
                None,
                "{raised}"
            );
        }
        // From another namespace of processes, or of none.
        let unknown = ended_by(&fault(libc::SIGTRAP, 0, 0));
        assert!(matches!(
            unknown,
            Some(Outside::Signal { sender: None, .. })
        ));
        let limit = ended_by(&fault(libc::SIGXCPU, SI_KERNEL, 0));
        assert!(matches!(limit, Some(Outside::Processor { .. })));
    }

    #[test]
    fn an_end_that_nothing_recorded_is_anothers_unless_faults_end_so() {
        let unseen = |signal, kills| ended_unseen(signal, kills, Duration::ZERO);
        let is_signal = |how: Option<Outside>| matches!(how, Some(Outside::Signal { .. }));
        let killed = unseen(libc::SIGKILL, [Some(3), Some(4)]);
        assert!(matches!(killed, Some(Outside::Memory { .. })));
        assert!(is_signal(unseen(libc::SIGKILL, [Some(3), Some(3)])));
        assert!(is_signal(unseen(libc::SIGKILL, [None, Some(3)])));
        assert!(is_signal(unseen(libc::SIGUSR1, [Some(3), Some(4)])));
        assert_eq!(unseen(libc::SIGSEGV, [Some(3), Some(4)]), None);
    }
}
