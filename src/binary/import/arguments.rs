//! What imported code is called with: what the command line says, and for the rest what is assumed.
//!
//! Correct means: a register that nobody named holds what every import gives it, each of them is said, and a register
//! that code cannot have is refused.

use std::fmt::Write as _;

/// Registers of arguments, by Go's names and as Intel's: first those of Go, in order, then all others that may be given.
const REGISTERS: [(&str, &str, &str); 15] = [
    ("AX", "rax", "eax"),
    ("BX", "rbx", "ebx"),
    ("CX", "rcx", "ecx"),
    ("DI", "rdi", "edi"),
    ("SI", "rsi", "esi"),
    ("R8", "r8", "r8d"),
    ("R9", "r9", "r9d"),
    ("R10", "r10", "r10d"),
    ("R11", "r11", "r11d"),
    ("DX", "rdx", "edx"),
    ("BP", "rbp", "ebp"),
    ("R12", "r12", "r12d"),
    ("R13", "r13", "r13d"),
    ("R14", "r14", "r14d"),
    ("R15", "r15", "r15d"),
];
/// Those of them that carry Go's arguments.
const OF_GO: usize = 9;
/// Those that carry arguments of C, and what they hold where nobody says: as for a listing without a header.
#[rustfmt::skip] // a table
const OF_C: [(&str, Value); 6] = [
    ("rdi", Value::Object), ("rcx", Value::Object), ("rsi", Value::Number(1)), ("rdx", Value::Number(1)), ("r8", Value::Number(1)),
    ("r9", Value::Number(1)),
];

/// Who passes arguments where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Convention {
    /// Go's registers, from this one on; those before it have the receiver.
    Go {
        first: usize,
    },
    /// Go up to 1.16.
    Stack,
    C,
}

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Number(i128),
    /// The address of an object, each word of which leads to the table.
    Object,
    /// The address of a table of functions that return 1.
    Table,
}

impl Value {
    fn parse(text: &str) -> Option<Value> {
        match text {
            "object" => Some(Value::Object),
            "table" => Some(Value::Table),
            number => number_of(number).map(Value::Number),
        }
    }
}

/// A register, by its place among all, and what it holds.
struct Argument<'a> {
    register: usize,
    value: Value,
    /// As it was given; none where nobody did.
    given: Option<&'a str>,
}

/// All that hold something.
pub(super) struct Arguments<'a> {
    all: Vec<Argument<'a>>,
    convention: Convention,
}

