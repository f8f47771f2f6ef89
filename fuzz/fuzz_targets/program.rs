#![no_main]

#[path = "../../tests/all/common/fuzz.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::program(bytes));
