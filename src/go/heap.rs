//! Lays out the data a scenario needs: types, the interface type, itabs and objects.
//!
//! Correct means: offsets follow [`layout`], every pointer field is listed with the
//! symbol it points to, and nothing here knows an address.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::object::ObjectShape;
use super::types::{self, Shape, Signature};
use super::{HeapKind, Release, hash, itab_table, layout, symbol, type_data};
use crate::formula::Formula;

/// Most objects of a scenario: 1 GiB of small ones, which no cache holds. Those of the book's benchmarks over many are 2^21.
pub const MAX_OBJECTS: i64 = 1 << 26;

/// What to lay out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeapSpec {
    /// What the walk visits.
    pub kind: HeapKind,
    /// Names of the dynamic types, in order.
    pub types: Vec<String>,
    /// The interface's methods, in `fun` order.
    pub methods: Vec<String>,
    /// Their types, `(int32) int32`, in the same order; empty where the header does not tell, which
    /// is taken as `()`.
    #[serde(default)]
    pub signatures: Vec<String>,
    /// The type of each object, an index into `types`.
    #[serde(with = "crate::go::runs")]
    pub objects: Vec<u32>,
    /// Whose layouts and hashes apply.
    pub release: Release,
    /// Whether every receiver's pointer is nil.
    pub nil_receiver: bool,
    /// Whether every receiver is an interface that holds nothing; its pointer is nil then, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nil_interface: bool,
    /// Whether the receivers stand in an array of their own, in the order of the objects, and the walk has
    /// only their numbers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub indexed: bool,
    /// What each object holds, where it is more than its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectShape>,
    /// What the loop loads for a receiver, where it is not the object's address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Formula>,
    /// Interfaces beside the first one, whose itabs are there, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
}

/// An interface beside that of the walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Its name, with its package: `main.J`.
    pub name: String,
    /// Its methods, in `fun` order.
    pub methods: Vec<String>,
    /// Their types, as [`HeapSpec::signatures`] has them.
    pub signatures: Vec<String>,
}

impl HeapSpec {
    /// Whether the heap has a descriptor of that type.
    pub(super) fn lays_out(&self, name: &str) -> bool {
        let has_interface = matches!(self.kind, HeapKind::Iface | HeapKind::Eface);
        self.kind != HeapKind::None
            && (self.types.iter().any(|one| one == name)
                || has_interface
                    && self
                        .all_interfaces()
                        .iter()
                        .any(|one| one.name == name || one.names_in_a_signature(name)))
    }

    /// The interfaces whose types and itabs are laid out, that of the walk first; none where the heap has no interfaces.
    pub(super) fn all_interfaces(&self) -> Vec<Interface> {
        if !matches!(self.kind, HeapKind::Iface | HeapKind::Eface) {
            return Vec::new();
        }
        let first = Interface {
            name: interface_name(self),
            methods: self.methods.clone(),
            signatures: self.signatures.clone(),
        };
        [vec![first], self.interfaces.clone()].concat()
    }

