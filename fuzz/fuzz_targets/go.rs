#![no_main]

#[path = "../../tests/all/common/fuzz.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::go(text));
