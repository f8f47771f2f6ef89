//! A folder of this process alone.
//!
//! Correct means: nobody else can write into it, and it is gone when it is dropped.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// It, until it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one among the system's temporary files, with folders for what Go keeps.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Folder> {
        /// Names that are tried: an earlier process of the same number may have been killed.
        const TRIES: u32 = 100;
        let base = std::env::temp_dir();
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 0..TRIES {
            let path = base.join(format!("dispatchlab-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let folder = Folder(path);
                    for name in ["cache", "tmp", "config", "path"] {
                        fs::create_dir(folder.path().join(name))?;
                    }
                    return Ok(folder);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to who clears temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_are_apart_and_both_are_gone_afterwards() {
        let (one, other) = (Folder::new().expect("one"), Folder::new().expect("other"));
        let paths = [one.path().to_path_buf(), other.path().to_path_buf()];
        assert_ne!(paths[0], paths[1]);
        fs::write(paths[0].join("file"), "text").expect("written");
        drop((one, other));
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
