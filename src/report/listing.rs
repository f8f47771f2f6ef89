//! The code of a row as it runs, instruction by instruction, with how often each did.
//!
//! Correct means: a function is in it whole, every byte once and in order, or not at all, and those are counted.

use serde::{Deserialize, Serialize};

/// The code of a row at its first placement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Iterations in which executions were counted.
    pub iterations: u64,
    /// The template's functions, and those of the modelled runtime that ran.
    pub functions: Vec<ListedFunction>,
    /// Functions that are left out, because there is too much code to be read.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left_out: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// One function, or another section of code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedFunction {
    /// As the template calls it, or the modelled runtime.
    pub name: String,
    /// Whether the modelled runtime has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_modelled: bool,
    /// Every one of its instructions.
    pub instructions: Vec<Listed>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// From the start of its function.
    pub offset: u32,
    /// Hexadecimal.
    pub bytes: String,
    /// In Intel syntax.
    pub text: String,
    /// Its line in the template, or in the text that it includes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// That text's file, where it is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// That line, as it is written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How often an iteration ran it.
    pub executions: f64,
}
