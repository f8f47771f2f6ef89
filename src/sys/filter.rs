//! The system-call filter of a process that runs code it did not write.
//!
//! Correct means: no system call from an instruction in the window is ever carried out, whatever
//! its number and entry (`syscall`, `int 0x80`); elsewhere only those of the list are, with the
//! arguments it names. A call that is not carried out raises SIGSYS, so that the handler can say
//! which one it was.
//!
//! The program is classic BPF over `struct seccomp_data` (seccomp(2)): number at 0, architecture
//! at 4, the address behind the instruction at 8, six arguments from 16 on, little-endian.

use std::io;

use libc::sock_filter;

/// A system call that is allowed from outside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Number on x86-64.
    pub number: i64,
    /// What its low 32 bits of an argument must be.
    pub only: Option<Only>,
}

/// A condition on an argument: `argument & mask == value`, of the low 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Only {
    /// Index of the argument, from 0.
    pub argument: u32,
    /// Bits that matter.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
}

impl Allowed {
    const fn any(number: i64) -> Allowed {
        Allowed { number, only: None }
    }

    const fn only(number: i64, argument: u32, mask: u32, value: u32) -> Allowed {
        Allowed {
            number,
            only: Some(Only {
                argument,
                mask,
                value,
            }),
        }
    }
}

const EXECUTE: u32 = libc::PROT_EXEC as u32;
const SET_GS: u32 = 0x1001;
/// The magic byte of perf's ioctls, `_IO('$', n)`.
const PERF_IOCTL: u32 = 0x2400;

/// `RUSAGE_THREAD` of sys/resource.h: what this thread used, and how often it left its CPU.
const THREAD: u32 = libc::RUSAGE_THREAD as u32;

/// What Rust's runtime and the reading of counters need once no more code is made: messages,
/// memory that cannot be executed, the way back from signal handlers.
#[rustfmt::skip] // a table: one rule a line
const LIST: [Allowed; 18] = [
    Allowed::only(libc::SYS_write,    0, u32::MAX, 1),
    Allowed::only(libc::SYS_write,    0, u32::MAX, 2),
    Allowed::any(libc::SYS_read),
    Allowed::any(libc::SYS_pread64),
    Allowed::only(libc::SYS_getrusage, 0, u32::MAX, THREAD),
    Allowed::only(libc::SYS_ioctl,    1, 0xff00, PERF_IOCTL),
    Allowed::any(libc::SYS_rt_sigreturn),
    Allowed::only(libc::SYS_mmap,     2, EXECUTE, 0),
    Allowed::only(libc::SYS_mprotect, 2, EXECUTE, 0),
    Allowed::any(libc::SYS_munmap),
    Allowed::any(libc::SYS_mremap),
    Allowed::any(libc::SYS_madvise),
    Allowed::any(libc::SYS_brk),
    Allowed::any(libc::SYS_close),
    Allowed::any(libc::SYS_clock_gettime),
    Allowed::any(libc::SYS_futex),
    Allowed::any(libc::SYS_sigaltstack),
    Allowed::only(libc::SYS_arch_prctl, 0, u32::MAX, SET_GS),
];

