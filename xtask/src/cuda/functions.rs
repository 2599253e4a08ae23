//! Names of C functions, out of the Rust sources that declare them.

use std::collections::BTreeMap;

/// What a function of a library gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// A number that says how it went.
    Status,
    /// A pointer to text.
    Text,
    /// Nothing, or a count.
    Other,
}

/// The functions that a file of cudarc's declares, by name: `fn NAME(...) -> TYPE;`, each on a line of its own. A name that
/// several CUDA releases declare stands there several times.
pub(super) fn declared(source: &str) -> BTreeMap<&str, Returns> {
    let declarations = source.lines().filter_map(|line| {
        let declaration = line.trim().strip_prefix("fn ")?.strip_suffix(';')?;
        let (name, rest) = declaration.split_once('(')?;
        let (_, after) = rest.rsplit_once(')')?;
        Some((name, returns(after)))
    });
    declarations.collect()
}

/// The functions that a file declares as `pub fn NAME(`, over however many lines.
pub(super) fn public(source: &str) -> Vec<&str> {
    let declarations = source.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("pub fn ")?.split_once('(')?;
        Some(name)
    });
    declarations.collect()
}

fn returns(after: &str) -> Returns {
    let kind = after.trim().strip_prefix("->").unwrap_or("").trim();
    if kind.starts_with('*') {
        Returns::Text
    } else if kind.is_empty() || kind == "usize" {
        Returns::Other
    } else {
        Returns::Status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_and_methods_are_not() {
        let source = "\
pub unsafe fn libOpen(x: *mut u8) -> libStatus_t {
    extern \"C\" {
        fn libOpen(x: *mut u8) -> libStatus_t;
    }
    fn bitand(self, other: Self) -> Self {
        fn libOpen(x: *mut u8) -> libStatus_t;
        fn libText(status: libStatus_t) -> *const ::core::ffi::c_char;
        fn libSize() -> usize;
        fn libQuit();
        fn libWith(call: Option<unsafe extern \"C\" fn(u8)>) -> libStatus_t;
";
        let found: Vec<_> = declared(source).into_iter().collect();
        let expected = [
            ("libOpen", Returns::Status),
            ("libQuit", Returns::Other),
            ("libSize", Returns::Other),
            ("libText", Returns::Text),
            ("libWith", Returns::Status),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn launchers_are_read_over_several_lines() {
        let source = "extern \"C\" {\n    pub fn launch_a(\n        x: *const f32,\n    );\n    pub fn launch_b(x: i32);\n    fn inner();\n}\n";
        assert_eq!(public(source), ["launch_a", "launch_b"]);
    }
}