    /// The itabs that are laid out, in order: each type's of the first interface, then of the next.
    pub(super) fn itabs(&self) -> Vec<String> {
        // A walk over empty interfaces has no itabs of its own.
        let without = usize::from(self.kind == HeapKind::Eface);
        let interfaces = self.all_interfaces().into_iter().skip(without);
        interfaces
            .flat_map(|interface| {
                let of = |name: &String| symbol::itab(name, &interface.name);
                self.types.iter().map(of).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Bytes from one object to the next.
    pub fn object_bytes(&self) -> u32 {
        let shape = self.object.as_ref();
        shape.map_or(layout::OBJECT_SIZE, |shape| shape.size)
    }

    fn object_align(&self) -> u32 {
        let shape = self.object.as_ref();
        shape.map_or(layout::OBJECT_SIZE, |shape| shape.align)
    }
}

impl Interface {
    fn names_in_a_signature(&self, name: &str) -> bool {
        let signatures = (0..self.methods.len()).filter_map(|method| self.signature(method).ok());
        let mut types = signatures.flat_map(|one| one.types().cloned().collect::<Vec<_>>());
        types.any(|one| one == name)
    }

    /// The type of a method.
    ///
    /// # Errors
    /// Where its signature cannot be read.
    pub(super) fn signature(&self, method: usize) -> Result<Signature, String> {
        match self.signatures.get(method) {
            Some(text) if !text.is_empty() => Signature::parse(text),
            _ => Ok(Signature::default()),
        }
    }
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

/// A 32-bit field that holds the offset of something, as Go's `nameOff` and `typeOff` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Bytes from the start of the heap.
    pub offset: u32,
    /// What it leads to, counted the same way.
    pub target: u32,
}

/// A named field, for the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the heap.
    pub offset: u32,
    /// Bytes it takes.
    pub size: u32,
    /// The release's own name for it.
    pub name: Cow<'static, str>,
    /// Whether it holds what Go would put there. What generated code never reads stays zero.
    pub is_modelled: bool,
}

/// The laid-out data of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heap {
    /// The bytes, pointer fields zero, without the arrays behind them.
    pub bytes: Vec<u8>,
    /// What has a name, ascending by offset.
    pub symbols: Vec<DataSymbol>,
    /// The pointer fields.
    pub pointers: Vec<Pointer>,
    /// The offset fields, ascending; their values are in the bytes.
    pub offsets: Vec<Offset>,
    /// What each byte means, ascending by offset.
    pub fields: Vec<Field>,
    /// Bytes of all, with the arrays behind `bytes`: those are large, and written where they are needed.
    pub size: u32,
    /// Where the first object stands.
    pub objects: u32,
    /// How many objects are in an array behind `bytes`: all, or none.
    pub apart: u32,
    /// By type the symbol that is the first word of a receiver, where that has two words.
    pub first_words: Vec<String>,
    /// Where the array of the receivers begins, if they are in one.
    pub array: Option<u32>,
}

/// Objects beyond this many are one array without a name for each.
const NAMED_OBJECTS: usize = 4096;
/// Types beyond this many have no names and no pointer types: they would double the time that it takes
/// to link a heap, and nothing reads them.
const NAMED_TYPES: usize = 4096;

/// Objects of such an array whose fields are noted.
const NOTED_OBJECTS: usize = 16;
/// Bytes of the id that an object holds.
const OBJECT_ID_BYTES: u32 = 4;

/// The id of an object as it stands in memory: they count from one.
fn object_id(number: u32) -> [u8; OBJECT_ID_BYTES as usize] {
    (number + 1).to_le_bytes()
}

/// The interface's name: that of the package of the first type, then `I`.
pub(super) fn interface_name(spec: &HeapSpec) -> String {
    let package = spec
        .types
        .first()
        .map_or("main", |name| symbol::package(name));
    format!("{package}.I")
}

/// Lays out types, interface type, itabs, objects and what the types refer to by offset, in that order.
///
/// # Errors
/// Where the release's type hash is not known, or a signature is none.
pub fn lay_out(spec: &HeapSpec) -> Result<Heap, String> {
    let mut heap = Heap::default();
    if spec.kind == HeapKind::None {
        return Ok(heap);
    }
    let interfaces = spec.all_interfaces();
    let hashes = spec
        .types
        .iter()
        .map(|name| hash::type_hash(spec.release, name));
    let hashes: Vec<u32> = hashes.collect::<Result<_, _>>()?;
    let first_type = heap.symbols.len();
    for (name, &hash) in spec.types.iter().zip(&hashes) {
        heap.add_type(name, hash, spec);
    }
    let mut interfaces_at = Vec::new();
    for interface in &interfaces {
        interfaces_at.push(heap.add_interface_type(interface, spec)?);
    }
    let first_itab = heap.symbols.len();
    let links = links(spec)?;
    let mut links = links.into_iter();
    // A walk over empty interfaces has no itabs of its own.
    let without_itabs = usize::from(spec.kind == HeapKind::Eface);
    for interface in interfaces.iter().skip(without_itabs) {
        for (name, &hash) in spec.types.iter().zip(&hashes) {
            heap.add_itab(name, interface, hash, links.next().flatten(), spec);
        }
    }
    let first_word = match spec.kind {
        HeapKind::Iface => Some(first_itab),
        HeapKind::Eface => Some(first_type),
        HeapKind::None | HeapKind::Pointer | HeapKind::Func => None,
    };
    let symbols = first_word.map(|first| &heap.symbols[first..first + spec.types.len()]);
    let names = symbols.into_iter().flatten();
    heap.first_words = names.map(|symbol| symbol.name.clone()).collect();
    let is_apart = spec.objects.len() > NAMED_OBJECTS && spec.kind != HeapKind::Func;
    if !is_apart {
        heap.add_objects(spec);
    }
    let laid_out = heap.symbols[first_type..].iter().zip(&spec.types);
    let types: Vec<(&str, u32)> = match spec.types.len() {
        ..=NAMED_TYPES => laid_out
            .map(|(own, name)| (name.as_str(), own.offset))
            .collect(),
        _ => Vec::new(),
    };
    let interfaces: Vec<(&Interface, u32)> = interfaces.iter().zip(interfaces_at).collect();
    type_data::add(&mut heap, spec, &interfaces, &types)?;
    heap.size = heap.bytes.len() as u32;
    if is_apart {
        heap.apart = spec.objects.len() as u32;
        heap.objects = heap.add_array("objects", heap.apart * spec.object_bytes());
        for number in 0..NOTED_OBJECTS as u32 {
            let at = heap.objects + number * spec.object_bytes();
            match &spec.object {
                Some(shape) => heap.note_words(at, shape),
                None => heap.note(at, OBJECT_ID_BYTES, "id".into(), true),
            }
        }
    }
    if spec.indexed {
        let count = spec.objects.len() as u32;
        let size = 8 * count * layout::receiver_words(spec.kind, &spec.words) as u32;
        heap.array = Some(heap.add_array("receivers", size));
    }
    Ok(heap)
}

/// Up to Go 1.9, the itab behind each in its chain of the runtime's table; those of the heap come into it first.
fn links(spec: &HeapSpec) -> Result<Vec<Option<String>>, String> {
    if !layout::has_itab_link(spec.release) {
        return Ok(Vec::new());
    }
    let itabs = spec.itabs();
    let pairs = itabs
        .iter()
        .map(|itab| itab_table::pair_of(itab, spec.release));
    let links = itab_table::chains(&pairs.collect::<Result<Vec<_>, _>>()?).links;
    let named = links.into_iter();
    Ok(named
        .map(|link| link.map(|next| itabs[next].clone()))
        .collect())
}

impl Heap {
    pub(super) fn begin(&mut self, name: String, size: u32, align: u32) -> u32 {
        let offset = (self.bytes.len() as u32).next_multiple_of(align);
        self.bytes.resize((offset + size) as usize, 0);
        self.symbols.push(DataSymbol { name, offset, size });
        offset
    }

