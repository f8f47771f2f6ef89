//! The heap against Go's listings, and against second ways to read it.

use super::*;

fn spec(release: &str) -> HeapSpec {
    HeapSpec {
        kind: HeapKind::Iface,
        types: vec!["main.T0".into(), "main.T1".into()],
        methods: vec!["Add".into(), "Sub".into()],
        signatures: vec!["(int32, int32) int32".into()],
        objects: vec![0, 1, 0],
        release: release.parse().expect("a release"),
        nil_receiver: false,
        nil_interface: false,
        indexed: false,
        object: None,
        words: Vec::new(),
        interfaces: Vec::new(),
    }
}

fn symbol<'a>(heap: &'a Heap, name: &str) -> &'a DataSymbol {
    heap.symbols
        .iter()
        .find(|symbol| symbol.name == name)
        .expect(name)
}

#[test]
fn an_itab_holds_the_hash_at_16_and_the_methods_from_24() {
    let heap = lay_out(&spec("1.27")).expect("lays out");
    let itab = symbol(&heap, "go.itab.main.T1,main.I");
    assert_eq!(itab.size, 40);
    let hash = hash::type_hash("1.27".parse().expect("a release"), "main.T1").expect("known");
    let at = itab.offset as usize;
    assert_eq!(heap.bytes[at + 16..at + 20], hash.to_le_bytes());
    let funs: Vec<_> = heap
        .pointers
        .iter()
        .filter(|p| p.offset >= itab.offset + 24 && p.offset < itab.offset + itab.size)
        .map(|p| (p.offset - itab.offset, p.symbol.as_str()))
        .collect();
    assert_eq!(funs, [(24, "main.(*T1).Add"), (32, "main.(*T1).Sub")]);
}

#[test]
fn up_to_go_1_9_the_methods_start_at_32() {
    let heap = lay_out(&spec("1.9")).expect("lays out");
    let itab = symbol(&heap, "go.itab.main.T0,main.I");
    assert_eq!(itab.size, 48);
    assert!(
        heap.pointers
            .iter()
            .any(|p| p.offset == itab.offset + 32 && p.symbol == "main.(*T0).Add")
    );
}

#[test]
fn objects_count_their_ids_from_one() {
    let heap = lay_out(&spec("1.27")).expect("lays out");
    for number in 0..3u32 {
        let at = symbol(&heap, &format!("object[{number}]")).offset as usize;
        assert_eq!(heap.bytes[at..at + 4], (number + 1).to_le_bytes());
    }
    assert_eq!(symbol(&heap, "object[0]").offset, heap.objects);
    assert_eq!(heap.first_words[1], "go.itab.main.T1,main.I");
}

#[test]
fn many_objects_are_one_array_laid_out_as_the_named_ones() {
    let mut many = spec("1.27");
    many.objects = vec![0; NAMED_OBJECTS + 1];
    let heap = lay_out(&many).expect("lays out");
    let array = symbol(&heap, "objects");
    assert_eq!(array.size, (NAMED_OBJECTS as u32 + 1) * layout::OBJECT_SIZE);
    assert!(array.offset as usize >= heap.bytes.len() && array.offset == heap.objects);
    assert_eq!(array.offset + array.size, heap.size);
    let mut written = vec![0; array.size as usize];
    heap.write_objects(&many, &mut written);
    many.objects.pop();
    let named = lay_out(&many).expect("lays out");
    let first = named.objects as usize;
    let length = NAMED_OBJECTS * layout::OBJECT_SIZE as usize;
    assert_eq!(written[..length], named.bytes[first..first + length]);
    assert_eq!(
        written[length..length + 4],
        (NAMED_OBJECTS as u32 + 1).to_le_bytes()
    );
}

