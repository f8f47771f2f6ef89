//! A stack of a size of our own, whatever `ulimit -s` leaves the first thread.
//!
//! Correct means: what runs there returns, or unwinds, as if it had been called where it was asked for.

use std::arch::asm;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use super::mapping::{PAGE, Writable};

/// What is called there, and what came of it.
struct Call<F, T> {
    work: ManuallyDrop<F>,
    answer: Option<thread::Result<T>>,
}

/// Calls `work` on a stack of so many bytes, behind a guard page, that stays mapped.
///
/// # Errors
/// Where there is no memory for it; then `work` was not called.
pub fn on_own<T, F: FnOnce() -> T>(bytes: usize, work: F) -> io::Result<T> {
    let stack = Writable::new(bytes + PAGE)?;
    // The page above it has zeros: who walks up the frames, for a backtrace, takes them for the last one's return address.
    let top = stack.addresses().end - PAGE as u64;
    let mut call = Call {
        work: ManuallyDrop::new(work),
        answer: None,
    };
    // SAFETY: the stack is mapped memory of ours that nobody else uses; its top is a multiple of a page, so the
    // stack pointer is aligned as the ABI wants it at a call; `r12` keeps the old one, which the callee preserves;
    // and `entry` does not unwind.
    unsafe {
        asm!(
            "mov r12, rsp",
            "mov rsp, rsi",
            "call {entry}",
            "mov rsp, r12",
            entry = sym entry::<T, F>,
            inout("rdi") &raw mut call => _,
            inout("rsi") top => _,
            out("r12") _,
            clobber_abi("sysv64"),
        );
    }
    match call.answer {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(panic)) => resume_unwind(panic),
        None => unreachable!("the call has returned"),
    }
}

extern "sysv64" fn entry<T, F: FnOnce() -> T>(call: *mut Call<F, T>) {
    // SAFETY: `on_own` passes its own value, to which it keeps no reference, and calls this once, so the work is
    // taken once.
    let call = unsafe { &mut *call };
    // SAFETY: as above: nothing takes it a second time.
    let work = unsafe { ManuallyDrop::take(&mut call.work) };
    call.answer = Some(catch_unwind(AssertUnwindSafe(work)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_there_has_its_answer_its_room_and_its_panic() {
        let deep = || {
            let room = std::hint::black_box([1u8; 3 << 20]);
            room.iter().map(|byte| u64::from(*byte)).sum::<u64>()
        };
        assert_eq!(on_own(4 << 20, deep).expect("there is memory"), 3 << 20);
        let text = String::from("moved");
        assert_eq!(
            on_own(1 << 16, move || text).expect("there is memory"),
            "moved"
        );
        let panicked = catch_unwind(|| on_own(1 << 18, || panic!("as called here")));
        assert_eq!(
            panicked.unwrap_err().downcast_ref::<&str>(),
            Some(&"as called here")
        );
    }
}
