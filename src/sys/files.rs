//! Files that somebody named: what is read ends, and what is written is taken.
//!
//! Correct means: nothing waits for another end of a pipe that may never come, nothing without an end is read, no disk
//! is written over, and what is refused is named as what it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// How long somebody may take to come to the other end of a pipe.
const COMES: Duration = Duration::from_secs(2);
/// Between two looks for them.
const LOOK: Duration = Duration::from_millis(5);

/// The first bytes of a file, `most` at the most: of a regular one, of a pipe that somebody writes into, or of the
/// terminal that is this process's standard input.
///
/// # Errors
/// What it is instead, or what the kernel says.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let known = fs::metadata(path)?;
    if let Some(why) = without_end(&known) {
        return Err(why);
    }
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let mut bytes = Vec::new();
    if !known.is_file() {
        if known.file_type().is_fifo() {
            bytes = first_of(&mut file)?;
        }
        wait_from_now_on(&file)?;
    }
    let left = most.saturating_sub(bytes.len() as u64);
    file.take(left).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens what is there to be written, as it is.
///
/// # Errors
/// That it is a disk, or a pipe that nobody reads, or what the kernel says.
pub fn to_write(path: &Path) -> io::Result<File> {
    let known = fs::metadata(path)?;
    if known.file_type().is_block_device() {
        return Err(io::Error::other("it is a disk, and would be lost"));
    }
    if known.file_type().is_socket() {
        return Err(io::Error::other("it is a socket"));
    }
    let begun = Instant::now();
    loop {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path);
        match opened {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                if begun.elapsed() >= COMES {
                    return Err(io::Error::other("it is a pipe that nobody reads"));
                }
                std::thread::sleep(LOOK);
            }
            opened => {
                let file = opened?;
                wait_from_now_on(&file)?;
                return Ok(file);
            }
        }
    }
}

/// What has no end, or none that can be read by its name.
fn without_end(known: &fs::Metadata) -> Option<io::Error> {
    let kind = known.file_type();
    if kind.is_dir() {
        return Some(io::ErrorKind::IsADirectory.into());
    }
    let is_own_terminal = || {
        let own = fs::metadata("/dev/stdin");
        io::stdin().is_terminal() && own.is_ok_and(|own| own.rdev() == known.rdev())
    };
    let what = if kind.is_socket() {
        "it is a socket"
    } else if kind.is_block_device() || kind.is_char_device() && !is_own_terminal() {
        "it is a device"
    } else {
        return None;
    };
    Some(io::Error::other(format!(
        "{what}, which may have no end; copy what is wanted into a file"
    )))
}

/// What comes first out of a pipe that was opened without waiting. Only reading tells whether anybody writes: there is
/// nothing to read, and not yet, or no more.
fn first_of(pipe: &mut File) -> io::Result<Vec<u8>> {
    let begun = Instant::now();
    let mut piece = vec![0; 1 << 16];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) if begun.elapsed() >= COMES => {
                return Err(io::Error::other("it is a pipe that nobody writes into"));
            }
            Ok(0) => std::thread::sleep(LOOK),
            Ok(length) => {
                piece.truncate(length);
                return Ok(piece);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whoever is there may take his time.
fn wait_from_now_on(file: &File) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(())
}
