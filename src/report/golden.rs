//! Expected output kept in `tests/golden`, rewritten with `BLESS=1 cargo test`.

use std::path::Path;
use std::{env, fs};

/// Compares with the file of that name, line by line, so that a difference is found at a glance.
pub(crate) fn compare(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("the name is joined to a folder"))
            .expect("the folder can be made");
        fs::write(&path, actual).expect("the golden file can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (number, (want, have)) in expected.lines().zip(actual.lines()).enumerate() {
        assert_eq!(
            want,
            have,
            "{name} line {}; BLESS=1 rewrites it",
            number + 1
        );
    }
    assert_eq!(expected, actual, "{name}; BLESS=1 rewrites it");
}
