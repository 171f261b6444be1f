//! The constants that tune the programs: durations, sizes and counts, each with its reason beside it, read from the parsed
//! sources. `docs/limits.md` lists them by room.

use quote::ToTokens;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, Type};

/// One constant as its file has it.
pub(crate) struct Constant {
    /// From the top of the repository.
    pub(crate) file: PathBuf,
    /// With the type that it belongs to, where it does.
    pub(crate) name: String,
    kind: String,
    value: String,
    /// Its doc comment, in one line.
    pub(crate) reason: String,
}

impl Constant {
    /// `gateway/engine` of `src/gateway/engine/wire.rs`, `client` of `src/client/cp.rs`.
    fn room(&self) -> String {
        let path = self.file.strip_prefix("src").unwrap().with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).collect();
        match parts.as_slice() {
            ["gateway", room, _, ..] => format!("gateway/{room}"),
            [room, ..] => (*room).to_owned(),
            [] => unreachable!("a file has a name"),
        }
    }

    /// Whether it is said what is counted or measured: by the type, the name or the reason.
    pub(crate) fn has_unit(&self) -> bool {
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect()
        };
        MEASURES.iter().any(|measure| words(&self.kind).contains(&measure.to_lowercase()))
            || words(&self.name).iter().chain(&words(&self.reason)).any(|word| UNITS.contains(&word.as_str()))
    }
}

/// Types that bear their unit.
const MEASURES: [&str; 6] = ["Bytes", "Cpus", "Duration", "SignedDuration", "Span", "Timespec"];

/// What is counted, as it may stand in a name or a reason.
const UNITS: &[&str] = &[
    "accounts",
    "files",
    "notes",
    "billionths",
    "answers",
    "character",
    "bits",
    "blanks",
    "byte",
    "bytes",
    "characters",
    "cards",
    "code",
    "columns",
    "commas",
    "connections",
    "containers",
    "deaths",
    "directories",
    "entries",
    "gids",
    "groups",
    "hex",
    "holders",
    "homes",
    "ids",
    "id",
    "images",
    "instances",
    "kib",
    "labels",
    "lines",
    "lists",
    "links",
    "look",
    "marks",
    "members",
    "mib",
    "microseconds",
    "milliseconds",
    "mounts",
    "names",
    "namespaces",
    "networks",
    "often",
    "opens",
    "patterns",
    "pieces",
    "places",
    "port",
    "ports",
    "pulls",
    "requests",
    "seconds",
    "signals",
    "spaces",
    "subnets",
    "times",
    "uid",
    "values",
    "variables",
    "version",
    "volumes",
    "words",
];

/// Those of all programs, without the tests' own, in the order of the files.
pub(crate) fn all(root: &Path) -> Vec<Constant> {
    let mut found = Vec::new();
    let mut dirs = vec![root.join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.file_name().unwrap().to_str().unwrap() {
                "fuzz" | "fuzz.rs" | "tests" | "tests.rs" => {}
                _ if path.is_dir() => dirs.push(path),
                name if name.ends_with(".rs") => read(&path, path.strip_prefix(root).unwrap(), &mut found),
                _ => {}
            }
        }
    }
    found.sort_by(|one, other| one.file.cmp(&other.file));
    found
}

fn read(path: &Path, name: &Path, found: &mut Vec<Constant>) {
    let parsed = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    items(&parsed.items, name, found);
}

fn items(all: &[Item], file: &Path, found: &mut Vec<Constant>) {
    for item in all {
        match item {
            Item::Const(item) if is_tuned(&item.ty) => {
                found.push(constant(file, None, &item.ident, &item.ty, &item.expr, &item.attrs));
            }
            Item::Impl(of) if !is_for_tests(&of.attrs) => {
                let owner = written(&of.self_ty);
                for item in &of.items {
                    if let ImplItem::Const(item) = item
                        && is_tuned(&item.ty)
                    {
                        let owner = Some(owner.as_str());
                        found.push(constant(file, owner, &item.ident, &item.ty, &item.expr, &item.attrs));
                    }
                }
            }
            Item::Mod(item) if !is_for_tests(&item.attrs) => {
                items(item.content.as_ref().map_or(&[][..], |(_, items)| items), file, found);
            }
            _ => {}
        }
    }
}

