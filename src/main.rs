//! The `dispatchlab` command.

use dispatchlab::sys::memory::Ending;

#[global_allocator]
static MEMORY: Ending = Ending;

fn main() -> std::process::ExitCode {
    dispatchlab::cmd::main()
}
