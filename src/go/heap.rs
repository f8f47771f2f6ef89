//! Lays out the data a scenario needs: types, the interface type, itabs and objects.
//!
//! Correct means: offsets follow [`layout`], every pointer field is listed with the
//! symbol it points to, and nothing here knows an address.

use serde::{Deserialize, Serialize};

use super::{Release, hash, layout, symbol};
use crate::template::HeapKind;

/// What to lay out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeapSpec {
    /// What the walk visits.
    pub kind: HeapKind,
    /// Names of the dynamic types, in order.
    pub types: Vec<String>,
    /// The interface's methods, in `fun` order.
    pub methods: Vec<String>,
    /// The type of each object, an index into `types`.
    pub objects: Vec<u32>,
    /// Whose layouts and hashes apply.
    pub release: Release,
    /// Whether every receiver's pointer is nil.
    pub nil_receiver: bool,
}

/// A named piece of the heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSymbol {
    /// Go's name for it.
    pub name: String,
    /// Bytes from the start of the heap.
    pub offset: u32,
    /// Bytes it takes.
    pub size: u32,
}

/// A 64-bit field that holds the address of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// Bytes from the start of the heap.
    pub offset: u32,
    /// What it points to.
    pub symbol: String,
    /// Added to the symbol's address.
    pub addend: u32,
}

/// A named field, for the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the heap.
    pub offset: u32,
    /// Bytes it takes.
    pub size: u32,
    /// Go's own name for it.
    pub name: String,
}

/// One word of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A nil pointer.
    Nil,
    /// The address of a symbol of this heap, by index; the template may have replaced it.
    Symbol(usize),
    /// An address inside the heap, bytes from its start.
    Heap(u32),
}

/// What the harness loads for one iteration: `rax`, and `rbx` where the kind has two words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Goes to `rax`.
    pub first: Word,
    /// Goes to `rbx`.
    pub second: Option<Word>,
}

/// The laid-out data of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heap {
    /// The bytes, pointer fields zero.
    pub bytes: Vec<u8>,
    /// What has a name, ascending by offset.
    pub symbols: Vec<DataSymbol>,
    /// The pointer fields.
    pub pointers: Vec<Pointer>,
    /// What each byte means, ascending by offset.
    pub fields: Vec<Field>,
    /// One receiver an object.
    pub receivers: Vec<Receiver>,
}

/// Objects beyond this many are one array without a name for each.
const NAMED_OBJECTS: usize = 4096;

/// The interface's name: that of the package of the first type, then `I`.
fn interface_name(spec: &HeapSpec) -> String {
    let package = spec
        .types
        .first()
        .map_or("main", |name| symbol::package(name));
    format!("{package}.I")
}

/// Lays out types, interface type, itabs and objects, in that order.
///
/// # Errors
/// Where the release's type hash is not known.
pub fn lay_out(spec: &HeapSpec) -> Result<Heap, String> {
    let mut heap = Heap::default();
    if spec.kind == HeapKind::None {
        return Ok(heap);
    }
    let interface = interface_name(spec);
    for name in &spec.types {
        heap.add_type(name, spec)?;
    }
    if matches!(spec.kind, HeapKind::Iface | HeapKind::Eface) {
        heap.add_interface_type(&interface, spec)?;
    }
    if spec.kind == HeapKind::Iface {
        for name in &spec.types {
            heap.add_itab(name, &interface, spec)?;
        }
    }
    heap.add_objects(&interface, spec);
    Ok(heap)
}

impl Heap {
    fn begin(&mut self, name: String, size: u32, align: u32) -> u32 {
        let offset = (self.bytes.len() as u32).next_multiple_of(align);
        self.bytes.resize((offset + size) as usize, 0);
        self.symbols.push(DataSymbol { name, offset, size });
        offset
    }

    fn put(&mut self, offset: u32, name: &str, bytes: &[u8]) {
        let at = offset as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.fields.push(Field {
            offset,
            size: bytes.len() as u32,
            name: name.to_string(),
        });
    }

    fn point(&mut self, offset: u32, name: &str, symbol: String, addend: u32) {
        self.fields.push(Field {
            offset,
            size: 8,
            name: name.to_string(),
        });
        self.pointers.push(Pointer {
            offset,
            symbol,
            addend,
        });
    }

    /// The fields every type begins with. What generated code never reads (algorithm, garbage
    /// collection mask, name offsets) stays zero.
    fn put_type(&mut self, at: u32, size: u64, kind: u8, hash: u32) {
        self.put(at + layout::TYPE_SIZE_FIELD, "size", &size.to_le_bytes());
        self.put(at + layout::TYPE_PTRDATA, "ptrdata", &0u64.to_le_bytes());
        self.put(at + layout::TYPE_HASH, "hash", &hash.to_le_bytes());
        self.put(at + layout::TYPE_TFLAG, "tflag", &[0]);
        self.put(at + layout::TYPE_ALIGN, "align", &[4]);
        self.put(at + layout::TYPE_FIELD_ALIGN, "fieldAlign", &[4]);
        self.put(at + layout::TYPE_KIND, "kind", &[kind]);
    }

    fn add_type(&mut self, name: &str, spec: &HeapSpec) -> Result<(), String> {
        let hash = hash::type_hash(spec.release, name)?;
        let at = self.begin(symbol::type_descriptor(name), layout::TYPE_SIZE, 32);
        self.put_type(at, 4, layout::KIND_STRUCT, hash);
        Ok(())
    }

