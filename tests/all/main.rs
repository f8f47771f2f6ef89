//! What crosses modules, and what the binary does: one program, because each one links all of dispatchlab.
//!
//! Correct means: a test holds beside any other and on a machine that is busy. What a test changes about a
//! process, it changes in one that it starts; what it changes about a thread, in its own; its files are in a
//! folder of its own ([`common::folder`]).

mod ablate;
mod advice;
mod ahead;
mod asm_bytes;
mod asm_command;
mod asm_errors;
mod asm_gnu;
mod asm_go;
mod asm_labels;
mod asm_nasm;
mod asm_oracles;
mod asm_panics;
mod asm_pasted;
mod book;
mod book_conversions;
mod book_prose;
mod bounds;
mod buffers;
mod cli;
mod cold;
mod common;
mod compare;
mod contamination;
mod counters;
mod counts;
mod docs;
mod documents;
mod edges;
mod ends;
mod exact;
mod exported;
mod faults;
mod fence;
mod fleet;
mod further;
mod fuzz;
mod fuzz_job;
mod go_binary;
mod go_frames;
mod go_incomplete;
mod go_listing;
mod go_programs;
mod go_random;
mod go_releases;
mod ideas;
mod imports;
mod inputs;
mod interpreter;
mod itabs;
mod jobs;
mod large_programs;
mod linking;
mod misses;
mod modelled;
mod modelled_runtime;
mod new_kinds;
mod orderings;
mod originals;
mod outputs;
mod overlay;
mod package;
mod page_browser;
mod paste;
mod placed;
mod pmu;
mod printing;
mod programs;
mod scripts;
mod self_proof;
#[cfg(feature = "web")]
mod serve;
#[cfg(feature = "web")]
mod serve_asked;
#[cfg(feature = "web")]
mod serve_browser;
mod serve_built;
mod shipped_templates;
mod small_machines;
mod statuses;
mod step;
mod step_stack;
mod suites;
mod sweep;
mod template_expansion;
mod template_headers;
mod template_includes;
mod template_parts;
mod traces;
mod truth;
mod watch;
mod watch_view;
mod widths;
