//! The templates inside the binary, and the suites over them.
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
    /// The scenario that ratios refer to.
    pub reference: &'static str,
    /// Its scenarios, in the order of the report.
    pub scenarios: &'static [&'static str],
}

macro_rules! embedded {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../asm_templates/", $name, ".asm")))),*]
    };
}

/// Names and texts of the shipped templates, from the cheapest dispatch to the dearest.
pub const TEMPLATES: &[(&str, &str)] = embedded! {
    "inline"
    "direct_call"
    "ptr_method"
    "value_method"
    "wrapper_call"
    "itab_call"
    "itab_wrapper"
    "guard"
    "type_switch"
};

/// All suites.
pub const SUITES: &[Suite] = &[Suite {
    name: "tour",
    title: "what each way to reach a method costs, from inlined to megamorphic",
    reference: "direct_call",
    scenarios: &[
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
    ],
}];

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
