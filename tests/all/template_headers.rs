//! Headers: what is accepted, and that each complaint points into the file.

use std::sync::Arc;

use dispatchlab::go::HeapKind;
use dispatchlab::scenario::Scenario;
use dispatchlab::template::{
    Clobbers, Library, LoadError, Origin, ResultRegister, Template, Value,
};
use dispatchlab::text::diagnostic::Diagnostic;

fn parse(text: &str) -> Result<Template, Vec<Diagnostic>> {
    Template::parse("t", Origin::File("dir/t.asm".into()), text.to_string())
}

fn errors(header: &str) -> Vec<Diagnostic> {
    parse(&format!("{header}\nbody:\n nop\n")).expect_err(header)
}

/// The only complaint about a header: its line, column and width, the message and the help.
fn complaint(header: &str) -> ((u32, u32, u32), String, String) {
    let mut all = errors(header);
    assert_eq!(all.len(), 1, "{header}: {all:#?}");
    let one = all.remove(0);
    assert_eq!(one.file, "dir/t.asm");
    assert_eq!(
        header.lines().nth(one.line as usize - 1),
        Some(one.text.as_str())
    );
    let marked: String = one
        .text
        .chars()
        .skip(one.column as usize - 1)
        .take(one.width as usize)
        .collect();
    assert_eq!(
        marked.chars().count(),
        one.width as usize,
        "the mark lies inside the line"
    );
    (
        (one.line, one.column, one.width),
        one.message,
        one.help.unwrap_or_default(),
    )
}

#[test]
fn a_header_with_every_key_is_read() {
    let text = concat!(
        "; a remark first is fine\n",
        ";! title = \"call\"\n",
        ";! heap = \"iface\"\n",
        ";! types = \"shop.T{t}\"\n",
        ";! methods = [\"Get\", \"Id\"]\n",
        "\n",
        ";! params = { targets = 2, order = [\"same\", \"random\"], deep = { default = 3, min = 1, max = 9 } }\n",
        ";! result = \"r15b\"\n",
        ";! expect = \"id+type\"\n",
        ";! dispatch = \"site\"\n",
        ";! go = \"1.10\"\n",
        ";! clobbers = \"all\"\n",
        ";! source = \"a book, chapter 2\"\n",
        ";! bind = { \"main.f\" = \"main.g\" }\n",
        "body:\n nop\n",
    );
    let header = parse(text).expect("sound").header;
    assert_eq!(
        (header.heap, header.clobbers),
        (HeapKind::Iface, Clobbers::All)
    );
    assert_eq!(header.methods, ["Get", "Id"]);
    assert_eq!(
        header.results,
        [ResultRegister {
            number: 15,
            bits: 8
        }]
    );
    assert_eq!(header.expect.len(), 1);
    assert_eq!(header.expect[0].to_string(), "(id + type)");
    assert_eq!(header.go.to_string(), "1.10");
    assert_eq!(header.params["targets"].default, Value::Int(2));
    assert_eq!(header.params["order"].allowed.len(), 2);
    assert_eq!(header.params["deep"].range, Some((1, 9)));
    assert_eq!(header.bind["main.f"], "main.g");
}

#[test]
fn a_template_without_a_header_has_the_defaults() {
    let header = parse("body:\n nop\n").expect("sound").header;
    assert_eq!(
        (header.heap, &header.types[..], header.unroll),
        (HeapKind::None, &["main.T".to_string()][..], 1)
    );
    assert_eq!(
        (header.results, header.expect, header.expand),
        (vec![], vec![], false)
    );
    assert_eq!(header.go.to_string(), "1.27");
}

