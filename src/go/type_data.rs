//! What a heap's descriptors refer to by offset: names, pointer types, and the types of methods.
//!
//! Correct means: each offset counts from the start of the heap, as Go's count from the start of the
//! module's types, and leads to a name in the release's encoding or to a descriptor.

use std::collections::HashMap;

use super::heap::{Heap, HeapSpec, Interface, Offset};
use super::types::{self, Shape, Signature};
use super::{Release, hash, layout, symbol};

/// Go's flag of a name that other packages see.
const EXPORTED: u8 = 1;

/// Adds what the types at `interfaces` and the dynamic types at `types` refer to.
///
/// # Errors
/// Where a signature cannot be read, or the release's type hash is not known.
pub(super) fn add(
    heap: &mut Heap,
    spec: &HeapSpec,
    interfaces: &[(&Interface, u32)],
    types: &[(&str, u32)],
) -> Result<(), String> {
    let mut added = Added {
        heap,
        spec,
        types: HashMap::new(),
        names: HashMap::new(),
    };
    let named = interfaces.iter().map(|(one, at)| (one.name.as_str(), *at));
    for (name, at) in types.iter().copied().chain(named) {
        added.types.insert(name.to_string(), at);
    }
    for &(name, at) in types {
        added.complete(at, name)?;
        if let Some(element) = types::element(name) {
            added.descriptor(element)?;
        }
    }
    for &(interface, at) in interfaces {
        let name = interface.name.as_str();
        added.complete(at, name)?;
        let package = symbol::package(name);
        added.lay_out_name(symbol::import_path(package), package, 0);
        for (number, method) in interface.methods.iter().enumerate() {
            let own = at + layout::INTERFACE_TYPE_SIZE + number as u32 * layout::IMETHOD_SIZE;
            let name = added.name(method, is_exported(method));
            added.refer(own + layout::IMETHOD_NAME.offset, name);
            let type_name = interface.signature(number)?.type_name();
            let method_type = added.descriptor(&type_name)?;
            added.refer(own + layout::IMETHOD_TYPE.offset, method_type);
        }
    }
    heap.offsets.sort_by_key(|offset| offset.offset);
    Ok(())
}

/// A heap while what its types refer to is added.
struct Added<'a> {
    heap: &'a mut Heap,
    spec: &'a HeapSpec,
    /// Descriptors by the type's name.
    types: HashMap<String, u32>,
    /// Names by their symbol.
    names: HashMap<String, u32>,
}

