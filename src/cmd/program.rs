//! Reading a program that was named on the command line.
//!
//! Correct means: what cannot be read says which file, why, and what to do.

use std::io::{self, Read as _};
use std::path::Path;

use super::Stop;
use crate::binary::{Binary, Content, Symbol, SymbolKind};
use crate::sys::files;
use crate::text::paths::{named, path};
use crate::text::{closest, word};

/// The largest file that is read: a program with its debugging data.
const MAX_BYTES: u64 = 2 << 30;

/// The bytes of a program.
pub(super) fn bytes_of(file: &str) -> Result<Vec<u8>, Stop> {
    let place = path(file);
    let read = match file {
        "-" => {
            let mut bytes = Vec::new();
            let read = io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
        _ => files::read(&place, MAX_BYTES + 1),
    };
    let bytes = read.map_err(|error| refuse(&place, &why(&error)))?;
    if bytes.len() as u64 > MAX_BYTES {
        let most = MAX_BYTES >> 30;
        return Err(refuse(
            &place,
            &format!(
                "it has more than {most} GiB; strip it of its debugging data, with `strip -g`"
            ),
        ));
    }
    Ok(bytes)
}

/// The program that bytes are.
pub(super) fn read<'a>(file: &str, bytes: &'a [u8]) -> Result<Binary<'a>, Stop> {
    Binary::read(bytes).map_err(|error| refuse(&path(file), &error.to_string()))
}

fn refuse(place: &Path, why: &str) -> Stop {
    Stop::Usage(format!("cannot read {}: {why}", named(place)))
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; mend the path".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; make it readable, with `chmod +r`".into()
        }
        io::ErrorKind::IsADirectory => "it is a folder; name a file in it".into(),
        _ => error.to_string(),
    }
}

/// The one symbol that a text means: its name, the end of its name, or its address.
pub(super) fn symbol<'a, 'b>(
    binary: &'b Binary<'a>,
    file: &str,
    wanted: &str,
) -> Result<&'b Symbol<'a>, Stop> {
    binary.the_one(wanted).map_err(|unclear| {
        let why = unclear.why(wanted).map(|why| format!("{file}: {why}"));
        Stop::Usage(why.unwrap_or_else(|| {
            let near = near(binary, wanted).map(|near| format!("; did you mean `{near}`?"));
            format!(
                "{file} has no symbol `{wanted}`{}",
                near.unwrap_or_else(|| format!(
                    "; `dispatchlab sym {} PART` lists those whose name has a part",
                    word(file)
                ))
            )
        }))
    })
}

/// The code that a text most likely meant, as a text that means nothing else.
fn near(binary: &Binary<'_>, wanted: &str) -> Option<String> {
    let is_code = |symbol: &&Symbol<'_>| {
        let section = binary.section(symbol.address);
        symbol.kind != SymbolKind::Elsewhere
            && section.is_some_and(|section| section.content == Content::Code)
    };
    let code = || binary.symbols.iter().filter(is_code);
    let near = closest(wanted, code().map(|symbol| &*symbol.name))?;
    let symbol = code().find(|symbol| symbol.name == near)?;
    Some(binary.reference(symbol.address))
}
