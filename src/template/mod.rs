//! Templates: text with a header and sections, before any parameter is bound.
//!
//! Correct means: everything the header says is known, typed and checked here, so that no later
//! stage meets an unknown key, and every line keeps its number in the file the user edits.

pub mod chain;
mod cold;
mod element;
pub(crate) mod header;
pub mod include;
pub mod library;
mod lines;
mod order;
pub mod params;
pub(crate) mod parse;
pub(crate) mod parts;
pub(crate) mod paste;
pub mod remark;
mod results;
pub(crate) mod sections;
pub mod shipped;
pub(crate) mod source;
pub mod suite;
mod work;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::asm::Syntax;
use crate::formula::Formula;
use crate::go::{HeapKind, Interface, ObjectShape, Release};

pub use cold::Cold;
pub use element::{Element, MOST_AHEAD, MOST_IN_A_BATCH, PAIRS};
pub use include::{Included, Includes};
pub use library::{Library, LoadError};
pub use lines::LinePlace;
pub use order::{Order, Percent, RANDOM_ELEMENTS, Walk};
pub use parts::note;
pub use paste::Assumed;
pub use results::{FACTORS, expected};
pub use suite::{Figure, Published, Said, Suite};
pub use work::{MAX_WORK, Work};

/// A parsed template: its header, and its text not yet expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// File name without extension, or the path given by the user without extension.
    pub name: String,
    /// Where the text came from.
    pub origin: Origin,
    /// SHA-256 of the text and of all that it includes, one behind the other in the order of
    /// `includes`, lower-case hex.
    pub sha256: String,
    /// The whole text.
    pub text: String,
    /// The texts that it includes.
    pub includes: Includes,
    /// What the `;!` lines say.
    pub header: Header,
    /// What the command line said of it.
    pub options: TextOptions,
    /// What was assumed of a text without sections, a sentence each.
    pub assumed: Vec<String>,
    /// Registers whose value was assumed.
    pub assumed_registers: Vec<Assumed>,
    /// What the command line says that the text has no use for, a sentence each.
    pub unused: Vec<String>,
}

/// Where a template's text came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Shipped inside the binary.
    Embedded,
    /// Read from this file.
    File(PathBuf),
    /// Read from standard input.
    Stdin,
}

impl Origin {
    /// What diagnostics call a file of this name: the path, `<stdin>`, or `embedded:NAME`.
    pub(crate) fn file(&self, name: &str) -> String {
        match self {
            Origin::Embedded => format!("embedded:{name}"),
            Origin::File(path) => path.display().to_string(),
            Origin::Stdin => library::STDIN.to_string(),
        }
    }
}

/// What the command line says of a text; it stands above what the text's header says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextOptions {
    /// The function that is called of a text without sections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What that one is given: a register, or of Go a place on the stack, and a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<(String, String)>,
    /// How it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syntax: Option<Syntax>,
    /// Whether `;` separates statements in Intel syntax.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub separates: bool,
}

impl TextOptions {
    /// Whether the command line says nothing.
    pub fn is_empty(&self) -> bool {
        *self == TextOptions::default()
    }
}

/// Which registers the body may clobber, and so where the harness keeps its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clobbers {
    /// All but `rsp`, `r12`, `r13`, `r14` and `r15`: the harness keeps its state in registers.
    #[default]
    Some,
    /// All but `rsp`: the harness keeps its state in its frame, as Go's own loops do.
    All,
}

/// Most registers that hold results.
pub const MOST_RESULTS: usize = 4;

/// A register that holds an iteration's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRegister {
    /// Hardware number, 0 (`rax`) to 15 (`r15`).
    pub number: u8,
    /// Width in bits: 8 (low byte), 16, 32 or 64.
    pub bits: u8,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
        }
    }
}

/// What a parameter may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its value where the user says nothing.
    pub default: Value,
    /// All allowed values, the default first; empty where every value of the default's type is.
    pub allowed: Vec<Value>,
    /// Smallest and largest whole number, where the header states them.
    pub range: Option<(i64, i64)>,
}

/// What was written into a template because something has to stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// What a register holds at the call.
    Register(Assumed),
    /// What objects hold.
    Object,
    /// What data sections hold.
    Data,
}

/// Everything the `;!` lines say.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// One line for `list`.
    pub title: String,
    /// What the walk visits.
    pub heap: HeapKind,
    /// Patterns of the dynamic types' names, which they have in turn; `{t}` is the type's number.
    pub types: Vec<String>,
    /// What each object holds, where it is more than its id.
    pub object: Option<ObjectShape>,
    /// What the loop loads for a receiver, where it is not the object's address: one word or two.
    pub words: Vec<Formula>,
    /// Interfaces beside the first one, whose itabs are there, too.
    pub interfaces: Vec<Interface>,
    /// The interface's methods in `fun` order.
    pub methods: Vec<String>,
    /// The methods' types, `(int32) int32`; empty where the header does not tell.
    pub signatures: Vec<String>,
    /// Parameters by name.
    pub params: BTreeMap<String, Param>,
    /// Where an iteration leaves its results.
    pub results: Vec<ResultRegister>,
    /// What they must be, in the same order; nothing where nothing is stated.
    pub expect: Vec<Formula>,
    /// Labels of the branches that are studied.
    pub dispatch: Vec<String>,
    /// Whether minijinja runs over the text.
    pub expand: bool,
    /// The Go release whose layouts, hashes and stubs apply where no parameter `go` is bound.
    pub go: Release,
    /// What the body may clobber.
    pub clobbers: Clobbers,
    /// Copies of the body per loop turn; only for `heap = "none"`.
    pub unroll: u32,
    /// How the code is written.
    pub syntax: Syntax,
    /// Whether `;` separates statements in Intel syntax, where it would begin a comment.
    pub separates: bool,
    /// Which function of a text without sections is called.
    pub call: Option<String>,
    /// Publication and section that the template reproduces.
    pub source: Option<String>,
    /// Arguments of the function that is called, from the command line.
    pub args: Vec<(String, String)>,
    /// Whether it says the release.
    pub states_go: bool,
    /// What nobody knew of what the code is given.
    pub assumed: Vec<Assumption>,
    /// Other names for symbols: a reference to the key is to become one to the value. Not applied yet.
    pub bind: BTreeMap<String, String>,
}

impl Default for Header {
    /// What holds where no line says otherwise.
    fn default() -> Header {
        Header {
            title: String::new(),
            heap: HeapKind::None,
            types: vec!["main.T".to_string()],
            object: None,
            words: Vec::new(),
            interfaces: Vec::new(),
            methods: Vec::new(),
            signatures: Vec::new(),
            params: BTreeMap::new(),
            results: Vec::new(),
            expect: Vec::new(),
            dispatch: Vec::new(),
            expand: false,
            go: Release::NEWEST,
            clobbers: Clobbers::Some,
            unroll: 1,
            syntax: Syntax::Auto,
            separates: false,
            call: None,
            source: None,
            args: Vec::new(),
            states_go: false,
            assumed: Vec::new(),
            bind: BTreeMap::new(),
        }
    }
}
