//! The only unsafe code: mappings, entering generated code, signals, processes, time stamps.
//!
//! Correct means: every exported type is safe to use in any order its signature allows, every
//! unsafe block states the fact that makes it sound, and nothing here knows a noun of the project.
#![allow(
    unsafe_code,
    reason = "the crate keeps all of it here, behind safe types"
)]

pub mod breakpoint;
pub mod cores;
pub mod counter_page;
#[cfg(test)]
pub mod fake_kernel;
pub mod files;
pub mod filter;
pub mod first_writes;
pub mod interrupt;
pub mod limits;
pub mod mapping;
pub mod memory;
pub mod process;
pub mod saves;
pub mod shared;
pub mod signals;
pub mod stack;
pub mod time;
