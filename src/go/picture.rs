//! The tree of `show --heap`: from an interface value to its itab, its types and its methods.
//!
//! Correct means: each arrow is a pointer of the heap, drawn at the offset where the bytes have it, and
//! one receiver of each type stands for all that are like it.

use std::cell::Cell;
use std::fmt::Write as _;

use super::heap::{DataSymbol, Field, Heap, HeapSpec};
use super::layout;
use super::object::Word;
use crate::formula::{Base, Formula, Receivers};
use crate::go::HeapKind;

/// Types that are drawn; the others are like them.
const DRAWN_TYPES: usize = 3;
/// Methods that are drawn of an interface.
const DRAWN_METHODS: usize = 8;

/// A line of the tree and what hangs under it.
struct Node {
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn new(text: String) -> Node {
        Node {
            text,
            below: Vec::new(),
        }
    }
}

/// Draws one receiver of each type. `is_own` tells whether a symbol is the heap's own, and not one that
/// the template put in its place.
pub fn picture(heap: &Heap, spec: &HeapSpec, is_own: &dyn Fn(&str) -> bool) -> String {
    let drawer = Drawer {
        heap,
        spec,
        is_own,
        has_interface: Cell::new(false),
    };
    let mut out = String::new();
    let mut seen = vec![false; spec.types.len()];
    let mut drawn = 0;
    for (number, &of) in spec.objects.iter().enumerate() {
        let known = seen
            .get_mut(of as usize)
            .is_none_or(|one| std::mem::replace(one, true));
        if known {
            continue;
        }
        drawn += 1;
        if drawn <= DRAWN_TYPES {
            write_tree(&mut out, &drawer.receiver(number), "", "");
        }
    }
    if drawn > DRAWN_TYPES {
        let more = drawn - DRAWN_TYPES;
        let several = if more == 1 { "" } else { "s" };
        let _ = writeln!(out, "... {more} type{several} more like it");
    }
    out
}

fn write_tree(out: &mut String, node: &Node, first: &str, others: &str) {
    let _ = writeln!(out, "{first}{}", node.text);
    for (number, below) in node.below.iter().enumerate() {
        let is_last = number + 1 == node.below.len();
        let rest = if is_last { "    " } else { "|   " };
        write_tree(
            out,
            below,
            &format!("{others}+-- "),
            &format!("{others}{rest}"),
        );
    }
}

struct Drawer<'a> {
    heap: &'a Heap,
    spec: &'a HeapSpec,
    is_own: &'a dyn Fn(&str) -> bool,
    /// Whether the interface, the same of all receivers, is drawn already.
    has_interface: Cell<bool>,
}