    /// An array behind everything else, of which only the place is known.
    fn add_array(&mut self, name: &str, size: u32) -> u32 {
        let offset = self.size.next_multiple_of(64);
        let name = name.to_string();
        self.symbols.push(DataSymbol { name, offset, size });
        self.size = offset + size;
        offset
    }

    /// Writes the objects that are in an array, which `array` begins with, where they have their id alone.
    pub fn write_objects(&self, spec: &HeapSpec, array: &mut [u8]) {
        if spec.object.is_some() {
            return;
        }
        let objects = array.chunks_exact_mut(layout::OBJECT_SIZE as usize);
        for (object, number) in objects.zip(0..self.apart) {
            object[..OBJECT_ID_BYTES as usize].copy_from_slice(&object_id(number));
        }
    }

    /// The words of an object, which are written once addresses are known.
    fn note_words(&mut self, at: u32, shape: &ObjectShape) {
        for word in &shape.words {
            self.note(at + word.offset, word.bytes, word.name.clone().into(), true);
        }
    }

    fn note(&mut self, offset: u32, size: u32, name: Cow<'static, str>, is_modelled: bool) {
        self.fields.push(Field {
            offset,
            size,
            name,
            is_modelled,
        });
    }

    pub(super) fn put(&mut self, offset: u32, name: impl Into<Cow<'static, str>>, bytes: &[u8]) {
        let at = offset as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.note(offset, bytes.len() as u32, name.into(), true);
    }

