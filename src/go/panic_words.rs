//! Go's words for failed type assertions.
//!
//! Correct means: equal to `TypeAssertionError.Error` in `runtime/error.go`, which is the same in Go
//! 1.10 and 1.27 but for two types of one name, which cannot be told apart here.

/// An assertion to a concrete type, or one of a nil interface: what was there, what was asked for,
/// and the interface that held it; `None` where there is none.
pub fn dottype(have: Option<&str>, want: Option<&str>, interface: Option<&str>) -> String {
    format!(
        "interface conversion: {} is {}, not {}",
        interface.unwrap_or("interface"),
        have.unwrap_or("nil"),
        want.unwrap_or(UNNAMED)
    )
}

/// An assertion to an interface of a type that does not have all its methods.
pub fn missing_method(have: Option<&str>, want: Option<&str>, method: Option<&str>) -> String {
    format!(
        "interface conversion: {} is not {}: missing method {}",
        have.unwrap_or(UNNAMED),
        want.unwrap_or(UNNAMED),
        method.unwrap_or(UNNAMED)
    )
}

/// What stands for an argument of the modelled panic that is no type of this image.
const UNNAMED: &str = "(unknown)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_assertion_says_what_was_there_and_what_was_asked_for() {
        assert_eq!(
            dottype(Some("string"), Some("int"), Some("interface {}")),
            "interface conversion: interface {} is string, not int"
        );
        assert_eq!(
            dottype(None, Some("main.T"), Some("main.I")),
            "interface conversion: main.I is nil, not main.T"
        );
        assert_eq!(
            dottype(None, Some("main.I"), None),
            "interface conversion: interface is nil, not main.I"
        );
    }

    #[test]
    fn a_missing_method_is_named() {
        assert_eq!(
            missing_method(Some("main.T"), Some("main.I"), Some("Add")),
            "interface conversion: main.T is not main.I: missing method Add"
        );
    }
}