impl Drawer<'_> {
    fn receiver(&self, number: usize) -> Node {
        let words: &[&str] = match self.spec.kind {
            HeapKind::None => &[],
            HeapKind::Pointer => &["pointer"],
            HeapKind::Func => &["func"],
            HeapKind::Iface => &["tab ", "data"],
            HeapKind::Eface => &["_type", "data "],
        };
        let kind = match self.spec.kind {
            HeapKind::Iface => ", an iface",
            HeapKind::Eface => ", an eface",
            _ => "",
        };
        let mut root = Node::new(format!("receiver[{number}]{kind}"));
        for (register, word) in ["rax", "rbx"].iter().zip(&self.spec.words) {
            let text = format!("{register} {}", self.value(word, number));
            root.below.push(Node::new(text));
        }
        if !self.spec.words.is_empty() {
            root.below.push(self.object("", number));
            return root;
        }
        let of = self.spec.objects[number] as usize;
        let first = self.heap.first_words.get(of);
        let first = first.and_then(|name| self.heap.symbols.iter().find(|own| own.name == *name));
        for (at, word) in words.iter().enumerate() {
            if self.spec.nil_interface {
                root.below.push(Node::new(format!("{word} -> nil")));
                continue;
            }
            root.below.push(match first {
                Some(symbol) if at == 0 => {
                    self.pointed(format!("{word} -> {}", symbol.name), symbol)
                }
                _ => self.object(word, number),
            });
        }
        root
    }

    /// The word that points to an object.
    fn object(&self, word: &str, number: usize) -> Node {
        if self.spec.nil_receiver {
            return Node::new(format!("{word} -> nil"));
        }
        let text = match word {
            "" => format!("object[{number}]"),
            word => format!("{word} -> object[{number}]"),
        };
        if let Some(shape) = &self.spec.object {
            let word = |word: &Word| {
                let value = self.value(&word.value, number);
                Node::new(format!("+{} {} {value}", word.offset, word.name))
            };
            let below = shape.words.iter().map(word).collect();
            return Node { text, below };
        }
        let at = self.heap.objects + number as u32 * self.spec.object_bytes();
        let below = self.fields(at, self.spec.object_bytes());
        Node {
            text,
            below: below.map(|field| self.field(field, at)).collect(),
        }
    }

    /// What a formula gives for an object: a number, or what it is an address of.
    fn value(&self, formula: &Formula, number: usize) -> String {
        let object = number as u32;
        let of = Receivers {
            types: &self.spec.objects,
            object,
            second: object,
            element: 0,
        };
        let Ok(value) = formula.value(&of) else {
            return "none".to_string();
        };
        let target = match value.base {
            None => return value.number.to_string(),
            Some(Base::Object(object)) => format!("object[{object}]"),
            Some(Base::Symbol(name, number)) => name.replace("{t}", &number.to_string()),
        };
        match value.number | value.bits {
            0 => format!("-> {target}"),
            more => format!("-> {target} and {more:#x}"),
        }
    }

    /// An itab or a type, with what it says.
    fn pointed(&self, text: String, symbol: &DataSymbol) -> Node {
        if !(self.is_own)(&symbol.name) {
            return Node::new(format!("{text}, the template's own"));
        }
        if !symbol.name.starts_with("go.itab.") {
            return self.described(text, symbol);
        }
        let mut node = Node::new(text);
        let fun = layout::itab_fun(self.spec.release).offset + symbol.offset;
        let mut methods = 0;
        for field in self.fields(symbol.offset, symbol.size) {
            methods += usize::from(field.offset >= fun);
            if methods <= DRAWN_METHODS && field.is_modelled {
                node.below.push(self.field(field, symbol.offset));
            }
        }
        if methods > DRAWN_METHODS {
            let more = methods - DRAWN_METHODS;
            node.below.push(Node::new(format!("... {more} more")));
        }
        node
    }

    /// A type, with its methods where it is an interface.
    fn described(&self, text: String, symbol: &DataSymbol) -> Node {
        let word = |field: layout::Field| self.number(symbol.offset + field.offset, field.size);
        let kind = match word(layout::TYPE_KIND) as u8 & 31 {
            layout::KIND_STRUCT => "a struct",
            layout::KIND_POINTER => "a pointer",
            layout::KIND_INTERFACE => "an interface",
            _ => "a type",
        };
        if kind == "an interface" && self.has_interface.replace(true) {
            return Node::new(format!("{text}, as above"));
        }
        let size = word(layout::TYPE_SIZE_FIELD);
        let hash = word(layout::TYPE_HASH);
        let mut node = Node::new(format!("{text}: {kind} of {size} bytes, hash {hash:#010x}"));
        if kind == "an interface" {
            let methods = symbol.offset + layout::INTERFACE_TYPE_SIZE;
            for number in 0..self.spec.methods.len().min(DRAWN_METHODS) {
                let at = methods + number as u32 * layout::IMETHOD_SIZE;
                let name = &self.spec.methods[number];
                let led = self.led_to(at + layout::IMETHOD_TYPE.offset);
                let led = led.map_or("", super::symbol::described_type);
                let inside = at - symbol.offset;
                node.below
                    .push(Node::new(format!("+{inside} {name}, {led}")));
            }
            let more = self.spec.methods.len().saturating_sub(DRAWN_METHODS);
            if more > 0 {
                node.below.push(Node::new(format!("... {more} more")));
            }
        }
        node
    }

    /// A field of what begins at `start`.
    fn field(&self, field: &Field, start: u32) -> Node {
        let text = format!("+{} {}", field.offset - start, field.name);
        let pointers = &self.heap.pointers;
        let Ok(index) = pointers.binary_search_by_key(&field.offset, |one| one.offset) else {
            let value = self.number(field.offset, field.size);
            let is_hash = field.name.eq_ignore_ascii_case("hash");
            return Node::new(if is_hash {
                format!("{text} {value:#010x}")
            } else {
                format!("{text} {value}")
            });
        };
        let target = &pointers[index].symbol;
        let text = format!("{text} -> {target}");
        let symbol = self.heap.symbols.iter().find(|one| one.name == *target);
        symbol.map_or_else(
            || Node::new(text.clone()),
            |symbol| self.pointed(text.clone(), symbol),
        )
    }

    /// The fields of a stretch of the heap.
    fn fields(&self, start: u32, size: u32) -> impl Iterator<Item = &Field> {
        let first = self
            .heap
            .fields
            .partition_point(|field| field.offset < start);
        let fields = self.heap.fields[first..].iter();
        fields.take_while(move |field| field.offset < start + size)
    }

    fn covering(&self, at: u32) -> Option<&DataSymbol> {
        let after = self.heap.symbols.partition_point(|one| one.offset <= at);
        after.checked_sub(1).map(|at| &self.heap.symbols[at])
    }

    /// The symbol that an offset field leads to.
    fn led_to(&self, field: u32) -> Option<&str> {
        let offsets = &self.heap.offsets;
        let index = offsets
            .binary_search_by_key(&field, |one| one.offset)
            .ok()?;
        self.covering(offsets[index].target)
            .map(|one| one.name.as_str())
    }

    fn number(&self, at: u32, size: u32) -> u64 {
        let at = at as usize;
        let mut wide = [0; 8];
        wide[..size as usize].copy_from_slice(&self.heap.bytes[at..at + size as usize]);
        u64::from_le_bytes(wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::lay_out;

    fn spec(kind: HeapKind, types: u32) -> HeapSpec {
        HeapSpec {
            kind,
            types: (0..types).map(|number| format!("main.T{number}")).collect(),
            methods: vec!["Add".into(), "Sub".into()],
            signatures: vec!["(int32, int32) int32".into()],
            objects: (0..2 * types).map(|number| number % types).collect(),
            release: "1.10".parse().expect("a release"),
            nil_receiver: false,
            nil_interface: false,
            indexed: false,
            object: None,
            words: Vec::new(),
            interfaces: Vec::new(),
        }
    }

    fn drawn(spec: &HeapSpec) -> String {
        picture(&lay_out(spec).expect("lays out"), spec, &|_| true)
    }

    #[test]
    fn an_iface_leads_to_its_itab_its_types_and_its_methods() {
        let hash = crate::go::hash::type_hash("1.10".parse().expect("one"), "main.T0");
        let hash = hash.expect("known");
        let inter = crate::go::hash::type_hash("1.10".parse().expect("one"), "main.I");
        let inter = inter.expect("known");
        let expected = format!(
            "receiver[0], an iface\n\
             +-- tab  -> go.itab.main.T0,main.I\n\
             |   +-- +0 inter -> type.main.I: an interface of 16 bytes, hash {inter:#010x}\n\
             |   |   +-- +80 Add, func(int32, int32) int32\n\
             |   |   +-- +88 Sub, func()\n\
             |   +-- +8 _type -> type.main.T0: a struct of 4 bytes, hash {hash:#010x}\n\
             |   +-- +16 hash {hash:#010x}\n\
             |   +-- +24 fun[0] -> main.(*T0).Add\n\
             |   +-- +32 fun[1] -> main.(*T0).Sub\n\
             +-- data -> object[0]\n\
             \x20   +-- +0 id 1\n"
        );
        assert_eq!(drawn(&spec(HeapKind::Iface, 1)), expected);
    }

    #[test]
    fn of_many_types_the_first_few_are_drawn() {
        let text = drawn(&spec(HeapKind::Iface, 9));
        assert_eq!(text.matches("receiver[").count(), DRAWN_TYPES);
        let again = text.matches("-> type.main.I, as above\n").count();
        assert_eq!(again, DRAWN_TYPES - 1, "{text}");
        assert!(text.ends_with("... 6 types more like it\n"), "{text}");
    }

    #[test]
    fn other_receivers_lead_to_what_they_have() {
        let eface = drawn(&spec(HeapKind::Eface, 1));
        assert!(
            eface.contains("+-- _type -> type.main.T0: a struct"),
            "{eface}"
        );
        let func = drawn(&spec(HeapKind::Func, 1));
        assert!(func.contains("+0 fn -> main.(*T0).Add"), "{func}");
        let mut nil = spec(HeapKind::Iface, 1);
        nil.nil_receiver = true;
        assert!(drawn(&nil).contains("data -> nil"));
    }

    #[test]
    fn what_the_template_replaced_is_said_to_be_its_own() {
        let spec = spec(HeapKind::Iface, 1);
        let heap = lay_out(&spec).expect("lays out");
        let text = picture(&heap, &spec, &|name| !name.starts_with("go.itab."));
        assert!(
            text.contains("tab  -> go.itab.main.T0,main.I, the template's own\n"),
            "{text}"
        );
        assert!(!text.contains("fun[0]"), "{text}");
    }
}