#[test]
fn result_registers_of_all_widths_are_known() {
    #[rustfmt::skip] // One width a row.
    let registers = [
        ("al", 0, 8), ("bpl", 5, 8), ("r9b", 9, 8),
        ("cx", 1, 16), ("r8w", 8, 16),
        ("edx", 2, 32), ("r11d", 11, 32),
        ("rbx", 3, 64), ("R10", 10, 64),
    ];
    for (name, number, bits) in registers {
        let header = parse(&format!(";! result = \"{name}\"\nbody:\n nop\n"))
            .expect(name)
            .header;
        assert_eq!(header.results, [ResultRegister { number, bits }], "{name}");
    }
    for name in ["rsp", "esp", "spl", "ah", "xmm0", "eaxx"] {
        let (place, message, _) = complaint(&format!(";! result = \"{name}\""));
        assert_eq!(place, (1, 13, name.len() as u32 + 2));
        assert!(
            message.contains(&format!("`{name}` cannot hold a result")),
            "{message}"
        );
    }
}

#[test]
fn an_unknown_key_is_pointed_at_and_the_nearest_is_named() {
    let (place, message, help) = complaint(";! title = \"x\"\n;!  metods = [\"Id\"]");
    assert_eq!(place, (2, 5, 6));
    assert_eq!(message, "a header has no key `metods`");
    assert_eq!(help, "did you mean `methods`?");
    let (.., help) = complaint(";! colour = 1");
    assert!(
        help.starts_with("a header has assumed, bind, call, clobbers"),
        "{help}"
    );
}

#[test]
fn a_key_that_has_moved_says_where_to() {
    let moved = [
        (
            ";! book = [\n;!   { row = \"\" },\n;! ]",
            "a header has no key `book` any more",
            "put it into a suite",
        ),
        (
            ";! published = []",
            "a header has no key `published` any more",
            "put it into a suite",
        ),
        (
            ";! note = \"seen\"",
            "a header has no key `note` any more",
            "as lines `;! note TEXT`",
        ),
    ];
    for (header, expected, way) in moved {
        let (place, message, help) = complaint(&format!(";! title = \"x\"\n{header}"));
        assert_eq!((place.0, place.1, message.as_str()), (2, 4, expected));
        assert!(help.contains(way), "{help}");
    }
    let (place, message, help) = complaint(";! note seen");
    assert_eq!((place.0, message.as_str()), (1, "a mark in the header"));
    assert!(help.contains("notes below the code"), "{help}");
}

#[test]
fn what_is_not_toml_is_pointed_at_in_the_file() {
    let (place, ..) = complaint("; remark\n\n   ;! heap = pointer");
    assert_eq!((place.0, place.1), (3, 14));
    let (place, ..) = complaint(";! title = \"x\"\n;! title = \"y\"");
    assert_eq!(place.0, 2);
}

#[test]
fn columns_count_characters_not_bytes() {
    let (place, ..) = complaint(";! params = { a = \"Ü→Ü\", nss = 1.5 }");
    assert_eq!(place, (1, 32, 3));
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    #[rustfmt::skip] // One key a row.
    let wrong = [
        (";! title = 1", "`title` is a text, not the whole number 1"),
        (";! expand = \"yes\"", "`expand` is true or false, not a text"),
        (";! methods = \"Id\"", "`methods` is a list of texts, not a text"),
        (";! params = [1]", "`params` is a table, not a list"),
        (";! go = 1.27", "`go` is a release in quotes, not a number with a fraction"),
        (";! go = \"1.8\"", "`1.8` is not a Go release from 1.9 to 1.27"),
        (";! heap = \"ifaces\"", "`heap` cannot be `ifaces`"),
        (";! clobbers = \"some\"", "`clobbers` cannot be `some`"),
        (";! unroll = 0", "`unroll` is a whole number from 1 to 1024, not the whole number 0"),
        (";! bind = [1]", "`bind` is a table from symbol to symbol, not a list"),
        (";! params = { deep = 1.5 }", "`deep` is a whole number, a text, true or false, or a list of these, not a number with a fraction"),
        (";! params = { deep = [1, \"a\"] }", "the values of `deep` are of one type, each once"),
        (";! params = { deep = [] }", "`deep` has no values"),
        (";! params = { deep = { default = 1 } }", "a range of `deep` has three whole numbers"),
        (";! params = { Deep = 1 }", "`Deep` is no name for a parameter: lower-case letters, digits and `_`, a letter first"),
        (";! params = { types = 1 }", "`types` already means something in an expansion"),
        (";! params = { targets = 1 }", "`targets` is about receivers, and a template without a heap has none"),
        (";! params = { spacing = 48 }", "`spacing` is a power of two from 16 to 65536, not 48"),
        (";! params = { mode = \"a b\" }", "`a b` cannot stand in a scenario's name: no blanks and none of `,` `=` `[` `]`"),
    ];
    for (header, expected) in wrong {
        let (_, message, help) = complaint(header);
        assert!(message.starts_with(expected), "{header}: {message}");
        assert!(!help.is_empty(), "{header} has no help");
    }
}

