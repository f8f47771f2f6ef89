//! `serve`: a local page with an editor whose numbers follow.
//!
//! Correct means: the address is printed before anything slow is done, nothing is opened, and a signal ends it and leaves
//! no process.

use std::io::Error;
use std::thread;

use desk::Desk;

use super::{Common, Stop, check_output, print_plain};
use crate::sys::interrupt;
use crate::web::{Bench, Door, listen, serve as serve_on};

mod desk;

/// Bytes of the stack on which texts are read, as of the main one.
const STACK: usize = 8 << 20;

pub(super) fn serve(common: &Common, port: Option<u16>) -> Result<i32, Stop> {
    check_output()?;
    interrupt::watch();
    let listener = listen(port.unwrap_or(0)).map_err(|error| {
        let port = port.unwrap_or_default();
        Stop::Usage(format!(
            "`--port {port}`: {error}; take another one, or leave --port out for one that is free"
        ))
    })?;
    let door = Door::new(listener.local_addr()?.port())?;
    print_plain(&format!("{}\n", door.address()))?;
    let mut desk = Desk::new(common)?;
    let (bench, work) = Bench::new(Box::new(move |wanted, beside| desk.answer(wanted, beside)));
    thread::scope(|scope| -> Result<(), Error> {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)?;
        // It goes before the thread does, which waits for its last customer.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(serve_on(listener, door, bench, || {
            interrupt::seen().is_some()
        }))
    })?;
    Ok(interrupt::seen().map_or(0, |signal| 128 + signal))
}
