//! Floating-point constants of every width, from decimal, hexadecimal, octal and binary digits.
//!
//! Correct means: the bits are those of the number that is nearest to what was written, of two as near
//! the even one; what no number is near to is refused.

use std::cmp::Ordering;

/// How a width is laid out: bits of exponent and of fraction, and whether the leading one is stored.
#[derive(Debug, Clone, Copy)]
struct Layout {
    exponent: u32,
    fraction: u32,
    has_leading: bool,
}

impl Layout {
    fn of(bytes: u32) -> Option<Layout> {
        let (exponent, fraction, has_leading) = match bytes {
            1 => (4, 3, false),
            2 => (5, 10, false),
            4 => (8, 23, false),
            8 => (11, 52, false),
            10 => (15, 63, true),
            16 => (15, 112, false),
            _ => return None,
        };
        Some(Layout {
            exponent,
            fraction,
            has_leading,
        })
    }

    fn bias(self) -> i64 {
        (1 << (self.exponent - 1)) - 1
    }

    fn bits(self, is_negative: bool, exponent: i64, significand: u128) -> u128 {
        let stored = match self.has_leading {
            true => significand,
            false => significand & ((1 << self.fraction) - 1),
        };
        let above = self.fraction + u32::from(self.has_leading);
        let sign = u128::from(is_negative) << (above + self.exponent);
        sign | (exponent as u128) << above | stored
    }
}

/// The bytes of a constant, its sign apart; an error says in words what is wrong.
pub(super) fn bytes(text: &str, is_negative: bool, width: u32) -> Result<Vec<u8>, String> {
    let Some(layout) = Layout::of(width) else {
        return Err("a floating-point number has 1, 2, 4, 8, 10 or 16 bytes".to_owned());
    };
    let bits = match special(text, layout) {
        Some((exponent, significand)) => layout.bits(is_negative, exponent, significand),
        None if is_packed(text) && width == 10 => packed(text, is_negative)?,
        None => {
            let number = Number::read(text).ok_or("expected a floating-point number here")?;
            let rounded = number.rounded(layout);
            let (exponent, significand) =
                rounded.ok_or_else(|| format!("{text} does not fit in {width} bytes"))?;
            layout.bits(is_negative, exponent, significand)
        }
    };
    Ok(bits.to_le_bytes()[..width as usize].to_vec())
}

/// What NASM's `__float32__(1.5)` and its kin take of a constant, for where a whole number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm::read) struct Field {
    /// Bytes of the constant.
    pub(super) width: u32,
    /// The bytes that are taken, the lowest first.
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Field {
    /// By NASM's word, in its old and its new writing.
    pub(in crate::asm::read) fn of(word: &str) -> Option<Field> {
        let name = word.strip_prefix("__")?.strip_suffix("__")?;
        let bare = name
            .strip_prefix('?')
            .and_then(|name| name.strip_suffix('?'));
        let (width, first, count) = match bare.unwrap_or(name) {
            "float8" => (1, 0, 1),
            "float16" => (2, 0, 2),
            "float32" => (4, 0, 4),
            "float64" => (8, 0, 8),
            "float80m" => (10, 0, 8),
            "float80e" => (10, 8, 2),
            "float128l" => (16, 0, 8),
            "float128h" => (16, 8, 8),
            _ => return None,
        };
        Some(Field {
            width,
            first,
            count,
        })
    }
}

/// Whether it is one of NASM's words for what is no number.
pub(super) fn is_special(word: &str) -> bool {
    Layout::of(8).is_some_and(|layout| special(word, layout).is_some())
}

/// NASM's words for what is no number, as exponent and significand.
fn special(text: &str, layout: Layout) -> Option<(i64, u128)> {
    let name = text.trim_matches('_').trim_matches('?');
    let quiet = 1 << (layout.fraction - 1);
    let fraction = match name {
        _ if name == text => return None,
        "infinity" | "Infinity" => 0,
        "nan" | "NaN" | "qnan" | "QNaN" => quiet,
        "snan" | "SNaN" => 1,
        _ => return None,
    };
    Some(((1 << layout.exponent) - 1, 1 << layout.fraction | fraction))
}

/// Whether it is a packed decimal number, `1234p`.
fn is_packed(text: &str) -> bool {
    let digits = text.strip_suffix(['p', 'P']);
    digits.is_some_and(|digits| {
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    })
}