#[test]
fn keys_that_need_each_other_are_checked_together() {
    #[rustfmt::skip] // One rule a row: header, line of the complaint, what it names.
    let broken = [
        (";! result = \"eax\"\n;! expect = \"id\"", 2, "without a heap"),
        (";! heap = \"pointer\"\n;! expect = \"id\"", 2, "`expect` without `result`"),
        (";! heap = \"pointer\"\n;! unroll = 4", 2, "`unroll` works only without a heap"),
        (";! result = \"r13\"", 1, "the harness keeps its own state"),
        (";! result = \"al\"\n;! expect = 256", 2, "does not fit the 8 bits"),
        (";! heap = \"iface\"\n;! types = \"T{t}\"\n;! params = { targets = 1 }", 3, "tell its types apart"),
        (";! heap = \"iface\"\n;! types = \"T{t}\"\n;! result = \"eax\"\n;! expect = \"id\"\n;! params = { targets = 1 }", 4, "tell its types apart"),
        (";! heap = \"iface\"\n;! result = \"eax\"\n;! expect = \"type\"\n;! params = { targets = 1 }", 4, "several types"),
        (";! heap = \"eface\"\n;! params = { hit = \"first\" }", 2, "`hit` says which"),
    ];
    for (header, line, expected) in broken {
        let (place, message, _) = complaint(header);
        assert_eq!(place.0, line, "{header}");
        assert!(message.contains(expected), "{header}: {message}");
    }
}

#[test]
fn all_complaints_come_at_once_in_the_order_of_the_file() {
    let all = errors(";! unroll = -1\n;! heap = 1\n;! titel = \"x\"");
    let lines: Vec<u32> = all.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 2, 3]);
}

#[test]
fn a_header_line_below_the_code_is_refused() {
    let error = parse("body:\n nop\n;! expand = true\n")
        .expect_err("too late")
        .remove(0);
    assert_eq!(
        (error.line, error.message.as_str()),
        (3, "a header line below the code")
    );
}

#[test]
fn a_remark_may_follow_a_value_after_two_blanks() {
    let header =
        |text: &str| parse(&format!("{text}\nbody:\n nop\n")).map(|template| template.header);
    for text in [
        ";! title = \"a # b\"  what it is = nothing",
        ";! title = \"a # b\"   # TOML's own remark",
        ";! title = 'a # b'      [unless]",
    ] {
        assert_eq!(header(text).expect(text).title, "a # b");
    }
    assert!(
        header(";! expand = true    whether to expand")
            .expect("a remark")
            .expand
    );
    assert!(
        header(";! title = \"a\" \"b\"").is_err(),
        "one blank is a slip, not a remark"
    );
}

#[test]
fn a_tag_without_expand_is_told_the_header_line() {
    let error = parse("body:\n nop ; {% fine %}\n  {% for t in x %}\n")
        .expect_err("a tag")
        .remove(0);
    assert_eq!((error.line, error.column), (3, 3));
    assert_eq!(
        error.help.as_deref(),
        Some("add the header line `;! expand = true`")
    );
}

