//! Fences in the source: unsafe code in one folder, and stages that touch nothing outside.
//!
//! Correct means: the invariants of docs/architecture.md that can be read off the source hold.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the stages that are functions of their arguments alone.
const PURE: [&str; 10] = [
    "src/text",
    "src/template",
    "src/scenario",
    "src/asm",
    "src/go",
    "src/link",
    "src/binary",
    "src/stats",
    "src/predict",
    "src/report",
];
/// The one file in them that reads: it finds templates.
const READS_FILES: &str = "src/template/library.rs";
/// What a pure stage has no use for.
const OUTSIDE: [&str; 6] = ["fs", "time", "thread", "env", "process", "net"];

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder");
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = relative(&path);
        if path.is_dir() {
            files.extend(sources(&name));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .expect("inside")
        .to_str()
        .expect("UTF-8")
        .to_string()
}

/// A file's code lines with their numbers: comments left out, and the tests at its end.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("readable");
    let mut lines = Vec::new();
    let mut is_test = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or("").trim_end();
        is_test |= line == "mod tests {";
        if !is_test && !line.is_empty() {
            lines.push((number + 1, line.to_string()));
        }
    }
    lines
}

/// Modules that exist in tests only: `#[cfg(test)]` over `mod NAME;`.
fn test_modules() -> Vec<String> {
    let mut names = Vec::new();
    for path in sources("src") {
        let lines = code(&path);
        for pair in lines
            .windows(2)
            .filter(|pair| pair[0].1.trim() == "#[cfg(test)]")
        {
            let declared = pair[1]
                .1
                .split("mod ")
                .nth(1)
                .and_then(|rest| rest.strip_suffix(';'));
            names.extend(declared.map(|name| format!("{name}.rs")));
        }
    }
    names
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

#[test]
fn unsafe_stands_in_sys_alone() {
    let mut files = Vec::new();
    for path in sources("src")
        .into_iter()
        .chain(sources("tests"))
        .chain(sources("benches"))
    {
        // This file has the word in its own strings.
        let is_own = relative(&path) == "tests/all/fence.rs";
        if !is_own && code(&path).iter().any(|(_, line)| has_word(line, "unsafe")) {
            files.push(relative(&path));
        }
    }
    let expected = [
        "src/sys/breakpoint/ptrace.rs",
        "src/sys/breakpoint.rs",
        "src/sys/counter_page.rs",
        "src/sys/fake_kernel.rs",
        "src/sys/filter.rs",
        "src/sys/first_writes.rs",
        "src/sys/interrupt.rs",
        "src/sys/mapping.rs",
        "src/sys/memory.rs",
        "src/sys/process.rs",
        "src/sys/shared.rs",
        "src/sys/signals.rs",
        "src/sys/stack.rs",
        "src/sys/time.rs",
    ];
    assert_eq!(files, expected);
}

#[test]
fn every_unsafe_block_says_which_fact_makes_it_sound() {
    for path in sources("src/sys") {
        let text = fs::read_to_string(&path).expect("readable");
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let opens = code.contains("unsafe {") || code.contains("unsafe impl");
            let near = &lines[at.saturating_sub(8)..at];
            assert!(
                !opens || near.iter().any(|line| line.contains("SAFETY:")),
                "{}:{}",
                relative(&path),
                at + 1
            );
        }
    }
}

