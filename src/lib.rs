//! What does this call cost on this CPU, and what would other machine code for it cost?
//!
//! dispatchlab reads an assembly template, assembles it at run time, links it with a model of Go's
//! runtime data, runs it in a tight loop in a worker process, and reports cycles, instructions,
//! branches and branch misses per call, each with the word for how it was obtained.
//!
//! The modules below stand in the order of the flow:
//!
//! ```text
//!  asm_templates/*.asm
//!         │ parse                                                   template
//!      Template ──bind parameters──▶ Scenario                       scenario
//!         │ assemble                    │ lay out
//!      Program (bytes, labels, fixups)  Heap (iface, itab, type)    asm, go
//!         └──────────┬──────────────────┘
//!           Job ═════╪═════════ process boundary: plain data ════   job
//!                    │ link with the harness at a base address      link
//!                  Image ──map, verify, enter──▶ Reading            worker, counter, sys
//!           Outcome ═╪═══════════════════════════════════════════
//!                  Samples ──summarize──▶ Summary                   stats
//!                    │ + Provenance
//!                  Report ──render──▶ text, json, csv, markdown     report
//! ```
//!
//! Everything above and below the process boundary is pure: no clock, file, thread or address
//! space. All `unsafe` is in [`sys`].

pub mod asm;
pub mod branch;
pub mod cmd;
pub mod compare;
pub mod counter;
pub mod fingerprint;
pub mod go;
pub mod injection;
pub mod interpreter;
pub mod job;
pub mod link;
pub mod machine;
pub mod pipeline;
pub mod predict;
pub mod prepare;
pub mod report;
pub mod scenario;
pub mod stage;
pub mod stats;
pub mod steps;
pub mod sweep;
pub mod sys;
pub mod template;
pub mod text;
pub mod verdict;
pub mod worker;

/// Here and not in `main`, so that tests and benches run with it as well.
#[global_allocator]
static MEMORY: sys::memory::Ending = sys::memory::Ending;