#[test]
fn the_header_alone_decides_the_release_where_go_is_no_parameter() {
    let template = Arc::new(parse(";! go = \"1.15\"\nbody:\n nop\n").expect("sound"));
    let scenario = Scenario::bind(Arc::clone(&template), &[]).expect("binds");
    assert_eq!(scenario.release.to_string(), "1.15");
    assert_eq!(scenario.params["go"], Value::Text("1.15".to_string()));
    let refused = Scenario::bind(template, &[("go".to_string(), "1.27".to_string())]);
    assert!(
        refused
            .expect_err("undeclared")
            .message
            .contains("no parameter `go`")
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = std::env::temp_dir().join(format!("dispatchlab-headers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let latin = folder.join("latin.asm");
    std::fs::write(&latin, b"; fine\n; caf\xe9\nbody:\n").expect("a file");
    let library = Library::new(Some(folder.clone())).expect("a folder");
    let reason = |name: &str| library.load(name).expect_err(name).to_string();
    assert!(
        reason(&latin.display().to_string())
            .contains("latin.asm: line 2, byte 6: 0xe9 is not UTF-8 text")
    );
    assert!(reason("latin").contains("line 2, byte 6: 0xe9 is not UTF-8 text"));
    assert!(reason("nowhere/x.asm").contains("there is no such file or folder; mend the path"));
    assert!(reason(&folder.display().to_string()).contains("it is a folder"));
    assert!(reason("itab_cal").ends_with("did you mean `itab_call`?"));
    assert!(reason("").contains("`dispatchlab list`"));
    assert!(matches!(
        Library::new(Some("nowhere".into())),
        Err(LoadError::Missing(_))
    ));
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_template_of_the_folder_replaces_the_shipped_one_as_a_whole() {
    let folder = std::env::temp_dir().join(format!("dispatchlab-folder-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(
        folder.join("inline.asm"),
        ";! title = \"mine\"\nbody:\n nop\n",
    )
    .expect("a file");
    std::fs::write(folder.join("extra.asm"), "body:\n nop\n").expect("a file");
    std::fs::write(folder.join("broken.asm"), ";! heap = 1\n").expect("a file");
    std::fs::write(folder.join("notes.txt"), "not a template").expect("a file");
    let library = Library::new(Some(folder.clone())).expect("a folder");

    let mine = library.load("inline").expect("mine");
    assert_eq!(
        (mine.header.title.as_str(), mine.header.heap),
        ("mine", HeapKind::None)
    );
    assert_eq!(mine.origin, Origin::File(folder.join("inline.asm")));
    assert_eq!(
        library.load("direct_call").expect("shipped").origin,
        Origin::Embedded
    );
    assert!(matches!(library.load("broken"), Err(LoadError::Wrong(_))));

    let names = library.names();
    assert!(names.is_sorted());
    for name in ["broken", "extra", "inline", "itab_call"] {
        assert_eq!(
            names.iter().filter(|known| *known == name).count(),
            1,
            "{name}"
        );
    }
    assert!(!names.contains(&"notes".to_string()));

    let path = folder.join("extra.asm").display().to_string();
    let by_path = library.load(&path).expect("a path");
    assert_eq!(format!("{}.asm", by_path.name), path);
    assert_eq!(
        library.load(&by_path.name).expect("its own name").name,
        by_path.name
    );
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn what_ends_too_soon_is_blamed_behind_the_text_of_its_line() {
    let ends = [
        ";! result = \"\"\"\"eax\"\n;! expand = true",
        ";! title = '''x\n;! expand = true\n",
        ";! title = \"x",
        ";! title =",
    ];
    for header in ends {
        for one in errors(header) {
            let last = one.text.chars().count() as u32 + 1;
            assert!((1..=last).contains(&one.column), "{one:?}");
        }
    }
}

#[test]
fn methods_may_have_signatures_and_a_wrong_one_is_shown() {
    let methods = ";! methods = [\"Add(int32, int32) int32\", \"Id\"]\nbody:\n nop\n";
    let header = parse(methods).expect("sound").header;
    assert_eq!(header.methods, ["Add", "Id"]);
    assert_eq!(header.signatures, ["(int32, int32) int32", ""]);
    let (place, message, help) = complaint(";! methods = [\"Add(int31) int32\"]");
    assert_eq!(place.0, 1);
    assert!(message.starts_with("method `Add`: `int31`"), "{message}");
    assert!(help.contains("or the name alone"), "{help}");
}