    pub(super) fn point(
        &mut self,
        offset: u32,
        name: impl Into<Cow<'static, str>>,
        symbol: String,
        addend: u32,
    ) {
        self.note(offset, 8, name.into(), true);
        self.pointers.push(Pointer {
            offset,
            symbol,
            addend,
        });
    }

    /// A field of Go's that generated code never reads.
    fn leave(&mut self, at: u32, field: layout::Field, release: Release) {
        let name = field.name(release).into();
        self.note(at + field.offset, field.size, name, false);
    }

    /// The fields every type begins with. The offsets among them are filled in later.
    pub(super) fn put_type(
        &mut self,
        at: u32,
        shape: Shape,
        name: &str,
        hash: u32,
        spec: &HeapSpec,
    ) {
        let release = spec.release;
        let mut put = |field: layout::Field, bytes: &[u8]| {
            self.put(at + field.offset, field.name(release), bytes);
        };
        put(layout::TYPE_SIZE_FIELD, &shape.size.to_le_bytes());
        put(layout::TYPE_PTRDATA, &shape.pointer_bytes.to_le_bytes());
        put(layout::TYPE_HASH, &hash.to_le_bytes());
        put(layout::TYPE_TFLAG, &[shape.tflag(name, release)]);
        put(layout::TYPE_ALIGN, &[shape.align]);
        put(layout::TYPE_FIELD_ALIGN, &[shape.align]);
        put(layout::TYPE_KIND, &[shape.kind_byte(release)]);
        self.leave(at, layout::TYPE_EQUAL, release);
        self.leave(at, layout::TYPE_GCDATA, release);
        for field in [layout::TYPE_STR, layout::TYPE_PTR_TO_THIS] {
            if shape.kind == layout::KIND_INTERFACE || spec.types.len() <= NAMED_TYPES {
                self.put(at + field.offset, field.name(release), &[0; 4]);
            } else {
                self.leave(at, field, release);
            }
        }
    }

    fn add_type(&mut self, name: &str, hash: u32, spec: &HeapSpec) {
        let size = match name.starts_with('*') {
            true => layout::POINTER_TYPE_SIZE,
            false => layout::TYPE_SIZE,
        };
        let at = self.begin(symbol::type_descriptor(name), size, 32);
        self.put_type(at, Shape::of(name), name, hash, spec);
        let field = layout::POINTER_ELEMENT;
        match types::element(name).filter(|_| spec.types.len() <= NAMED_TYPES) {
            Some(element) => {
                let element = symbol::type_descriptor(element);
                self.point(at + field.offset, field.name(spec.release), element, 0);
            }
            None if name.starts_with('*') => self.leave(at, field, spec.release),
            None => {}
        }
    }

    fn add_interface_type(&mut self, of: &Interface, spec: &HeapSpec) -> Result<u32, String> {
        let release = spec.release;
        let interface = of.name.as_str();
        let hash = hash::type_hash(release, interface)?;
        let count = of.methods.len() as u32;
        let name = symbol::type_descriptor(interface);
        let size = layout::INTERFACE_TYPE_SIZE + count * layout::IMETHOD_SIZE;
        let at = self.begin(name.clone(), size, 32);
        self.put_type(at, types::INTERFACE, interface, hash, spec);
        let path = symbol::import_path(symbol::package(interface));
        let field = layout::INTERFACE_PKGPATH;
        self.point(at + field.offset, field.name(release), path, 0);
        let slice = layout::INTERFACE_METHODS.name(release);
        let methods = at + layout::INTERFACE_METHODS.offset;
        let length = u64::from(count).to_le_bytes();
        let first = layout::INTERFACE_TYPE_SIZE;
        self.point(methods, format!("{slice}.ptr"), name, first);
        self.put(methods + 8, format!("{slice}.len"), &length);
        self.put(methods + 16, format!("{slice}.cap"), &length);
        for number in 0..count {
            let method = at + first + number * layout::IMETHOD_SIZE;
            for field in [layout::IMETHOD_NAME, layout::IMETHOD_TYPE] {
                let name = format!("{slice}[{number}].{}", field.name(release));
                self.put(method + field.offset, name, &[0; 4]);
            }
        }
        Ok(at)
    }