impl<'a> Arguments<'a> {
    /// What `--arg` says, and what is assumed beside.
    ///
    /// # Errors
    /// What is no register or no value, and what to write.
    pub(super) fn new(
        given: &'a [(String, String)],
        convention: Convention,
    ) -> Result<Arguments<'a>, String> {
        let is_go = convention != Convention::C;
        let mut left: Vec<&'a (String, String)> = given.iter().collect();
        let mut all = Vec::new();
        for (number, register) in REGISTERS.iter().enumerate() {
            // Code of Go has g there.
            let is_g = is_go && register.0 == "R14";
            let is_it = |one: &&(String, String)| !is_g && is_named(register, &one.0);
            let at = left.iter().position(is_it);
            if let Some(at) = at {
                let (_, text) = left.remove(at);
                let value = Value::parse(text).ok_or_else(|| {
                    format!(
                        "`--arg {0}={text}`: the value is a whole number, `object` or `table`, as --arg {0}=5, {0}=0x10 or \
                         {0}=object",
                        register.0
                    )
                })?;
                all.push(Argument {
                    register: number,
                    value,
                    given: Some(text),
                });
                continue;
            }
            let value = match convention {
                Convention::Go { first } => {
                    (first..OF_GO).contains(&number).then_some(Value::Number(0))
                }
                Convention::Stack => None,
                Convention::C => {
                    let mut assumed = OF_C.iter();
                    assumed
                        .find(|(name, _)| *name == register.1)
                        .map(|one| one.1)
                }
            };
            all.extend(value.map(|value| Argument {
                register: number,
                value,
                given: None,
            }));
        }
        match left.first() {
            Some((key, value)) => Err(refused(key, value, is_go)),
            None => Ok(Arguments { all, convention }),
        }
    }

    /// The instructions that give the registers what they hold.
    pub(super) fn code(&self) -> String {
        let mut out = String::new();
        for one in &self.all {
            let (_, wide, narrow) = REGISTERS[one.register];
            let _ = match (one.value, one.given) {
                (Value::Object, _) => writeln!(out, "        lea  {wide}, [\"import.object\"]"),
                (Value::Table, _) => writeln!(out, "        lea  {wide}, [\"import.table\"]"),
                (Value::Number(0), _) => writeln!(out, "        xor  {narrow}, {narrow}"),
                (Value::Number(_), Some(text)) => writeln!(out, "        mov  {wide}, {text}"),
                (Value::Number(number), None) => writeln!(out, "        mov  {narrow}, {number}"),
            };
        }
        out
    }

    /// The sections that objects and tables are; nothing where no register leads there.
    pub(super) fn object(&self) -> &'static str {
        let leads = |one: &Argument<'_>| !matches!(one.value, Value::Number(_));
        match self.all.iter().any(leads) {
            true => OBJECT,
            false => "",
        }
    }

    /// What is said of the arguments, a sentence each.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        let assumed = |value: Value| -> Vec<&str> {
            let is_it = |one: &&Argument<'_>| one.given.is_none() && one.value == value;
            let mut those: Vec<&Argument<'_>> = self.all.iter().filter(is_it).collect();
            // In the order in which arguments have them.
            those.sort_by_key(|one| {
                OF_C.iter()
                    .position(|(name, _)| *name == REGISTERS[one.register].1)
            });
            let name = |one: &Argument<'_>| {
                let (_, wide, narrow) = REGISTERS[one.register];
                if value == Value::Object { wide } else { narrow }
            };
            those.into_iter().map(name).collect()
        };
        let hold = |names: &[&str]| if names.len() == 1 { "holds" } else { "hold" };
        let of_c: Vec<String> = match self.convention {
            Convention::C => {
                let (objects, ones) = (assumed(Value::Object), assumed(Value::Number(1)));
                let objects = (!objects.is_empty()).then(|| {
                    format!(
                        "{} {} the address of an object, each word of which points to a table of functions that return 1",
                        listed(&objects),
                        hold(&objects)
                    )
                });
                let ones =
                    (!ones.is_empty()).then(|| format!("{} {} 1", listed(&ones), hold(&ones)));
                objects.into_iter().chain(ones).collect()
            }
            Convention::Go { .. } | Convention::Stack => Vec::new(),
        };
        said.extend((!of_c.is_empty()).then(|| of_c.join("; ")));
        let is_said = |one: &&Argument<'_>| one.given.is_some() || self.convention != Convention::C;
        let values: Vec<String> = self
            .all
            .iter()
            .filter(is_said)
            .map(|one| {
                format!(
                    "{} = {}",
                    REGISTERS[one.register].0,
                    one.given.unwrap_or("0")
                )
            })
            .collect();
        if !values.is_empty() {
            said.push(format!("arguments are {}", values.join(", ")));
        } else if self.convention == Convention::Stack {
            said.push("its arguments on the stack are what the stack holds".into());
        }
        said
    }

    /// The registers whose value nobody said, as a header has them.
    pub(super) fn unknown(&self) -> impl Iterator<Item = String> {
        let those = self.all.iter().filter(|one| one.given.is_none());
        those.map(|one| {
            let name = REGISTERS[one.register].1;
            match one.value {
                Value::Number(number) => format!("{name} = {number}"),
                Value::Object | Value::Table => format!("{name} = object"),
            }
        })
    }
}

fn is_named((of_go, wide, _): &(&str, &str, &str), key: &str) -> bool {
    key.eq_ignore_ascii_case(of_go) || key.eq_ignore_ascii_case(wide)
}

