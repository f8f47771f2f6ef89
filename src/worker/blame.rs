//! Whose doing the end of a worker was: an instruction of the template, or somebody outside.
//!
//! Correct means: the instruction that is named is the one that did it, or none is; and what another process
//! or the kernel did to the worker is no fault of the template.

use std::fs;

use iced_x86::{FlowControl, Instruction, OpKind};

use crate::asm::Program;
use crate::job::{Cause, Outside, Place};
use crate::link::{Image, Owner, Piece};
use crate::sys::shared::RawFault;

/// What a fault comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blamed {
    /// The instruction.
    pub(super) place: Place,
    /// What it did.
    pub(super) cause: Cause,
}

/// Who ended a worker that recorded a signal, where that was no instruction.
pub(super) fn ended_by(fault: &RawFault) -> Option<Outside> {
    if fault.signal == libc::SIGXCPU {
        return Some(Outside::Processor);
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

/// The same of one that had no time to record anything. Faults of generated code are recorded; one that is
/// not is the template's all the same, for it has overwritten what records.
/// `kills` are the processes that the kernel had ended for want of memory when the worker began, and has now.
pub(super) fn ended_unseen(signal: i32, kills: [Option<u64>; 2]) -> Option<Outside> {
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
    let [before, now] = kills;
    let is_more = before.zip(now).is_some_and(|(before, now)| now > before);
    let is_for_memory = signal == libc::SIGKILL && is_more;
    Some(match is_for_memory {
        true => Outside::Memory,
        false => Outside::Signal {
            signal,
            sender: None,
            name: None,
        },
    })
}

/// How many processes the kernel has ended for want of memory since the machine started.
pub(super) fn kills_for_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/vmstat").ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}

/// What a process runs.
fn name(process: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_string())
}

/// The instruction that a fault is to be blamed on, and what it did.
pub(super) fn find(image: &Image, program: &Program, fault: &RawFault) -> (Option<u64>, Cause) {
    let (culprit, cause) = match fault.signal {
        libc::SIGTRAP => trapped(image, fault),
        _ => (culprit(image, program, fault), cause(image, fault)),
    };
    let inside = |address: u64| image.owner(address).map(|_| address);
    let found = culprit.and_then(inside);
    let found = found
        .or_else(|| inside(fault.previous_ip))
        .or_else(|| leads_to(image, fault));
    let is_own = found.is_some_and(|address| is_section(image, address));
    match found {
        Some(address) if cause == Cause::Plain && image.is_unfinished(address) => {
            (found, Cause::Unfinished)
        }
        // It went on in the middle of the harness's instructions.
        _ if !is_own && let Some(last) = unfinished(image, program) => {
            (Some(last), Cause::Unfinished)
        }
        _ => (found, cause),
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
        let stepped = Some(fault.previous_ip).filter(|ip| image.owner(*ip).is_some());
        let led = stepped.or_else(|| into_padding(image, before));
        return (led, Cause::Padding);
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
    let own = image.pieces.iter();
    let own = own.filter(|piece| matches!(piece.owner, Owner::Section(_)));
    let mut all = own.flat_map(|piece| image.instructions(piece)).filter(pops);
    let only = all.next()?;
    all.next().is_none().then(|| only.ip())
}

/// What led into the padding at an address: the end of the function in front of it, where that does not jump.
fn into_padding(image: &Image, address: u64) -> Option<u64> {
    let last = in_front(image, address)?;
    let goes_on = !matches!(
        last.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return
    );
    goes_on.then(|| last.ip())
}

/// The jump or `call` through a register that led to nowhere: the register must hold the address that
/// faulted. Of a call the return address says where it stands; of several jumps nothing does.
fn leads_to(image: &Image, fault: &RawFault) -> Option<u64> {
    let target = match fault.signal {
        libc::SIGTRAP => fault.ip.wrapping_sub(1),
        _ => fault.ip,
    };
    let holds_it = |one: &Instruction| {
        one.op0_kind() == OpKind::Register
            && one.op0_register().is_gpr64()
            && fault.registers[one.op0_register().number()] == target
    };
    let is_call = |one: &Instruction| one.flow_control() == FlowControl::IndirectCall;
    let call = in_front(image, fault.top_of_stack);
    if let Some(call) = call.filter(|one| is_call(one) && holds_it(one)) {
        return Some(call.ip());
    }
    let own = image.pieces.iter();
    let own = own.filter(|piece| matches!(piece.owner, Owner::Section(_)));
    let is_jump = |one: &Instruction| one.flow_control() == FlowControl::IndirectBranch;
    let mut jumps = own
        .flat_map(|piece| image.instructions(piece))
        .filter(|one| is_jump(one) && holds_it(one));
    let only = jumps.next()?;
    jumps.next().is_none().then(|| only.ip())
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
/// address, privileged instruction) reports none, and the others are not about memory.
pub(super) fn memory_address(fault: &RawFault) -> Option<u64> {
    const SI_KERNEL: i32 = 128;
    let is_about_memory = matches!(fault.signal, libc::SIGSEGV | libc::SIGBUS);
    (is_about_memory && fault.code != SI_KERNEL).then_some(fault.address)
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
        assert_eq!(limit, Some(Outside::Processor));
    }

    #[test]
    fn an_end_that_nothing_recorded_is_anothers_unless_faults_end_so() {
        let unseen = |signal, kills| ended_unseen(signal, kills);
        let is_signal = |how: Option<Outside>| matches!(how, Some(Outside::Signal { .. }));
        assert_eq!(
            unseen(libc::SIGKILL, [Some(3), Some(4)]),
            Some(Outside::Memory)
        );
        assert!(is_signal(unseen(libc::SIGKILL, [Some(3), Some(3)])));
        assert!(is_signal(unseen(libc::SIGKILL, [None, Some(3)])));
        assert!(is_signal(unseen(libc::SIGUSR1, [Some(3), Some(4)])));
        assert_eq!(unseen(libc::SIGSEGV, [Some(3), Some(4)]), None);
    }
}
