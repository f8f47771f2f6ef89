//! A function as compilers have made it: what `go` shows above the table of the rows that run it.
//!
//! Correct means: each build is the one whose template the row of its name runs; its instructions are those of its
//! program, all of them and in order.

use serde::Serialize;

/// What was compiled, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compiled {
    /// The function, as symbols name it.
    pub function: String,
    /// The file or package, as it was named.
    pub source: String,
    /// The lines of the function; none where they were not found.
    pub lines: Vec<SourceLine>,
    /// In the order of the rows.
    pub builds: Vec<Build>,
}

/// A line of the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// In its file, from 1.
    pub line: usize,
    /// As it stands there.
    pub text: String,
    /// What the compilers have said of it, by `-m`.
    pub decisions: Vec<Decided>,
}

/// What was decided at a line, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// In the compiler's words.
    pub text: String,
    /// Names of builds.
    pub by: Vec<String>,
}

/// What one compiler made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The version, and `-pgo` behind it where a profile was given.
    pub name: String,
    /// As the compiler says it, `go1.27.3`.
    pub version: String,
    /// The row that runs it.
    pub scenario: String,
    /// How many there are in `code`, exact.
    pub instructions: usize,
    /// Bytes of them, as the program's table of symbols has it, exact.
    pub bytes: u64,
    /// Instructions.
    pub code: Vec<String>,
    /// What is called and cannot run here.
    pub without: Vec<LeftOut>,
}

/// A function that a template goes without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub function: String,
    /// Why.
    pub why: String,
}