/// Why an argument is none of imported code.
fn refused(key: &str, value: &str, is_go: bool) -> String {
    let given = format!("`--arg {key}={value}`");
    let name = key.to_ascii_lowercase();
    let is_g = is_go && name == "r14";
    let mut registers = REGISTERS.iter();
    if let Some(register) = registers.find(|one| is_named(one, key)).filter(|_| !is_g) {
        return format!("{given}: {} has a value already; give it one", register.0);
    }
    let example = if is_go { "AX" } else { "rdi" };
    let is_vector = ["xmm", "ymm", "zmm", "x"].iter().any(|kind| {
        let number = name.strip_prefix(kind);
        number.is_some_and(|number| number.parse::<u8>().is_ok())
    });
    match &name[..] {
        _ if is_vector => format!(
            "{given}: numbers with fractions cannot be given; load them in the template's body, in front of the call"
        ),
        "r14" => format!(
            "{given}: R14 holds g, which code of Go reads its stack's end from; leave it out"
        ),
        "rsp" | "sp" => format!("{given}: the stack pointer is the loop's own; leave it out"),
        _ => {
            format!("{given}: an argument of imported code is in a register, as --arg {example}=5")
        }
    }
}

/// What stands in for arguments: as for a listing without a header.
const OBJECT: &str = "\
data \"import.object\": times 512 dq \"import.table\"
data \"import.table\": times 512 dq \"import.callee\"
func \"import.callee\":
        mov  eax, 1
        ret
        align 8
        times 64 dq \"import.callee\"
";

fn number_of(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(sign * i128::from(value))
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

    fn given(all: &[(&str, &str)]) -> Vec<(String, String)> {
        let one = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
        all.iter().map(one).collect()
    }

    #[test]
    fn what_is_given_is_assumed_no_more_and_an_object_or_a_table_can_be_given() {
        #[rustfmt::skip] // a table: who calls, what is given, a line of code, what is said, and what nobody said
        let table = [
            (Convention::C, &[("rsi", "table"), ("RDI", "5")][..], "lea  rsi, [\"import.table\"]", "rcx holds the address of an object,", "r8 = 1, r9 = 1, rcx = object, rdx = 1"),
            (Convention::C, &[("rsi", "object")], "lea  rsi, [\"import.object\"]", "rdi and rcx hold the address of an object, each word of which points to a table of functions that return 1; edx, r8d and r9d hold 1", "rcx = object, rdi = object, rdx = 1"),
            (Convention::C, &[], "mov  esi, 1", "rdi and rcx hold the address", "rsi = 1"),
            (Convention::Go { first: 1 }, &[("CX", "object"), ("bx", "-2")], "lea  rcx, [\"import.object\"]", "arguments are BX = -2, CX = object, DI = 0", "rdi = 0, rsi = 0"),
            (Convention::Go { first: 7 }, &[], "xor  r10d, r10d", "arguments are R10 = 0, R11 = 0", "r10 = 0, r11 = 0"),
            (Convention::Stack, &[], "", "what the stack holds", ""),
        ];
        for (convention, all, code, said, unknown) in table {
            let all = given(all);
            let found = Arguments::new(&all, convention).expect("they are arguments");
            assert!(found.code().contains(code), "{}", found.code());
            let sentences = found.sentences().join(". ");
            let is_said = said.split('|').any(|said| sentences.contains(said));
            assert!(is_said, "{sentences}");
            let mut names: Vec<String> = found.unknown().collect();
            names.sort();
            let names = names.join(", ");
            assert!(names.contains(unknown), "{names}");
            let leads = found.code().contains("[\"import.");
            assert_eq!(found.object().is_empty(), !leads);
        }
    }

    #[test]
    fn what_is_no_value_says_what_is_one() {
        for value in ["", "1.5", "objects", "0x"] {
            let all = given(&[("rdi", value)]);
            let why = Arguments::new(&all, Convention::C).err().expect("none");
            assert!(why.contains("a whole number, `object` or `table`"), "{why}");
        }
    }
}