#[test]
fn pure_stages_touch_no_file_clock_thread_environment_or_process() {
    let test_modules = test_modules();
    let is_for_tests = |path: &Path| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        test_modules.iter().any(|module| module == name)
    };
    let mut found = Vec::new();
    for path in PURE.into_iter().flat_map(sources) {
        if relative(&path) == READS_FILES || is_for_tests(&path) {
            continue;
        }
        for (number, line) in code(&path) {
            let named = OUTSIDE
                .iter()
                .any(|module| has_word(&line, &format!("std::{module}")));
            let grouped =
                line.contains("use std::{") && OUTSIDE.iter().any(|module| has_word(&line, module));
            let macros = ["println!", "eprintln!", "print!", "eprint!", "dbg!"]
                .iter()
                .any(|name| line.contains(name));
            if named || grouped || macros {
                found.push(format!("{}:{number}: {}", relative(&path), line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn pure_stages_know_nothing_of_workers_commands_and_the_system() {
    // `job` is plain data, and the linker reads it.
    let test_modules = test_modules();
    let is_for_tests = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        test_modules
            .iter()
            .any(|module| Some(module.as_str()) == name)
    };
    let mut found = Vec::new();
    for path in PURE.into_iter().flat_map(sources) {
        if is_for_tests(&path) {
            continue;
        }
        for (number, line) in code(&path) {
            let reaches = ["worker", "counter", "sys", "cmd", "machine", "pipeline"];
            // What reads has to do it without waiting for ever.
            if relative(&path) == READS_FILES && line == "use crate::sys::files;" {
                continue;
            }
            if reaches
                .iter()
                .any(|module| line.contains(&format!("crate::{module}")))
            {
                found.push(format!("{}:{number}: {}", relative(&path), line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn sys_knows_no_noun_of_the_project() {
    for path in sources("src/sys") {
        for (number, line) in code(&path) {
            let uses = line.contains("crate::") && !line.contains("crate::sys");
            assert!(!uses, "{}:{number}: {line}", relative(&path));
        }
    }
}

/// The top-level modules, in the order in which lib.rs lists them.
fn modules() -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let declared = |line: &(usize, String)| {
        let name = line.1.strip_prefix("pub mod ")?.strip_suffix(';')?;
        Some(name.to_string())
    };
    code(&lib).iter().filter_map(declared).collect()
}

/// The top-level modules that code names, wherever a path stands: in a `use`, grouped or not, in an
/// expression, or in the string of an attribute.
fn named_modules(text: &str) -> Vec<String> {
    let first_name = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut names = Vec::new();
    for (at, root) in text.match_indices("crate::") {
        let rest = &text[at + root.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(first_name(rest));
            continue;
        };
        let mut depth = 0;
        names.push(first_name(group));
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(first_name(&group[at + 1..])),
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn a_module_is_named_in_groups_expressions_and_attributes() {
    let named = |text: &str| named_modules(text).join(" ");
    assert_eq!(named("use crate::go::{HeapKind, heap::Heap};"), "go");
    assert_eq!(
        named("use crate::{\n    asm::{self, Program},\n    go,\n};"),
        "asm go"
    );
    assert_eq!(named("let x = crate::job::patience();"), "job");
    assert_eq!(named("#[serde(with = \"crate::go::runs\")]"), "go");
    assert_eq!(named("pub(crate) fn of() {}"), "");
}

#[test]
fn each_module_imports_only_what_stands_above_it_in_lib() {
    let modules = modules();
    let test_modules = test_modules();
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut found = Vec::new();
    for path in sources("src") {
        let name = relative(&path);
        let inside = name.trim_start_matches("src/").trim_end_matches(".rs");
        let parts: Vec<&str> = inside.split('/').filter(|part| *part != "mod").collect();
        let is_for_tests = parts
            .iter()
            .any(|part| test_modules.contains(&format!("{part}.rs")));
        let Some(own) = place(parts[0]).filter(|_| !is_for_tests) else {
            continue;
        };
        let lines: Vec<String> = code(&path).into_iter().map(|(_, line)| line).collect();
        for other in named_modules(&lines.join("\n")) {
            // A macro or type of the crate's root would stand below all modules.
            if other != parts[0] && place(&other).is_none_or(|other| other > own) {
                found.push(format!("{name} imports {other}"));
            }
        }
        let leaves = format!("use {}", "super::".repeat(parts.len()));
        if lines
            .iter()
            .any(|line| line.contains(&leaves) && !line.starts_with(' '))
        {
            found.push(format!(
                "{name} leaves its module by `super`; write `crate::`"
            ));
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(
        modules.len() > 20,
        "lib.rs lists them one a line: {modules:?}"
    );
}
