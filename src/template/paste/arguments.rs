//! What a pasted function is called with: what the command line says, and for the rest what is assumed.
//!
//! Correct means: a register that nobody named holds what every run gives it, and each of them is said.

use std::fmt::Write as _;

use super::Assumed;

/// Registers that carry arguments in the conventions of System V and of Windows.
#[rustfmt::skip] // a table
const ASSUMED: [(&str, &str, Value); 6] = [
    ("rdi", "edi", Value::Object), ("rcx", "ecx", Value::Object), ("rsi", "esi", Value::Number(1)),
    ("rdx", "edx", Value::Number(1)), ("r8", "r8d", Value::Number(1)), ("r9", "r9d", Value::Number(1)),
];

/// Registers that may be given a value beside these.
#[rustfmt::skip] // a table
const FURTHER: [(&str, &str); 9] = [
    ("rax", "eax"), ("rbx", "ebx"), ("rbp", "ebp"), ("r10", "r10d"), ("r11", "r11d"), ("r12", "r12d"), ("r13", "r13d"),
    ("r14", "r14d"), ("r15", "r15d"),
];

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// The address of the object that is assumed.
    Object,
    /// The address of its table of functions, for an object that holds functions itself.
    Table,
    Number(i128),
}

/// A register, what it holds, and whether the command line says so.
struct Argument {
    wide: &'static str,
    narrow: &'static str,
    value: Value,
    is_given: bool,
}

/// All registers that hold something.
pub(super) struct Arguments(Vec<Argument>);

impl Arguments {
    /// What `--arg` says, and what is assumed beside.
    ///
    /// # Errors
    /// What is no register or no value, and what to write.
    pub(super) fn new(given: &[(String, String)]) -> Result<Arguments, (String, String)> {
        let assumed = ASSUMED.iter().map(|&(wide, narrow, value)| Argument {
            wide,
            narrow,
            value,
            is_given: false,
        });
        let mut all: Vec<Argument> = assumed.collect();
        for (name, value) in given {
            let refuse = |why: &str| {
                (
                    format!("`--arg {name}={value}`: {why}"),
                    "write --arg rsi=5, --arg rsi=-0x10, for the address of an object --arg rsi=object, and for that of a table of functions --arg rsi=table".to_string(),
                )
            };
            let register = name.to_ascii_lowercase();
            let known = ASSUMED.iter().map(|&(wide, narrow, _)| (wide, narrow));
            let mut known = known.chain(FURTHER);
            let (wide, narrow) = known
                .find(|&(wide, narrow)| wide == register || narrow == register)
                .ok_or_else(|| refuse("an argument is in a general register but `rsp`"))?;
            let value = match value.as_str() {
                "object" => Value::Object,
                "table" => Value::Table,
                value => number(value).map(Value::Number).ok_or_else(|| {
                    refuse("the value is a whole number of 64 bits, `object` or `table`")
                })?,
            };
            all.retain(|one| one.wide != wide);
            all.push(Argument {
                wide,
                narrow,
                value,
                is_given: true,
            });
        }
        Ok(Arguments(all))
    }

    /// The instructions that give the registers what they hold.
    pub(super) fn code(&self) -> String {
        let mut out = String::new();
        let mut object: Option<&str> = None;
        for one in &self.0 {
            let _ = match (one.value, object) {
                (Value::Object, None) => {
                    object = Some(one.wide);
                    writeln!(out, "  lea {}, [\"listing.object\"]", one.wide)
                }
                (Value::Object, Some(first)) => writeln!(out, "  mov {}, {first}", one.wide),
                (Value::Table, _) => writeln!(out, "  lea {}, [\"listing.table\"]", one.wide),
                (Value::Number(value), _) if u32::try_from(value).is_ok() => {
                    writeln!(out, "  mov {}, {value}", one.narrow)
                }
                (Value::Number(value), _) => writeln!(out, "  mov {}, {value}", one.wide),
            };
        }
        out
    }

    /// What was assumed, in a sentence; none where all are given.
    pub(super) fn sentence(&self) -> Option<String> {
        let names = |value: Value, is_wide: bool| {
            let those = self
                .0
                .iter()
                .filter(|one| !one.is_given && one.value == value);
            let name = |one: &Argument| if is_wide { one.wide } else { one.narrow };
            those.map(name).collect::<Vec<&str>>()
        };
        let mut said = Vec::new();
        let holds = |names: &[&str]| if names.len() == 1 { "holds" } else { "hold" };
        let objects = names(Value::Object, true);
        if !objects.is_empty() {
            said.push(format!(
                "{} {} the address of an object, each word of which points to a table of functions that return 1",
                listed(&objects),
                holds(&objects)
            ));
        }
        let ones = names(Value::Number(1), false);
        if !ones.is_empty() {
            said.push(format!("{} {} 1", listed(&ones), holds(&ones)));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// The registers whose value is assumed, for what is said where that was wrong.
    pub(super) fn assumed(&self) -> Vec<Assumed> {
        let those = self.0.iter().filter(|one| !one.is_given);
        those
            .map(|one| Assumed {
                register: one.wide,
                number: match one.value {
                    Value::Object | Value::Table => None,
                    Value::Number(value) => u64::try_from(value).ok(),
                },
            })
            .collect()
    }
}

fn number(text: &str) -> Option<i128> {
    let (digits, sign) = match text.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (text, 1),
    };
    let value = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = i128::from(value.ok()?) * sign;
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&value)
        .then_some(value)
}

fn listed(names: &[&str]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(given: &[(&str, &str)]) -> Result<Arguments, (String, String)> {
        let given: Vec<(String, String)> = given
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        Arguments::new(&given)
    }

    #[test]
    fn what_is_given_is_assumed_no_more() {
        let all = arguments(&[("esi", "-2"), ("rdi", "7"), ("r12", "object")]);
        let all = all.unwrap_or_else(|(why, _)| panic!("{why}"));
        assert_eq!(
            all.code(),
            "  lea rcx, [\"listing.object\"]\n  mov edx, 1\n  mov r8d, 1\n  mov r9d, 1\n  mov rsi, -2\n  mov edi, 7\n  mov r12, rcx\n"
        );
        let said = all.sentence().unwrap_or_default();
        assert!(said.starts_with("rcx holds the address"), "{said}");
        assert!(said.ends_with("; edx, r8d and r9d hold 1"), "{said}");
        let registers: Vec<&str> = all.assumed().iter().map(|one| one.register).collect();
        assert_eq!(registers, ["rcx", "rdx", "r8", "r9"]);
    }

    #[test]
    fn what_is_no_register_or_no_number_is_refused() {
        for (name, value, why) in [
            ("rsp", "0", "general register"),
            ("xmm0", "1", "general register"),
            ("AX", "1", "general register"),
            ("rsi", "1.5", "whole number"),
            ("rsi", "", "whole number"),
            ("rsi", "0x10000000000000000", "whole number"),
        ] {
            let refused = arguments(&[(name, value)]).err().map(|(why, _)| why);
            assert!(
                refused.as_ref().is_some_and(|said| said.contains(why)),
                "{name}={value}: {refused:?}"
            );
        }
        for value in [
            "18446744073709551615",
            "-9223372036854775808",
            "0xffffffffffffffff",
        ] {
            assert!(arguments(&[("rsi", value)]).is_ok(), "{value}");
        }
    }
}