impl Added<'_> {
    /// Makes the 32 bits at `field` the offset of what stands at `target`.
    fn refer(&mut self, field: u32, target: u32) {
        let at = field as usize;
        self.heap.bytes[at..at + 4].copy_from_slice(&target.to_le_bytes());
        self.heap.offsets.push(Offset {
            offset: field,
            target,
        });
    }

    /// The two offsets in a descriptor: its type's name, and the pointer to its type where that has a
    /// name. A name is stored once, with the star of the pointer type.
    fn complete(&mut self, at: u32, name: &str) -> Result<(), String> {
        let bare = name.trim_start_matches('*');
        let spelled = printed(name);
        let starred = if name.starts_with('*') {
            spelled
        } else {
            format!("*{spelled}")
        };
        let is_exported = types::is_named(bare) && is_exported(bare);
        let text = self.name(&starred, is_exported);
        self.refer(at + layout::TYPE_STR.offset, text);
        if types::is_named(name) {
            let pointer = self.descriptor(&format!("*{name}"))?;
            self.refer(at + layout::TYPE_PTR_TO_THIS.offset, pointer);
        }
        Ok(())
    }

    /// The descriptor of a type, laid out where there is none yet.
    fn descriptor(&mut self, name: &str) -> Result<u32, String> {
        if let Some(&at) = self.types.get(name) {
            return Ok(at);
        }
        let hash = hash::type_hash(self.spec.release, name)?;
        let pointed = types::element(name);
        let function = name.strip_prefix("func");
        let function = function.map(Signature::parse).transpose()?;
        let referred: Vec<&String> = function.iter().flat_map(Signature::types).collect();
        let size = match (pointed, &function) {
            (Some(_), _) => layout::POINTER_TYPE_SIZE,
            (_, Some(_)) => layout::FUNC_TYPE_SIZE + 8 * referred.len() as u32,
            _ => layout::TYPE_SIZE,
        };
        let symbol = symbol::type_descriptor(name);
        let at = self.heap.begin(symbol, size, 32);
        self.types.insert(name.to_string(), at);
        let release = self.spec.release;
        self.heap
            .put_type(at, Shape::of(name), name, hash, self.spec);
        if let Some(element) = pointed {
            let field = layout::POINTER_ELEMENT;
            let element = symbol::type_descriptor(element);
            let at = at + field.offset;
            self.heap.point(at, field.name(release), element, 0);
        }
        if let Some(signature) = &function {
            self.put_signature(at, signature);
        }
        self.complete(at, name)?;
        for other in referred {
            self.descriptor(other)?;
        }
        if let Some(element) = pointed {
            self.descriptor(element)?;
        }
        Ok(at)
    }

    fn put_signature(&mut self, at: u32, signature: &Signature) {
        let both = [
            (layout::FUNC_IN_COUNT, &signature.arguments),
            (layout::FUNC_OUT_COUNT, &signature.results),
        ];
        for (field, types) in both {
            let count = (types.len() as u16).to_le_bytes();
            let name = field.name(self.spec.release);
            self.heap.put(at + field.offset, name, &count);
        }
        let mut next = at + layout::FUNC_TYPE_SIZE;
        for (field, (_, types)) in ["in", "out"].iter().zip(both) {
            for (number, name) in types.iter().enumerate() {
                let target = symbol::type_descriptor(name);
                self.heap
                    .point(next, format!("{field}[{number}]"), target, 0);
                next += 8;
            }
        }
    }

    /// A name as the release's linker calls its symbol.
    fn name(&mut self, text: &str, is_exported: bool) -> u32 {
        let end = if is_exported { '.' } else { '-' };
        let symbol = format!("type..namedata.{text}{end}");
        self.lay_out_name(symbol, text, if is_exported { EXPORTED } else { 0 })
    }

    /// Flags, length, text: the encoding of `reflect.name`. Go 1.17 made the length a varint.
    fn lay_out_name(&mut self, symbol: String, text: &str, flags: u8) -> u32 {
        if let Some(&at) = self.names.get(&symbol) {
            return at;
        }
        let length = length_of_name(text.len(), self.spec.release);
        let size = 1 + length.len() + text.len();
        let at = self.heap.begin(symbol.clone(), size as u32, 1);
        self.heap.put(at, "flags", &[flags]);
        self.heap.put(at + 1, "length", &length);
        let mut next = at + 1 + length.len() as u32;
        for piece in text.as_bytes().chunks(8) {
            self.heap.put(next, layout::NAME_TEXT, piece);
            next += piece.len() as u32;
        }
        self.names.insert(symbol, at);
        at
    }
}

fn length_of_name(length: usize, release: Release) -> Vec<u8> {
    if release.minor() < 17 {
        return (length as u16).to_be_bytes().to_vec();
    }
    let mut rest = length;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// A type's name as Go prints it: with the last part of its package's path only.
fn printed(name: &str) -> String {
    let stars = name.len() - name.trim_start_matches('*').len();
    let (stars, bare) = name.split_at(stars);
    let start = match types::is_named(bare) {
        true => bare.rfind('/').map_or(0, |at| at + 1),
        false => 0,
    };
    format!("{stars}{}", &bare[start..])
}

/// Whether a name begins with a capital, behind its package.
fn is_exported(name: &str) -> bool {
    let own = name.rsplit('.').next().unwrap_or(name);
    own.starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_two_bytes_up_to_go_1_16_and_a_varint_from_1_17_on() {
        let length = |count, release: &str| length_of_name(count, release.parse().expect("one"));
        assert_eq!(length(8, "1.16"), [0, 8]);
        assert_eq!(length(300, "1.10"), [1, 44]);
        assert_eq!(length(8, "1.17"), [8]);
        assert_eq!(length(300, "1.27"), [0xac, 2]);
    }

    #[test]
    fn a_name_is_printed_with_the_last_part_of_its_path() {
        assert_eq!(printed("*example.com/shop.Cart"), "*shop.Cart");
        assert_eq!(printed("main.T0"), "main.T0");
        assert!(is_exported("shop.Cart") && is_exported("Add") && is_exported("main.T0"));
        assert!(!is_exported("int32") && !is_exported("main.t"));
    }
}
