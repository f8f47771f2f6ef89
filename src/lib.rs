//! What does this call cost on this CPU, and what would other machine code for it cost?
//!
//! dispatchlab reads an assembly template, assembles it at run time, links it with a model of Go's
//! runtime data, runs it in a tight loop in a worker process, and reports cycles, instructions,
//! branches and branch misses per call, each with the word for how it was obtained.
//!
//! The modules below stand in the order of the flow, and each imports only what stands above it:
//!
//! ```text
//!  asm_templates/*.asm
//!         │ parse                                                   template
//!      Template ──bind parameters──▶ Scenario                       scenario
//!         │ assemble                    │ lay out
//!      Program (bytes, labels, fixups)  Heap (iface, itab, type)    asm, go
//!         └──────────┬──────────────────┘
//!           Job ═════╪═════════ process boundary: plain data ════   job, prepare
//!                    │ link with the harness at a base address      link
//!                  Image ──map, verify, enter──▶ Reading            stage, counter, worker
//!           Outcome ═╪═══════════════════════════════════════════
//!                  Samples ──summarize──▶ Summary                   stats
//!                    │ + Provenance
//!                  Report ──render──▶ text, json, csv, markdown     verdict, report
//! ```
//!
//! Everything above and below the process boundary is pure: no clock, file, thread or address
//! space. All `unsafe` is in [`sys`].

// What all others stand on.
pub mod sys;
pub mod text;

pub mod stats;

// From text to an image.
pub mod asm;
pub mod formula;
pub mod go;

pub mod template;

pub mod scenario;

pub mod branch;
pub mod injection;
pub mod job;
pub mod link;

pub mod prepare;

// What an executable holds, and what of it runs here.
pub mod binary;
pub mod toolchain;
pub mod visits;

// The ways in which a site can choose.
pub mod advise;

// From an image to samples.
pub mod interpreter;
pub mod predict;
pub mod stage;

pub mod counter;
pub mod worker;

// From samples to a report.
pub mod report;

pub mod machine;
pub mod verdict;

pub mod axes;
pub mod compare;
pub mod fingerprint;
pub mod steps;

// The whole flow, and its commands.
pub mod pipeline;

pub mod live;
#[cfg(feature = "web")]
pub mod web;

pub mod cmd;

/// Here and not in `main`, so that tests and benches run with it as well.
#[global_allocator]
static MEMORY: sys::memory::Ending = sys::memory::Ending;