#[test]
fn every_byte_of_a_type_belongs_to_one_field() {
    for release in ["1.10", "1.27"] {
        let heap = lay_out(&spec(release)).expect("lays out");
        for name in ["type.main.T0", "type.main.I"] {
            let symbol = symbol(&heap, name);
            let range = symbol.offset..symbol.offset + symbol.size;
            let mut at = symbol.offset;
            for field in heap.fields.iter().filter(|f| range.contains(&f.offset)) {
                assert_eq!(field.offset, at, "{name}: {}", field.name);
                at += field.size;
            }
            assert_eq!(at, range.end, "{name}");
        }
    }
}

/// A second way from a name's bytes to its text.
fn text_of_name(heap: &Heap, at: u32, release: &str) -> String {
    let bytes = &heap.bytes[at as usize..];
    let (length, start) = match release {
        "1.27" => (usize::from(bytes[1]), 2),
        _ => (usize::from(bytes[1]) * 256 + usize::from(bytes[2]), 3),
    };
    String::from_utf8(bytes[start..start + length].to_vec()).expect("text")
}

fn word(heap: &Heap, at: u32) -> u32 {
    let at = at as usize;
    u32::from_le_bytes(heap.bytes[at..at + 4].try_into().expect("4 bytes"))
}

#[test]
fn every_offset_leads_to_a_name_or_a_type() {
    for release in ["1.9", "1.10", "1.27"] {
        let heap = lay_out(&spec(release)).expect("lays out");
        for offset in &heap.offsets {
            assert_eq!(word(&heap, offset.offset), offset.target);
            let target = heap.symbols.iter().find(|own| own.offset == offset.target);
            let target = &target.expect("a symbol begins there").name;
            if let Some(name) = target.strip_prefix("type..namedata.") {
                let text = text_of_name(&heap, offset.target, release);
                assert_eq!(format!("{text}."), name.replace('-', "."), "{release}");
            }
        }
        for own in heap
            .symbols
            .iter()
            .filter(|own| own.name.starts_with("type."))
        {
            let is_type = !own.name.starts_with("type..");
            let has_name = heap.offsets.iter().any(|one| one.offset == own.offset + 40);
            assert_eq!(is_type, has_name, "{release}: {}", own.name);
        }
    }
}

#[test]
fn the_methods_of_an_interface_have_names_and_types() {
    for release in ["1.10", "1.27"] {
        let heap = lay_out(&spec(release)).expect("lays out");
        let methods = symbol(&heap, "type.main.I").offset + 80;
        let type_at = |at: u32| {
            let target = word(&heap, at);
            let own = heap.symbols.iter().find(|own| own.offset == target);
            own.expect("a symbol").name.clone()
        };
        let name_at = |at: u32| text_of_name(&heap, word(&heap, at), release);
        assert_eq!(name_at(methods), "Add");
        assert_eq!(type_at(methods + 4), "type.func(int32, int32) int32");
        assert_eq!(name_at(methods + 8), "Sub");
        assert_eq!(
            type_at(methods + 12),
            "type.func()",
            "the header does not tell"
        );
        let adds = symbol(&heap, "type.func(int32, int32) int32");
        let count = word(&heap, adds.offset + 48);
        assert_eq!(count, 2 | 1 << 16, "two arguments, one result");
        let ends = |name: &str| {
            let all = heap.pointers.iter().filter(|one| one.symbol == name);
            all.filter(|one| (adds.offset + 56..adds.offset + 80).contains(&one.offset))
                .count()
        };
        assert_eq!(ends("type.int32"), 3);
    }
}

#[test]
fn what_is_noted_and_what_points_ascends() {
    let mut pointers = spec("1.27");
    pointers.types = vec!["*main.T0".into(), "*main.T1".into()];
    let mut deep = spec("1.27");
    deep.types = vec!["*".repeat(100_000) + "main.T"];
    deep.objects = vec![0];
    for spec in [spec("1.9"), spec("1.27"), pointers, deep] {
        let heap = lay_out(&spec).expect("lays out");
        assert!(heap.fields.is_sorted_by_key(|field| field.offset));
        assert!(heap.pointers.is_sorted_by_key(|pointer| pointer.offset));
        assert!(heap.offsets.is_sorted_by_key(|offset| offset.offset));
    }
}

