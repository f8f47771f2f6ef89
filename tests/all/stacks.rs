//! Stacks that the runtime copies.
//!
//! Correct means: every pointer into the old stack leads into the new one behind the copy, a row without growth runs
//! the same calls, and the growth takes more for more bytes, for more frames and for more pointers.

use crate::common::{folder, json, rows, template, value};
use serde_json::Value;

fn counted(names: &[String]) -> Vec<(String, Value)> {
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let rows = rows(&document).into_iter();
    rows.map(|(name, row)| (name.to_string(), row.clone()))
        .collect()
}

#[test]
fn behind_a_copy_every_frame_finds_its_caller() {
    let mut names = Vec::new();
    for release in ["1.27", "1.19", "1.10"] {
        for (size, frames, pointers) in [(2048, 16, 3), (2048, 1, 1), (4096, 2, 2), (8192, 4, 3)] {
            for grow in [true, false] {
                names.push(format!(
                    "stack_copy[frames={frames},go={release},grow={grow},pointers={pointers},size={size}]"
                ));
            }
        }
    }
    for (name, row) in counted(&names) {
        assert_eq!(row["verified"], true, "{name}: {row:#}");
    }
}

#[test]
fn a_stack_whose_pointers_were_not_moved_gives_a_wrong_result() {
    let shipped = include_str!("../../asm_templates/stack_copy.asm");
    let lazy = format!("{shipped}func \"runtime.adjustpointers\":\n ret\n");
    let folder = folder("lazy");
    for release in ["1.27", "1.19", "1.10"] {
        let file = template(&folder, &format!("lazy{release}"), &lazy);
        let of = |grow: &str| {
            let release = format!("go={release}");
            let run = [
                "run",
                &file,
                "-p",
                &release,
                "-p",
                grow,
                "--quick",
                "--counters",
                "none",
            ];
            json(&run).1
        };
        let (grown, large) = (of("grow=true"), of("grow=false"));
        assert_eq!(rows(&grown)[0].1["status"], "wrong-result", "Go {release}");
        assert_eq!(rows(&large)[0].1["status"], "ok", "Go {release}");
    }
}

#[test]
fn a_growth_takes_more_for_more_bytes_frames_and_pointers() {
    for release in ["1.27", "1.10"] {
        let growth = |parameters: &str| {
            let of = |grow: bool| format!("stack_copy[go={release},grow={grow},{parameters}]");
            let both = counted(&[of(true), of(false)]);
            value(&both[0].1, "instructions") - value(&both[1].1, "instructions")
        };
        let least = growth("frames=4");
        assert!(least > 500.0, "Go {release}: {least}");
        // Four frames are some three hundred instructions, two more pointers a frame a dozen each.
        let frames = growth("frames=8") - least;
        assert!((150.0..1000.0).contains(&frames), "Go {release}: {frames}");
        let pointers = growth("frames=4,pointers=3") - least;
        assert!(
            (50.0..200.0).contains(&pointers),
            "Go {release}: {pointers}"
        );
        let bytes = growth("frames=4,size=8192") - least;
        assert!((1000.0..5000.0).contains(&bytes), "Go {release}: {bytes}");
    }
}

#[test]
fn a_row_says_which_of_the_functions_that_copied_are_modelled() {
    let (_, row) = &counted(&["stack_copy".to_string()])[0];
    let pieces = row["modelled_runtime"].as_array().expect("a list");
    for function in [
        "newstack",
        "copystack",
        "adjustframe",
        "stackalloc",
        "stackfree",
        "memmove",
    ] {
        let named = pieces.iter().find(|piece| piece["function"] == function);
        assert!(named.is_some(), "{function} in {pieces:#?}");
    }
}