    fn add_itab(
        &mut self,
        name: &str,
        of: &Interface,
        type_hash: u32,
        link: Option<String>,
        spec: &HeapSpec,
    ) {
        let release = spec.release;
        let interface = of.name.as_str();
        let (hash, fun) = (layout::itab_hash(release), layout::itab_fun(release));
        let size = fun.offset + fun.size * of.methods.len() as u32;
        let at = self.begin(symbol::itab(name, interface), size, 8);
        for (field, target) in [(layout::ITAB_INTER, interface), (layout::ITAB_TYPE, name)] {
            let target = symbol::type_descriptor(target);
            self.point(at + field.offset, field.name(release), target, 0);
        }
        if layout::has_itab_link(release) {
            let field = layout::ITAB_LINK;
            match link {
                Some(next) => self.point(at + field.offset, field.name(release), next, 0),
                None => self.put(at + field.offset, field.name(release), &[0; 8]),
            }
        }
        self.put(
            at + hash.offset,
            hash.name(release),
            &type_hash.to_le_bytes(),
        );
        if layout::has_itab_link(release) {
            let bad = layout::ITAB_BAD;
            self.put(at + bad.offset, bad.name(release), &[0]);
            let in_hash = layout::ITAB_IN_HASH;
            self.put(at + in_hash.offset, in_hash.name(release), &[1]);
        }
        for (slot, method) in of.methods.iter().enumerate() {
            self.point(
                at + fun.offset + fun.size * slot as u32,
                format!("{}[{slot}]", fun.name(release)),
                symbol::pointer_method(name, method),
                0,
            );
        }
    }

    /// All objects, one behind the other: few by name, many func values as one array.
    fn add_objects(&mut self, spec: &HeapSpec) {
        let is_named = spec.objects.len() <= NAMED_OBJECTS;
        let (size, align) = (spec.object_bytes(), spec.object_align());
        self.objects = (self.bytes.len() as u32).next_multiple_of(align);
        let all = spec.objects.len() as u32 * size;
        if !is_named {
            self.begin("objects".into(), all, align);
            self.bytes.truncate(self.bytes.len() - all as usize);
        }
        let mut noted = self.fields.len();
        for (number, &type_index) in spec.objects.iter().enumerate() {
            let at = (self.bytes.len() as u32).next_multiple_of(align);
            if is_named {
                self.begin(format!("object[{number}]"), size, align);
            } else {
                self.bytes.resize((at + size) as usize, 0);
            }
            self.put_object(at, number, &spec.types[type_index as usize], spec);
            if !is_named && number >= NOTED_OBJECTS {
                self.fields.truncate(noted);
            }
            noted = self.fields.len();
        }
    }

    /// An object: its id at offset 0. A func value: the code pointer at 0 and the id behind it.
    fn put_object(&mut self, at: u32, number: usize, type_name: &str, spec: &HeapSpec) {
        let id = object_id(number as u32);
        if let Some(shape) = &spec.object {
            self.note_words(at, shape);
        } else if spec.kind == HeapKind::Func {
            let method = spec.methods.first().map_or("Call", String::as_str);
            self.point(at, "fn", symbol::pointer_method(type_name, method), 0);
            self.put(at + 8, "id", &id);
        } else {
            self.put(at, "id", &id);
        }
    }
}

#[cfg(test)]
mod tests;