/// Bytes of a listing of an object file.
fn listed(text: &str) -> Vec<u8> {
    let bytes = text.split_whitespace();
    bytes
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex"))
        .collect()
}

#[test]
fn the_itabs_of_the_book_are_those_of_its_object_files() {
    // go-internals, chapter II: all zero but the hash, and four relocations.
    for (name, hash, methods) in [
        ("main.Adder", "8a 3d 5f 61", "main.(*Adder)"),
        ("*main.Calculator", "5e 33 ca c8", "main.(*Calculator)"),
    ] {
        let mut spec = spec("1.10");
        spec.types = vec![name.into()];
        spec.objects = vec![0];
        let heap = lay_out(&spec).expect("lays out");
        let itab = symbol(&heap, &format!("go.itab.{name},main.I"));
        assert_eq!(itab.size, 40);
        let zeros = "00 ".repeat(16);
        let expected = listed(&format!("{zeros}{hash} {zeros}00 00 00 00"));
        let at = itab.offset as usize;
        assert_eq!(heap.bytes[at..at + 40], expected, "{name}");
        let range = itab.offset..itab.offset + 40;
        let relocations = heap
            .pointers
            .iter()
            .filter(|one| range.contains(&one.offset));
        let relocations: Vec<(u32, &str)> = relocations
            .map(|one| (one.offset - itab.offset, one.symbol.as_str()))
            .collect();
        let expected = [
            (0, "type.main.I".to_string()),
            (8, format!("type.{name}")),
            (24, format!("{methods}.Add")),
            (32, format!("{methods}.Sub")),
        ];
        let expected: Vec<(u32, &str)> = expected
            .iter()
            .map(|(at, name)| (*at, name.as_str()))
            .collect();
        assert_eq!(relocations, expected);
    }
}

#[test]
fn up_to_go_1_9_an_itab_has_a_link_in_front_of_the_hash_and_two_flags_behind_it() {
    let heap = lay_out(&spec("1.9")).expect("lays out");
    let itab = symbol(&heap, "go.itab.main.T0,main.I");
    let range = itab.offset..itab.offset + itab.size;
    let fields = heap
        .fields
        .iter()
        .filter(|field| range.contains(&field.offset));
    let fields: Vec<(u32, &str)> = fields
        .map(|field| (field.offset - itab.offset, &*field.name))
        .collect();
    let expected = [
        (0, "inter"),
        (8, "_type"),
        (16, "link"),
        (24, "hash"),
        (28, "bad"),
        (29, "inhash"),
        (32, "fun[0]"),
        (40, "fun[1]"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn up_to_go_1_9_the_link_of_an_itab_leads_to_an_earlier_one_of_its_chain() {
    let mut of_many = spec("1.9");
    of_many.types = (0..400).map(|number| format!("main.T{number}")).collect();
    let heap = lay_out(&of_many).expect("lays out");
    let hash = |name: &str| u64::from(hash::type_hash(of_many.release, name).expect("known"));
    let chain = |number: usize| {
        let sum = hash("main.I") + 17 * hash(&format!("main.T{number}"));
        sum % (1 << 32) % 1009
    };
    let mut linked = 0;
    for number in 0..400 {
        let itab = symbol(&heap, &format!("go.itab.main.T{number},main.I"));
        let earlier = (0..number).rev().find(|one| chain(*one) == chain(number));
        let link = heap
            .pointers
            .iter()
            .find(|one| one.offset == itab.offset + 16);
        let next = earlier.map(|one| format!("go.itab.main.T{one},main.I"));
        assert_eq!(link.map(|one| one.symbol.clone()), next, "{number}");
        assert_eq!(heap.bytes[itab.offset as usize + 29], 1);
        linked += usize::from(link.is_some());
    }
    assert!(linked > 20, "{linked}");
}

#[test]
fn nothing_overlaps() {
    let heap = lay_out(&spec("1.27")).expect("lays out");
    for pair in heap.symbols.windows(2) {
        assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{pair:?}");
    }
}
