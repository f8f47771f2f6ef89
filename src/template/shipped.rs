//! The templates inside the binary, and the suites over templates.
//!
//! Correct means: every file of `asm_templates/` is here under its own name, and every scenario of
//! a suite binds.

/// A named list of scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// What the command line calls it.
    pub name: &'static str,
    /// One line for `list`.
    pub title: &'static str,
    /// The scenario that ratios refer to, where all are held against one.
    pub reference: Option<&'static str>,
    /// Its scenarios.
    pub members: Members,
}

/// The scenarios of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// These, in the order of the report.
    Listed(&'static [&'static str]),
    /// What the key `book` of each template lists, in the order of the book's sections.
    Book,
}

impl Members {
    /// The name of one.
    pub fn example(self) -> &'static str {
        match self {
            Members::Listed([first, ..]) => first,
            Members::Listed([]) | Members::Book => "itab_call",
        }
    }
}

/// Names and texts of the shipped templates, sorted by name.
pub const TEMPLATES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// All suites.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "tour",
        title: "what each way to reach a method costs, from inlined to megamorphic",
        reference: Some("direct_call"),
        members: Members::Listed(&[
            "inline",
            "direct_call",
            "ptr_method",
            "value_method",
            "wrapper_call",
            "itab_call",
            "itab_call[targets=2]",
            "itab_call[order=random,targets=8]",
            "itab_call[order=random,targets=64]",
            "itab_wrapper",
            "type_switch",
            "type_switch[cases=3]",
            "type_switch[cases=8,hit=order,order=random]",
            "wrapper_call[receiver=nil]",
        ]),
    },
    Suite {
        name: "book",
        title: "what was published about Go's calls and interfaces, measured again",
        reference: None,
        members: Members::Book,
    },
];

/// The text of the shipped template `name`.
pub fn text(name: &str) -> Option<&'static str> {
    TEMPLATES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|&(_, text)| text)
}

/// The suite called `name`.
pub fn suite(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}
