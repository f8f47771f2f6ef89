//! Functions at a distance, on a page of their own, and aligned.

use std::sync::Arc;

use crate::common::{fresh, run_in, template};
use dispatchlab::job::{PLACEMENT_COUNTS, placements};
use dispatchlab::link::{Image, Owner, Variant};
use dispatchlab::prepare::{Prepared, prepare};
use dispatchlab::scenario::Scenario;
use dispatchlab::template::{Origin, Template};
use dispatchlab::text::diagnostic::Diagnostic;

const HEADER: &str = ";! result = \"eax\"\n;! expect = 3\n";

fn prepared(text: &str) -> Result<Prepared, Vec<Diagnostic>> {
    let template = Template::parse("t", Origin::Stdin, format!("{HEADER}{text}"))?;
    prepare(&Scenario::bind(Arc::new(template), &[]).expect("binds"))
}

fn only_error(text: &str) -> Diagnostic {
    let mut errors = prepared(text).expect_err(text);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn address(image: &Image, name: &str) -> u64 {
    let symbol = image.symbols.iter().find(|symbol| symbol.name == name);
    symbol.unwrap_or_else(|| panic!("no {name}")).address
}

const ALL: &str = concat!(
    "body:\n call \"main.a\"\n",
    "func \"main.a\":\n mov eax, 1\n call \"main.far\"\n ret\n",
    "func \"main.far\" at \"+65536\":\n add eax, 1\n jmp \"main.page\"\n",
    "func \"main.page\" at \"page+192\":\n jmp \"main.own\"\n",
    "func \"main.own\" at \"page\" :\n jmp \"main.line\"\n",
    "func \"main.line\" align 1024: jmp \"main.close\"\n",
    "func \"main.close\" align 1:\n add eax, 1\n ret\n",
    "func \"main.z\":\n ret\n",
);

#[test]
fn each_function_stands_where_it_is_put_at_every_placement() {
    let prepared = prepared(ALL).expect("sound");
    let most = *PLACEMENT_COUNTS.last().expect("a count");
    for placement in placements(most) {
        for variant in [Variant::Body, Variant::Baseline] {
            let image = prepared.image_at(placement, variant);
            let at = |name: &str| address(&image, name);
            assert_eq!(at("main.far"), image.loop_head + 65536, "{placement:?}");
            assert_eq!(at("main.page") % 4096, 192);
            assert_eq!(at("main.own") % 4096, 0);
            assert_eq!(at("main.line") % 1024, 0);
            let names = [
                "main.a",
                "main.page",
                "main.own",
                "main.line",
                "main.close",
                "main.z",
            ];
            let addresses: Vec<u64> = names.iter().map(|name| at(name)).collect();
            assert!(addresses.is_sorted(), "{addresses:x?}");
            let page = |name: &str| at(name) / 4096;
            assert!(page("main.a") < page("main.page") && page("main.page") < page("main.own"));
            // Nothing overlaps, and all of it is in the image.
            let mut end = image.site.code;
            for piece in &image.pieces {
                assert!(
                    piece.addresses.start >= end || piece.owner == Owner::Harness,
                    "{piece:?}"
                );
                end = end.max(piece.addresses.end);
            }
            assert!(end <= image.site.code + image.code.len() as u64);
        }
    }
}

#[test]
fn without_places_every_function_stands_as_before() {
    let plain = ALL
        .replace(" at \"+65536\"", "")
        .replace(" at \"page+192\"", "")
        .replace(" at \"page\" ", "")
        .replace(" align 1024", "")
        .replace(" align 1:", ":");
    let prepared = prepared(&plain).expect("sound");
    let names = [
        "main.a",
        "main.far",
        "main.page",
        "main.own",
        "main.line",
        "main.close",
        "main.z",
    ];
    let addresses: Vec<u64> = names
        .iter()
        .map(|name| address(&prepared.image, name))
        .collect();
    assert!(
        addresses.windows(2).all(|two| two[1] - two[0] == 64),
        "{addresses:x?}"
    );
}

#[test]
fn a_distance_at_which_other_code_stands_is_refused_with_one_that_is_free() {
    let error =
        only_error("body:\n call \"main.f\"\nfunc \"main.f\" at \"+8\":\n mov eax, 3\n ret\n");
    assert_eq!(error.line, 5);
    assert!(
        error.message.contains("\"main.f\" stands where the loop"),
        "{error:?}"
    );
    let free = |error: &Diagnostic| -> u64 {
        let help = error.help.as_ref().expect("a help");
        let number = help
            .split("\"+")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{help}"))
    };
    // What the help says has room at every placement, beside functions that stand behind the loop, too.
    let at = |distance: u64, more: &str| {
        format!(
            "body:\n call \"main.f\"\nfunc \"main.f\" at \"+{distance}\":\n mov eax, 3\n ret\n{more}"
        )
    };
    let distance = free(&error);
    let room = prepared(&at(distance, "")).expect("there is room");
    let more = "func \"main.g\":\n add eax, 2\n ret\n";
    let beside = free(&only_error(&at(64, more)));
    prepared(&at(beside, more)).expect("there is room beside it");
    assert_eq!(
        address(&room.image, "main.f"),
        room.image.loop_head + distance
    );
    let two = "body:\n call \"main.f\"\nfunc \"main.f\" at \"+8192\":\n mov eax, 3\n ret\nfunc \"main.g\" at \"+8195\":\n ret\n";
    let error = only_error(two);
    assert!(
        error
            .message
            .contains("\"main.g\" stands where \"main.f\" does"),
        "{error:?}"
    );
    // One that is not placed may come to stand there as well, and then the placed one is named.
    let flow = "body:\n call \"main.f\"\nfunc \"main.f\" at \"+1024\":\n mov eax, 3\n ret\nfunc \"main.g\":\n times 2000 nop\n ret\n";
    let error = only_error(flow);
    assert!(
        error
            .message
            .contains("\"main.f\" stands where \"main.g\" does"),
        "{error:?}"
    );
}

#[test]
fn what_is_no_place_is_said_so() {
    for (place, message) in [
        ("at \"+\"", "no number of bytes"),
        ("at \"4096\"", "no place of a function"),
        ("at \"page-1\"", "no place of a function"),
        ("at \"page+4096\"", "offsets 0 to 4095"),
        ("at \"+16777217\"", "at most 16777216"),
        ("at +4096", "in double quotes"),
        ("align 48", "power of two"),
        ("align 8192", "power of two from 1 to 4096"),
        ("align 0", "power of two"),
        ("align x", "no number of bytes"),
        ("near", "a `func` section has a name"),
        ("align 16 align 16", "a `func` section has a name"),
    ] {
        let error = only_error(&format!("body:\n mov eax, 3\nfunc \"f\" {place}:\n ret\n"));
        assert_eq!(error.line, 5, "{place}");
        assert!(error.message.contains(message), "{place}: {error:?}");
    }
    for place in [
        "at \"page+4095\"",
        "at \"+16777216\"",
        "at \"+0x100000\"",
        "align 4096",
    ] {
        assert!(
            prepared(&format!("body:\n mov eax, 3\nfunc \"f\" {place}:\n ret\n")).is_ok(),
            "{place}"
        );
    }
    let error = only_error("body:\n mov eax, 3\ndata \"d\" align 64: dd 1\n");
    assert!(
        error.message.contains("only a `func` is placed"),
        "{error:?}"
    );
}

#[test]
fn it_runs_there_is_shown_and_goes_into_a_saved_job() {
    let place = fresh("runs");
    template(&place, "t", &format!("{HEADER}{ALL}"));
    let shown = run_in(&place, &["show", "t.asm"]).stdout;
    for line in [
        "main.far:  (65536 bytes behind the loop head)",
        "main.page:  (192 bytes into a page of its own)",
        "main.line:  (aligned to 1024 bytes)",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let run = run_in(&place, &["run", "t.asm", "--quick", "--save-job", "j.json"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = run_in(&place, &["run", "--job", "j.json", "--quick"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        !run.said().contains("assembles the template"),
        "{}",
        run.stderr
    );
    let job = std::fs::read_to_string(place.join("j.json")).expect("it is there");
    for (from, to, message) in [
        ("{\"page\":192}", "{\"page\":4096}", "offsets 0 to 4095"),
        ("{\"behind\":65536}", "{\"behind\":1}", "stands where"),
        ("{\"align\":1024}", "{\"align\":3}", "power of two"),
    ] {
        assert!(job.contains(from), "{from}");
        std::fs::write(place.join("k.json"), job.replace(from, to)).expect("writes");
        let run = run_in(&place, &["run", "--job", "k.json", "--quick"]);
        let told = format!("{} {}", run.said(), crate::common::unfolded(&run.stdout));
        assert!(run.code != 0 && told.contains(message), "{from}: {told}");
    }
}
