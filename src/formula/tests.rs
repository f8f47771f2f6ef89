use super::*;

const TYPES: [u32; 5] = [0, 1, 2, 0, 1];

fn read(text: &str) -> Formula {
    Formula::parse(text, &Known::default()).unwrap_or_else(|refused| panic!("{text}: {refused:?}"))
}

/// For the last of five objects, which has the second of three types, at element 9; the second walk is at object 2.
fn number(text: &str) -> u64 {
    let receivers = Receivers {
        types: &TYPES,
        object: 4,
        second: 2,
        element: 9,
    };
    read(text).number(&receivers).expect("a number")
}

#[test]
fn operators_bind_as_in_c_and_numbers_wrap() {
    #[rustfmt::skip] // a table
    let table = [
        ("3 * id + tag", 3 * 5 + 1),
        ("id+type", 5 + 2),
        ("2 + 3 * 4 - 1", 13),
        ("(2 + 3) * 4", 20),
        ("1 << 2 + 3", 32),
        ("7 & 3 == 3", 1),
        ("6 | 1 ^ 3 & 2", 6 | (1 ^ (3 & 2))),
        ("10 - 4 - 3", 3),
        ("100 / 7 % 5", 4),
        ("-1", u64::MAX),
        ("0 - id", 5u64.wrapping_neg()),
        ("~0", u64::MAX),
        ("0xffff_ffff_ffff_ffff + 2", 1),
        ("0b101", 5),
        ("1 << 63", 1 << 63),
        ("1 << 64", 0),
        ("1 >> 64", 0),
        ("type == 2 ? id : 0", 5),
        ("type == 1 ? id : tag ? 7 : 8", 7),
        ("3 <= 3", 1),
        ("3 < 3", 0),
        ("4 >= 5", 0),
        ("5 > 4", 1),
        ("1 != 1", 0),
        ("element", 9),
        ("next.id", 1),
        ("next.next.id * 10 + next.next.type", 22),
        ("second.id", 3),
        ("second.next.tag", 0),
    ];
    for (text, value) in table {
        assert_eq!(number(text), value, "{text}");
    }
}

#[test]
fn an_address_takes_an_offset_or_a_tag_and_nothing_else() {
    let receivers = Receivers {
        types: &TYPES,
        object: 4,
        second: 2,
        element: 0,
    };
    #[rustfmt::skip] // a table
    let table = [
        ("object", Base::Object(4), 0),
        ("object + 8 | tag", Base::Object(4), 9),
        ("8 + next", Base::Object(0), 8),
        ("next - 8", Base::Object(0), 8u64.wrapping_neg()),
        ("second", Base::Object(2), 0),
        ("0xfffc << 48 | object", Base::Object(4), 0xfffc << 48),
        ("\"main.vtable{t}\" + 16", Base::Symbol("main.vtable{t}", 1), 16),
        ("type == 2 ? object : id", Base::Object(4), 0),
    ];
    for (text, base, number) in table {
        let formula = read(text);
        let value = formula.value(&receivers).expect("a value");
        assert_eq!(value.base, Some(base), "{text}");
        assert_eq!(
            value.at(|_| 0x1000),
            Ok(number.wrapping_add(0x1000)),
            "{text}"
        );
        assert!(formula.number(&receivers).is_err(), "{text}");
    }
    for text in [
        "object * 2",
        "object + next",
        "id - object",
        "~object",
        "object == next",
        "object / 2",
    ] {
        assert!(read(text).value(&receivers).is_err(), "{text}");
    }
    assert!(read("id / (tag - 1)").value(&receivers).is_err());
    let tagged = read("object + 8 | 12");
    let tagged = tagged.value(&receivers).expect("a value");
    assert_eq!(tagged.at(|_| 0x1008), Ok(0x101c));
    assert!(tagged.at(|_| 0x1000).is_err());
}

#[test]
fn what_is_no_formula_is_refused_where_it_stops_being_one() {
    let deep = "(".repeat(100);
    let long = vec!["id"; 100].join("+");
    #[rustfmt::skip] // a table: a text, and the characters in front of what is wrong
    let table = [
        ("", 0), ("id +", 4), ("id id", 3), ("(id", 3), ("idd", 0), ("2 + idd", 4), ("id ? 1", 6),
        ("0x", 0), ("18446744073709551616", 0), ("\"x", 0), ("\"\"", 0), ("id.type", 0), ("next.second.id", 0),
        ("$", 0), ("id && type", 4), ("second.second.id", 0), ("next.element", 0),
        (&deep, 65), (&long, 195),
    ];
    for (text, at) in table {
        let refused = Formula::parse(text, &Known::default()).expect_err(text);
        assert_eq!(refused.at, at, "{text}: {refused:?}");
        assert!(!refused.help.is_empty());
    }
    let near = Formula::parse("typ", &Known::default()).expect_err("no name");
    assert_eq!(near.help, "did you mean `type`?");
}

#[test]
fn words_of_an_object_are_seen_from_where_they_are_named() {
    let words = [("tint", "id * 16 + tag"), ("link", "next")];
    let words = words.map(|(name, text)| (name.to_string(), read(text)));
    let known = Known {
        words: words.into(),
    };
    let of = |text| Formula::parse(text, &known).expect("a formula");
    assert_eq!(of("tint"), read("id * 16 + tag"));
    assert_eq!(of("next.tint"), read("next.id * 16 + next.tag"));
    assert_eq!(
        of("second.next.tint"),
        read("second.next.id * 16 + second.next.tag")
    );
    assert_eq!(of("next.link"), read("next.next"));
}

#[test]
fn a_formula_that_is_printed_is_the_same_when_it_is_read_again() {
    for text in [
        "3 * id + tag",
        "1 - 2 - 3",
        "1 - (2 - 3)",
        "~id & 7",
        "type == 1 ? object : 0xfffc << 48 | id",
        "second.next.tag",
        "\"go.itab.main.T{t},main.I\" + 24",
        "-5",
        "0 - id",
        "element % 8",
    ] {
        let formula = read(text);
        assert_eq!(read(&formula.to_string()), formula, "{text}");
    }
}
