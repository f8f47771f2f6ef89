//! What does nothing, of any length.
//!
//! Correct means: so many bytes, in the instructions that manuals or the tool that asks for them have.

/// Nops as AMD's and Intel's manuals recommend them, one for each length.
#[rustfmt::skip]
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// What Microsoft's `npad` stands for in 64-bit code: as few instructions as there can be, the longest of eleven
/// bytes (`listing.inc`). None for a length that it has not.
pub(in crate::asm) fn no_operation(length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length)
        .ok()
        .filter(|length| (1..=15).contains(length))?;
    let last = length.min(NOPS.len());
    Some(match length - last {
        0 => NOPS[last - 1].to_vec(),
        more @ 1..=2 => [&[0x66; 2][..more], NOPS[8]].concat(),
        _ => [NOPS[length - 9], NOPS[7]].concat(),
    })
}

/// Fills code up to an offset.
pub(in crate::asm) fn pad(bytes: &mut Vec<u8>, end: usize) {
    while bytes.len() < end {
        let length = (end - bytes.len()).min(NOPS.len());
        bytes.extend_from_slice(NOPS[length - 1]);
    }
}
