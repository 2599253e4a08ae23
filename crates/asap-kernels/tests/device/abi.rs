//! The structures of `kernels/abi.cuh` and those of `src/device/abi.rs` are the same, field by field. Both languages lay
//! out the same fields in the same way, and `abi.rs` itself asserts that nothing lies between them.

use std::collections::HashMap;

use asap_kernels::device::abi;

/// A structure's name with its fields: name and type, the type as Rust names it.
type Structure = (String, Vec<(String, String)>);

const KERNELS: &str = include_str!("../../kernels/abi.cuh");
const HOST: &str = include_str!("../../src/device/abi.rs");

#[test]
fn kernels_and_host_have_the_same_structures() {
    let (kernels, host) = (of_kernels(), of_host());
    // What kernels call `mix_job` is `Mix` here: names meet by their order.
    let names: HashMap<&str, &str> = kernels
        .iter()
        .zip(&host)
        .map(|((kernel, _), (host, _))| (kernel.as_str(), host.as_str()))
        .collect();
    for ((kernel, fields), (host, expected)) in kernels.iter().zip(&host) {
        let renamed: Vec<_> = fields
            .iter()
            .map(|(name, kind)| {
                let kind = names.get(kind.as_str()).copied().unwrap_or(kind);
                (name.clone(), kind.to_owned())
            })
            .collect();
        assert_eq!(&renamed, expected, "{kernel} of abi.cuh, {host} of abi.rs");
        if !kernel.ends_with("_job") {
            assert_eq!(kernel, host);
        }
    }
    assert_eq!(kernels.len(), host.len());
    assert!(
        host.iter().any(|(name, _)| name == "Step"),
        "nothing was read"
    );
}

#[test]
fn kernels_and_host_have_the_same_marks() {
    for mark in [
        format!("constexpr u32 HALF = {:#x}u;", abi::HALF),
        format!("constexpr u32 NEVER_LOST = {:#x}u;", abi::NEVER_LOST),
        format!("constexpr u32 THREADS = {};", abi::THREADS),
        format!("constexpr u32 MIXED = {};", abi::MIXED),
        format!("constexpr u32 POOLED = {};", abi::POOLED),
    ] {
        assert!(KERNELS.contains(&mark), "{mark}");
    }
}

/// `struct name {`, then a field in every line, then `};`.
fn of_kernels() -> Vec<Structure> {
    let mut structures = Vec::new();
    let mut lines = KERNELS
        .lines()
        .map(|line| line.split("//").next().unwrap().trim());
    while let Some(line) = lines.next() {
        let Some(name) = line
            .strip_prefix("struct ")
            .and_then(|rest| rest.strip_suffix(" {"))
        else {
            continue;
        };
        let fields = lines
            .by_ref()
            .take_while(|line| *line != "};")
            .filter(|line| !line.is_empty())
            .map(field_of_kernels)
            .collect();
        structures.push((name.to_owned(), fields));
    }
    structures
}

fn field_of_kernels(line: &str) -> (String, String) {
    let declaration = line.strip_suffix(';').unwrap();
    let (kind, name) = declaration.rsplit_once(' ').unwrap();
    if let Some(name) = name.strip_prefix('*') {
        return (name.to_owned(), "u64".to_owned());
    }
    let kind = match kind {
        "float" => "f32",
        "double" => "f64",
        "short" => "i16",
        "int" => "i32",
        "long long" => "i64",
        other => other,
    };
    (name.to_owned(), kind.to_owned())
}

/// What stands between the braces of `plain! { .. }`: documentation, then `Name { field: type, .. }`.
fn of_host() -> Vec<Structure> {
    let (_, table) = HOST.split_once("\nplain! {\n").unwrap();
    let (table, _) = table.split_once("\n}\n").unwrap();
    let table: String = table
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join(" ");
    let mut structures: Vec<_> = table.split('}').collect();
    assert_eq!(structures.pop().unwrap().trim(), "");
    structures
        .into_iter()
        .map(|structure| {
            let (name, fields) = structure.split_once('{').unwrap();
            let fields = fields
                .split(',')
                .filter(|field| !field.trim().is_empty())
                .map(|field| {
                    let (name, kind) = field.split_once(':').unwrap();
                    (name.trim().to_owned(), kind.trim().to_owned())
                })
                .collect();
            (name.trim().to_owned(), fields)
        })
        .collect()
}