/// Two digits a byte, 18 of them, and the sign in the tenth.
fn packed(text: &str, is_negative: bool) -> Result<u128, String> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    let digits: Vec<u8> = digits
        .into_iter()
        .skip_while(|byte| *byte == b'0')
        .collect();
    if digits.len() > 18 {
        return Err(format!("{text} has more than 18 digits"));
    }
    let value = digits
        .iter()
        .fold(0, |value, byte| value << 4 | u128::from(byte - b'0'));
    Ok(u128::from(is_negative) << 79 | value)
}

/// A whole number over another one, both exact.
struct Number {
    over: Whole,
    under: Whole,
}

/// Exponents beyond which every format has nothing but zero and infinity: of two, and of ten.
const FARTHEST: i64 = 40_000;
const FARTHEST_TEN: i64 = 8_000;
/// Digits beyond which nobody writes.
const MOST_DIGITS: usize = 2_000;

impl Number {
    fn read(text: &str) -> Option<Number> {
        let text = text.to_ascii_lowercase().replace('_', "");
        let (base, bits, digits) = match text.get(..2) {
            Some("0x" | "0h") => (16, 4, &text[2..]),
            Some("0o" | "0q") => (8, 3, &text[2..]),
            Some("0b" | "0y") => (2, 1, &text[2..]),
            Some("0d") => (10, 0, &text[2..]),
            _ => (10, 0, &text[..]),
        };
        let (digits, exponent) = match digits.split_once(if base == 10 { 'e' } else { 'p' }) {
            Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.len() + fraction.len() == 0 || digits.len() > MOST_DIGITS {
            return None;
        }
        let mut over = Whole::default();
        for digit in whole.chars().chain(fraction.chars()) {
            over.multiply(base, digit.to_digit(base)?);
        }
        let exponent = exponent.clamp(-FARTHEST, FARTHEST);
        let mut under = Whole::one();
        let places = fraction.len() as i64;
        match base {
            10 => {
                let exponent = exponent.clamp(-FARTHEST_TEN, FARTHEST_TEN);
                let power = exponent - places;
                let side = if power < 0 { &mut under } else { &mut over };
                side.raise(power.unsigned_abs());
            }
            _ => {
                let power = exponent - places * bits;
                let side = if power < 0 { &mut under } else { &mut over };
                side.shift(power.unsigned_abs());
            }
        }
        Some(Number { over, under })
    }

    /// Exponent and significand in a layout; none where it is too large.
    fn rounded(mut self, layout: Layout) -> Option<(i64, u128)> {
        if self.over.length() == 0 {
            return Some((0, 0));
        }
        // The power of two at or one above the number's own.
        let most = self.over.length() as i64 - self.under.length() as i64;
        let mut power = match Whole::compare_shifted(&self.over, &self.under, most) {
            Ordering::Less => most - 1,
            _ => most,
        };
        let least = 1 - layout.bias();
        power = power.max(least);
        let unit = power - i64::from(layout.fraction);
        let side = if unit < 0 {
            &mut self.over
        } else {
            &mut self.under
        };
        side.shift(unit.unsigned_abs());
        let (mut significand, rest) = self.over.divided(&self.under);
        let mut twice = rest;
        twice.shift(1);
        let is_up = match twice.compare(&self.under) {
            Ordering::Greater => true,
            Ordering::Equal => significand & 1 == 1,
            Ordering::Less => false,
        };
        significand += u128::from(is_up);
        let leading = 1u128 << layout.fraction;
        if significand == 2 * leading {
            (significand, power) = (leading, power + 1);
        }
        let exponent = match significand < leading {
            true => 0,
            false => power + layout.bias(),
        };
        (exponent < (1 << layout.exponent) - 1).then_some((exponent, significand))
    }
}

/// A whole number of any size, its lowest part first, without zeros at its top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Whole(Vec<u32>);

impl Whole {
    fn one() -> Whole {
        Whole(vec![1])
    }

    /// Bits up to the highest one.
    fn length(&self) -> u64 {
        let top = self.0.last().map_or(0, |top| 32 - top.leading_zeros());
        (self.0.len().saturating_sub(1) * 32) as u64 + u64::from(top)
    }

