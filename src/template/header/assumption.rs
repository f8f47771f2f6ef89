//! What a template's author did not know, and wrote all the same.
//!
//! Correct means: it is read as it is written, and says of a register what it holds.

use super::register::wide;
use crate::template::{Assumed, Assumption};

impl Assumption {
    /// Of `object`, `data`, `rsi = 1` or `rdi = object`.
    pub(super) fn parse(text: &str) -> Option<Assumption> {
        let Some((register, value)) = text.split_once('=') else {
            return match text.trim() {
                "object" => Some(Assumption::Object),
                "data" => Some(Assumption::Data),
                _ => None,
            };
        };
        let register = wide(register.trim())?;
        let number = match value.trim() {
            "object" => None,
            number => Some(number.parse().ok()?),
        };
        Some(Assumption::Register(Assumed { register, number }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumption_is_a_register_with_its_value_or_what_is_read() {
        let register = |register, number| Some(Assumption::Register(Assumed { register, number }));
        #[rustfmt::skip] // a table: a text, and what it says
        let table = [
            ("object",          Some(Assumption::Object)),
            ("data",            Some(Assumption::Data)),
            ("rsi = 1",         register("rsi", Some(1))),
            ("r11=0",           register("r11", Some(0))),
            ("rdi = object",    register("rdi", None)),
            ("esi = 1",         None),
            ("rsi = -1",        None),
            ("rsi",             None),
            ("",                None),
        ];
        for (text, expected) in table {
            assert_eq!(Assumption::parse(text), expected, "{text}");
        }
    }
}
