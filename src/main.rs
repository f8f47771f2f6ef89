//! The `dispatchlab` command.

fn main() -> std::process::ExitCode {
    dispatchlab::cmd::main()
}