/// `AUDIT_ARCH_X86_64` of linux/audit.h.
pub const ARCH_X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386`: what `int 0x80` enters as, in a 64-bit process too.
pub const ARCH_I386: u32 = 0x4000_0003;

const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const IP_HIGH: u32 = 12;
const ARGUMENTS: u32 = 16;
/// Numbers of the x32 ABI begin here.
const X32: u32 = 0x4000_0000;

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn answer(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0)
}

/// Goes on with the next instruction where equal, else skips `otherwise` more.
fn unless_equal(value: u32, otherwise: u8) -> sock_filter {
    instruction(
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        value,
        0,
        otherwise,
    )
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// The filter for a window of 4 GiB whose addresses have `window_high` above bit 31.
///
/// The address that the kernel reports lies behind the instruction, so the last page of the window
/// must hold no code. A process may end with `exit_group(exit_status)` only.
pub fn program(window_high: u32, exit_status: u32) -> Vec<sock_filter> {
    let mut program = vec![
        load(ARCHITECTURE),
        unless_equal(ARCH_X86_64, 4),
        load(IP_HIGH),
        instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            window_high,
            2,
            0,
        ),
        load(NUMBER),
        // Skips the answer below where the number is one of the 64-bit ABI.
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32, 0, 1),
        answer(libc::SECCOMP_RET_TRAP),
    ];
    let exit = Allowed::only(libc::SYS_exit_group, 0, u32::MAX, exit_status);
    for rule in LIST.iter().chain([&exit]) {
        program.push(load(NUMBER));
        match rule.only {
            None => program.push(unless_equal(rule.number as u32, 1)),
            Some(only) => program.extend([
                unless_equal(rule.number as u32, 4),
                load(ARGUMENTS + 8 * only.argument),
                instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, only.mask, 0, 0),
                unless_equal(only.value, 1),
            ]),
        }
        program.push(answer(libc::SECCOMP_RET_ALLOW));
    }
    program.push(answer(libc::SECCOMP_RET_TRAP));
    program
}

/// Installs a filter for this thread and all it starts; it cannot be taken off again.
///
/// The mitigation of speculative store bypass stays as it is: on kernels before 5.16 a filter would
/// switch it on and slow down what is measured.
///
/// # Errors
/// What the kernel says: EINVAL or ENOSYS where it has no filters.
pub fn install(program: &[sock_filter]) -> io::Result<()> {
    const SET_MODE_FILTER: u64 = 1;
    const SPEC_ALLOW: u64 = 1 << 2;
    nix::sys::prctl::set_no_new_privs()?;
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies `len` instructions from the slice during the call and checks them;
    // it writes nothing.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, SPEC_ALLOW, &program) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u32 = 0x7f3a;
    const STATUS: u32 = 0x1234_5678;

    /// What a system call looks like to the filter.
    #[derive(Clone, Copy)]
    struct Call {
        number: u32,
        architecture: u32,
        ip: u64,
        arguments: [u64; 6],
    }

    /// From the C library, say.
    fn outside(number: i64, arguments: &[u64]) -> Call {
        let mut six = [0; 6];
        six[..arguments.len()].copy_from_slice(arguments);
        Call {
            number: number as u32,
            architecture: ARCH_X86_64,
            ip: 0x7fff_0000_1000,
            arguments: six,
        }
    }

    /// Interprets the program, one instruction after another, as bpf(2) describes classic BPF.
    fn judge(call: Call) -> bool {
        let word = |offset: u32| match offset {
            NUMBER => call.number,
            ARCHITECTURE => call.architecture,
            8 => call.ip as u32,
            IP_HIGH => (call.ip >> 32) as u32,
            _ => {
                let at = offset - ARGUMENTS;
                (call.arguments[at as usize / 8] >> (8 * (at % 8))) as u32
            }
        };
        let program = program(WINDOW, STATUS);
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let one = program[at];
            at += 1;
            let code = u32::from(one.code);
            if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                accumulator = word(one.k);
            } else if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K {
                accumulator &= one.k;
            } else if code == libc::BPF_RET | libc::BPF_K {
                return one.k == libc::SECCOMP_RET_ALLOW;
            } else {
                let holds = if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K {
                    accumulator == one.k
                } else {
                    assert_eq!(code, libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K);
                    accumulator >= one.k
                };
                at += usize::from(if holds { one.jt } else { one.jf });
            }
        }
    }

    #[test]
    fn nothing_that_the_window_calls_is_allowed() {
        let first = u64::from(WINDOW) << 32;
        for number in (0..600).chain([0x4000_0000, 0x4000_0001, u32::MAX]) {
            for ip in [first, first + 2, first + 0xffff_ffff] {
                for argument in [0, 1, 2, u64::from(STATUS), u64::from(SET_GS)] {
                    let call = Call {
                        number,
                        architecture: ARCH_X86_64,
                        ip,
                        arguments: [argument; 6],
                    };
                    assert!(!judge(call), "{number} at {ip:#x}");
                    let outside_32 = Call {
                        architecture: ARCH_I386,
                        ip: 0x40_0000,
                        ..call
                    };
                    assert!(!judge(outside_32), "32-bit call {number}");
                }
            }
        }
    }

    #[test]
    fn elsewhere_exactly_the_list_is_allowed() {
        #[rustfmt::skip] // a table: one call a line
        let calls = [
            (outside(libc::SYS_write, &[1]), true),
            (outside(libc::SYS_write, &[2]), true),
            (outside(libc::SYS_write, &[3]), false),
            (outside(libc::SYS_read, &[5]), true),
            (outside(libc::SYS_pread64, &[5]), true),
            (outside(libc::SYS_getrusage, &[1]), true),
            (outside(libc::SYS_getrusage, &[0]), false),
            (outside(libc::SYS_ioctl, &[5, 0x2400]), true),
            (outside(libc::SYS_ioctl, &[5, 0x2403]), true),
            (outside(libc::SYS_ioctl, &[0, 0x5412]), false),
            (outside(libc::SYS_mmap, &[0, 4096, 3]), true),
            (outside(libc::SYS_mmap, &[0, 4096, 7]), false),
            (outside(libc::SYS_mprotect, &[0, 4096, 5]), false),
            (outside(libc::SYS_mprotect, &[0, 4096, 1]), true),
            (outside(libc::SYS_arch_prctl, &[0x1001, 9]), true),
            (outside(libc::SYS_arch_prctl, &[0x1002, 9]), false),
            (outside(libc::SYS_exit_group, &[u64::from(STATUS)]), true),
            (outside(libc::SYS_exit_group, &[0]), false),
            (outside(libc::SYS_exit_group, &[u64::from(STATUS) + 1]), false),
            (outside(libc::SYS_exit, &[u64::from(STATUS)]), false),
            (outside(libc::SYS_rt_sigreturn, &[]), true),
            (outside(libc::SYS_fork, &[]), false),
            (outside(libc::SYS_clone, &[]), false),
            (outside(libc::SYS_execve, &[]), false),
            (outside(libc::SYS_openat, &[]), false),
            (outside(libc::SYS_kill, &[]), false),
            (outside(libc::SYS_rt_sigaction, &[]), false),
            (outside(libc::SYS_getpid, &[]), false),
            (Call { number: X32 | libc::SYS_write as u32, ..outside(0, &[1]) }, false),
        ];
        for (call, allowed) in calls {
            assert_eq!(
                judge(call),
                allowed,
                "{} {:x?}",
                call.number,
                call.arguments
            );
        }
    }
}