    fn multiply(&mut self, by: u32, plus: u32) {
        let mut carry = u64::from(plus);
        for part in &mut self.0 {
            let product = u64::from(*part) * u64::from(by) + carry;
            (*part, carry) = (product as u32, product >> 32);
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    /// Times a power of ten.
    fn raise(&mut self, power: u64) {
        for _ in 0..power / 9 {
            self.multiply(1_000_000_000, 0);
        }
        self.multiply(10u32.pow((power % 9) as u32), 0);
    }

    fn shift(&mut self, bits: u64) {
        if self.0.is_empty() {
            return;
        }
        self.multiply(1 << (bits % 32), 0);
        let zeros = std::iter::repeat_n(0, (bits / 32) as usize);
        self.0.splice(0..0, zeros);
    }

    fn compare(&self, other: &Whole) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// One number beside another one times a power of two.
    fn compare_shifted(one: &Whole, other: &Whole, power: i64) -> Ordering {
        let (mut one, mut other) = (one.clone(), other.clone());
        let side = if power < 0 { &mut one } else { &mut other };
        side.shift(power.unsigned_abs());
        one.compare(&other)
    }

    fn subtract(&mut self, other: &Whole) {
        let mut borrow = false;
        for (at, part) in self.0.iter_mut().enumerate() {
            let (one, under) = part.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (both, again) = one.overflowing_sub(u32::from(borrow));
            (*part, borrow) = (both, under || again);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// The quotient, of at most 128 bits, and the rest.
    fn divided(&self, by: &Whole) -> (u128, Whole) {
        let (mut quotient, mut rest) = (0, self.clone());
        let places = self.length().saturating_sub(by.length());
        for place in (0..=places).rev() {
            let mut part = by.clone();
            part.shift(place);
            quotient <<= 1;
            if rest.compare(&part) != Ordering::Less {
                rest.subtract(&part);
                quotient |= 1;
            }
        }
        (quotient, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_constants_are_rounded_as_rust_rounds_them() {
        let mut state = 1u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut texts: Vec<String> = [
            "0.0",
            "1.5",
            "0.1",
            "4.9e-324",
            "2.2250738585072014e-308",
            "1.7976931348623157e308",
            "16777217.0",
            "1.401298464324817e-45",
            "7e-46",
            "3.4028235e38",
            "9007199254740993.0",
        ]
        .map(str::to_owned)
        .into();
        texts.extend((0..2000).map(|_| {
            format!(
                "{}.{}e{}",
                next(1 << 30),
                next(1 << 31),
                next(120) as i64 - 60
            )
        }));
        for text in texts {
            let double: f64 = text.parse().expect("a number");
            assert_eq!(
                bytes(&text, false, 8),
                Ok(double.to_le_bytes().to_vec()),
                "{text}"
            );
            let single: f32 = text.parse().expect("a number");
            let own = bytes(&text, false, 4);
            if single.is_finite() {
                assert_eq!(own, Ok(single.to_le_bytes().to_vec()), "{text}");
            } else {
                assert!(own.is_err(), "{text}");
            }
        }
    }

    #[test]
    fn each_width_and_base_has_the_bits_that_nasm_gives() {
        #[rustfmt::skip] // a table
        let known: [(&str, bool, u32, &str); 14] = [
            ("1.0",          false,  1, "38"),
            ("0.4375",       false,  1, "2e"),
            ("1.0",          true,   2, "00bc"),
            ("0x1.8p+1",     false,  2, "0042"),
            ("0h123456789.0", false, 4, "b4a2914f"),
            ("0q3.7777777774p-2", false, 4, "0000803f"),
            ("0b1.1",        false,  8, "000000000000f83f"),
            ("1.0",          false, 10, "0000000000000080ff3f"),
            ("1e-4940",      false, 10, "628e2763060000000000"),
            ("0.0",          true,  10, "00000000000000000080"),
            ("1234p",        true,  10, "34120000000000000080"),
            ("1.0",          false, 16, "0000000000000000000000000000ff3f"),
            ("__?infinity?__", true, 4, "000080ff"),
            ("__?nan?__",    false,  8, "000000000000f87f"),
        ];
        for (text, is_negative, width, right) in known {
            let hex = |bytes: Vec<u8>| -> String {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            };
            assert_eq!(
                bytes(text, is_negative, width).map(hex).as_deref(),
                Ok(right),
                "{text}"
            );
        }
        for (text, width) in [
            ("65520.0", 2),
            ("1e39", 4),
            ("1.0", 3),
            ("1.0e", 4),
            ("x", 4),
            ("1234567890123456789p", 10),
        ] {
            assert!(bytes(text, false, width).is_err(), "{text}");
        }
        assert_eq!(bytes("1e-9999999", false, 16), Ok(vec![0; 16]));
        assert!(bytes("1e9999999", false, 16).is_err());
        // The last one below the middle between the largest number and infinity.
        assert_eq!(bytes("65519.0", false, 2), Ok(vec![0xff, 0x7b]));
    }
}