    fn add_interface_type(&mut self, interface: &str, spec: &HeapSpec) -> Result<(), String> {
        let hash = hash::type_hash(spec.release, interface)?;
        let count = spec.methods.len() as u32;
        let name = symbol::type_descriptor(interface);
        let size = layout::INTERFACE_TYPE_SIZE + count * layout::IMETHOD_SIZE;
        let at = self.begin(name.clone(), size, 32);
        self.put_type(at, 16, layout::KIND_INTERFACE, hash);
        let methods = at + layout::INTERFACE_METHODS;
        self.point(methods, "methods.ptr", name, layout::INTERFACE_TYPE_SIZE);
        self.put(methods + 8, "methods.len", &u64::from(count).to_le_bytes());
        self.put(methods + 16, "methods.cap", &u64::from(count).to_le_bytes());
        Ok(())
    }

    fn add_itab(&mut self, name: &str, interface: &str, spec: &HeapSpec) -> Result<(), String> {
        let hash = hash::type_hash(spec.release, name)?;
        let fun = layout::itab_fun(spec.release);
        let size = fun + 8 * spec.methods.len() as u32;
        let at = self.begin(symbol::itab(name, interface), size, 8);
        self.point(
            at + layout::ITAB_INTER,
            "inter",
            symbol::type_descriptor(interface),
            0,
        );
        self.point(
            at + layout::ITAB_TYPE,
            "_type",
            symbol::type_descriptor(name),
            0,
        );
        self.put(
            at + layout::itab_hash(spec.release),
            "hash",
            &hash.to_le_bytes(),
        );
        for (slot, method) in spec.methods.iter().enumerate() {
            let offset = at + fun + 8 * slot as u32;
            self.point(
                offset,
                &format!("fun[{slot}]"),
                symbol::pointer_method(name, method),
                0,
            );
        }
        Ok(())
    }

    fn index_of(&self, name: &str) -> Word {
        match self.symbols.iter().position(|symbol| symbol.name == name) {
            Some(index) => Word::Symbol(index),
            None => unreachable!("{name} was laid out before the objects"),
        }
    }

    /// All objects and what the harness loads for each: few by name, many as one array.
    fn add_objects(&mut self, interface: &str, spec: &HeapSpec) {
        let is_named = spec.objects.len() <= NAMED_OBJECTS;
        let first_words: Vec<Option<Word>> = spec
            .types
            .iter()
            .map(|name| match spec.kind {
                HeapKind::Iface => Some(self.index_of(&symbol::itab(name, interface))),
                HeapKind::Eface => Some(self.index_of(&symbol::type_descriptor(name))),
                HeapKind::None | HeapKind::Pointer | HeapKind::Func => None,
            })
            .collect();
        let all = spec.objects.len() as u32 * layout::OBJECT_SIZE;
        if !is_named {
            self.begin("objects".into(), all, layout::OBJECT_SIZE);
            self.bytes.truncate(self.bytes.len() - all as usize);
        }
        for (number, &type_index) in spec.objects.iter().enumerate() {
            let at = (self.bytes.len() as u32).next_multiple_of(layout::OBJECT_SIZE);
            if is_named {
                self.begin(
                    format!("object[{number}]"),
                    layout::OBJECT_SIZE,
                    layout::OBJECT_SIZE,
                );
            } else {
                self.bytes.resize((at + layout::OBJECT_SIZE) as usize, 0);
            }
            self.put_object(at, number, &spec.types[type_index as usize], spec);
            let pointer = if spec.nil_receiver {
                Word::Nil
            } else {
                Word::Heap(at)
            };
            self.receivers
                .push(match &first_words[type_index as usize] {
                    Some(first) => Receiver {
                        first: first.clone(),
                        second: Some(pointer),
                    },
                    None => Receiver {
                        first: pointer,
                        second: None,
                    },
                });
        }
    }

    /// An object: its id at offset 0. A func value: the code pointer at 0 and the id behind it.
    fn put_object(&mut self, at: u32, number: usize, type_name: &str, spec: &HeapSpec) {
        let id = (number as u32 + 1).to_le_bytes();
        if spec.kind == HeapKind::Func {
            let method = spec.methods.first().map_or("Call", String::as_str);
            self.point(at, "fn", symbol::pointer_method(type_name, method), 0);
            self.put(at + 8, "id", &id);
        } else {
            self.put(at, "id", &id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(release: &str) -> HeapSpec {
        HeapSpec {
            kind: HeapKind::Iface,
            types: vec!["main.T0".into(), "main.T1".into()],
            methods: vec!["Add".into(), "Sub".into()],
            objects: vec![0, 1, 0],
            release: release.parse().expect("a release"),
            nil_receiver: false,
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
        let Word::Symbol(tab) = heap.receivers[1].first else {
            panic!("an interface's first word is its itab")
        };
        assert_eq!(heap.symbols[tab].name, "go.itab.main.T1,main.I");
    }

    #[test]
    fn many_objects_are_one_array_laid_out_as_the_named_ones() {
        let mut many = spec("1.27");
        many.objects = vec![0; NAMED_OBJECTS + 1];
        let heap = lay_out(&many).expect("lays out");
        let array = symbol(&heap, "objects");
        assert_eq!(array.size, (NAMED_OBJECTS as u32 + 1) * layout::OBJECT_SIZE);
        assert_eq!(heap.bytes.len() as u32, array.offset + array.size);
        let last = heap.bytes.len() - layout::OBJECT_SIZE as usize;
        assert_eq!(
            heap.bytes[last..last + 4],
            (NAMED_OBJECTS as u32 + 1).to_le_bytes()
        );
    }

    #[test]
    fn nothing_overlaps() {
        let heap = lay_out(&spec("1.27")).expect("lays out");
        for pair in heap.symbols.windows(2) {
            assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{pair:?}");
        }
    }
}