fn constant(
    file: &Path,
    owner: Option<&str>,
    name: &syn::Ident,
    kind: &Type,
    value: &Expr,
    attributes: &[Attribute],
) -> Constant {
    let name = owner.map_or_else(|| name.to_string(), |owner| format!("{owner}::{name}"));
    let kind = written(kind);
    Constant { file: file.to_owned(), name, kind, value: shown(value), reason: doc(attributes) }
}

/// A number, a time or a size, or several of them.
fn is_tuned(kind: &Type) -> bool {
    const NUMBERS: [&str; 11] =
        ["usize", "u64", "u32", "u16", "u8", "i64", "i32", "i16", "isize", "f64", "u128"];
    match kind {
        Type::Path(path) => {
            let last = path.path.segments.last().unwrap().ident.to_string();
            NUMBERS.contains(&last.as_str()) || MEASURES.contains(&last.as_str())
        }
        Type::Tuple(tuple) => tuple.elems.iter().all(is_tuned),
        Type::Array(array) => is_tuned(&array.elem) && written(&array.elem) != "u8",
        Type::Reference(reference) => is_tuned(&reference.elem),
        Type::Slice(slice) => is_tuned(&slice.elem) && written(&slice.elem) != "u8",
        _ => false,
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let said = attribute.meta.to_token_stream().to_string();
        said.starts_with("cfg") && (said.contains("test") || said.contains("fuzz"))
    })
}

fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(value) => match &value.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Code as people write it.
fn written(code: &impl ToTokens) -> String {
    let mut text = code.to_token_stream().to_string();
    for (from, to) in
        [(" :: ", "::"), (" (", "("), ("( ", "("), (" )", ")"), (" ,", ","), (" . ", "."), ("& ", "&")]
    {
        text = text.replace(from, to);
    }
    text
}

/// A time in its unit, all else as it is written.
fn shown(value: &Expr) -> String {
    let text = written(value);
    for (call, unit) in [
        ("Duration::from_secs(", "s"),
        ("Duration::from_millis(", "ms"),
        ("Duration::from_micros(", "µs"),
        ("Duration::from_mins(", "min"),
        ("Duration::from_hours(", "h"),
    ] {
        let number = text.strip_prefix(call).and_then(|rest| rest.strip_suffix(')'));
        if let Some(number) = number.filter(|number| !number.contains('(')) {
            return format!("`{number}` {unit}");
        }
    }
    format!("`{text}`")
}

/// The page that lists them.
pub(crate) fn page(all: &[Constant]) -> String {
    let mut rooms: BTreeMap<String, Vec<&Constant>> = BTreeMap::new();
    for constant in all {
        rooms.entry(constant.room()).or_default().push(constant);
    }
    let mut page = HEAD.to_owned();
    for (room, constants) in rooms {
        write!(page, "\n## {room}\n\n| constant | value | reason | file |\n|---|---|---|---|\n").unwrap();
        for Constant { file, name, value, reason, .. } in constants {
            let (value, reason) = (value.replace('|', "\\|"), reason.replace('|', "\\|"));
            let file = file.display();
            writeln!(page, "| `{name}` | {value} | {reason} | [{file}](../{file}) |").unwrap();
        }
    }
    page
}

const HEAD: &str = "# Limits, times and sizes

Each number that tunes the programs, by room, as it stands beside the code that it tunes, with the reason that is written
there. `make limits` writes this page out of the sources, and `tests/house.rs` holds it. What an administrator can change is in
[ie-container-policy.toml(5)](../man/ie-container-policy.toml.5).
";
