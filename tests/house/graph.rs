//! Which file of a room imports which: read from the parsed sources, grouped and nested imports too, and followed through
//! re-exports to the file that defines the thing. Paths in the code and in macros' arguments count as imports do.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::{Attribute, Item, UseTree, Visibility};

/// `["engine", "owned"]`, from the top of what was read.
pub(crate) type Module = Vec<String>;

/// What one module file says.
#[derive(Default)]
struct Source {
    /// The names that its `use` items bring in, and where from, as written from the top; and whether others see them.
    names: BTreeMap<String, Module>,
    /// Those of them that it only hands on: whoever uses one imports from where it is defined.
    handed_on: BTreeSet<String>,
    /// Modules all of whose names are brought in.
    globs: Vec<Module>,
    /// Names of its own: items and child modules.
    own: BTreeSet<String>,
    /// Each path that is written anywhere in its code.
    paths: BTreeSet<Module>,
}

/// Module files, and the arrows between them.
pub(crate) struct Graph {
    sources: BTreeMap<Module, Source>,
    pub(crate) arrows: BTreeSet<(Module, Module)>,
}

impl Graph {
    /// Of the module whose directory this is; what only tests compile is left out.
    pub(crate) fn read(top: &Path) -> Self {
        let mut sources = BTreeMap::new();
        read_module(&top.join("mod.rs"), top, &[], &mut sources);
        let mut graph = Self { sources, arrows: BTreeSet::new() };
        graph.arrows = graph.drawn();
        graph
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &Module> {
        self.sources.keys()
    }

    fn drawn(&self) -> BTreeSet<(Module, Module)> {
        let mut arrows = BTreeSet::new();
        for (from, source) in &self.sources {
            let own = source.names.iter().filter(|(name, _)| !source.handed_on.contains(*name));
            for path in source.paths.iter().chain(own.map(|(_, path)| path)) {
                if let Some(to) = self.home(&self.absolute(from, path), 0)
                    && to != *from
                {
                    arrows.insert((from.clone(), to));
                }
            }
        }
        arrows
    }

    /// A path of a module's, from the top: through what the module imports by name.
    fn absolute(&self, module: &Module, path: &Module) -> Module {
        let Some((first, rest)) = path.split_first() else { return Module::new() };
        match self.sources[module].names.get(first) {
            Some(named) => named.iter().chain(rest).cloned().collect(),
            None if self.sources[module].own.contains(first) => module.iter().chain(path).cloned().collect(),
            None => path.clone(),
        }
    }

    /// The module file in which the thing at a path is defined; none for a module itself, and for what is elsewhere.
    fn home(&self, path: &Module, depth: usize) -> Option<Module> {
        assert!(depth < 20, "{path:?} leads round in a circle of re-exports");
        let length = (0..path.len()).rev().find(|length| self.sources.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        if self.sources.contains_key(path.as_slice()) {
            return None;
        }
        let source = &self.sources[module];
        let name = rest.first()?;
        if let Some(named) = source.names.get(name) {
            let further = named.iter().chain(&rest[1..]).cloned().collect();
            return self.home(&further, depth + 1);
        }
        if source.own.contains(name) {
            return Some(module.to_vec());
        }
        let through = source.globs.iter().find_map(|glob| {
            let further: Module = glob.iter().chain(rest).cloned().collect();
            self.home(&further, depth + 1)
        });
        through.or_else(|| (!module.is_empty()).then(|| module.to_vec()))
    }

    /// Groups of files each of which leads to each other one, the largest first.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<Module>> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.sources.keys().map(|from| (from, self.reached(from))).collect();
        let mut circles: BTreeSet<BTreeSet<Module>> = BTreeSet::new();
        for (file, reached) in &reach {
            let circle: BTreeSet<Module> = reached
                .iter()
                .filter(|other| reach[**other].contains(file))
                .map(|other| (*other).clone())
                .collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        let mut circles: Vec<_> = circles.into_iter().collect();
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }

    fn reached<'g>(&'g self, from: &'g Module) -> BTreeSet<&'g Module> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            for (_, to) in self.arrows.iter().filter(|(arrow, _)| arrow == file) {
                if reached.insert(to) {
                    next.push(to);
                }
            }
        }
        reached
    }
}

fn read_module(file: &Path, dir: &Path, module: &[String], sources: &mut BTreeMap<Module, Source>) {
    let text = fs::read_to_string(file).unwrap();
    let parsed = syn::parse_file(&text).unwrap();
    let mut source = Source::default();
    for item in parsed.items {
        if is_for_tests(attributes(&item)) {
            continue;
        }
        if let Item::Mod(child) = &item
            && child.content.is_none()
        {
            let name = child.ident.to_string();
            let below = dir.join(&name);
            let beside = dir.join(format!("{name}.rs"));
            let path = if beside.exists() { beside } else { below.join("mod.rs") };
            source.own.insert(name.clone());
            let child: Module = module.iter().cloned().chain([name]).collect();
            read_module(&path, &below, &child, sources);
            continue;
        }
        match item {
            Item::Use(item) => {
                let before: BTreeSet<String> = source.names.keys().cloned().collect();
                imports(&item.tree, &mut Vec::new(), module, &mut source);
                if !matches!(item.vis, Visibility::Inherited) {
                    let new = source.names.keys().filter(|name| !before.contains(*name));
                    source.handed_on.extend(new.cloned());
                }
            }
            other => {
                if let Some(name) = name_of(&other) {
                    source.own.insert(name);
                }
                written_paths(other.to_token_stream(), module, &mut source.paths);
            }
        }
    }
    sources.insert(module.to_vec(), source);
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    match item {
        Item::Const(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Fn(item) => Some(item.sig.ident.to_string()),
        Item::Mod(item) => Some(item.ident.to_string()),
        Item::Static(item) => Some(item.ident.to_string()),
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Trait(item) => Some(item.ident.to_string()),
        Item::Type(item) => Some(item.ident.to_string()),
        Item::Macro(item) => item.ident.as_ref().map(ToString::to_string),
        _ => None,
    }
}

/// `#[cfg(test)]`, and what the fuzz targets have besides.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let said = attribute.meta.to_token_stream().to_string().replace(' ', "");
        ["cfg(test)", "cfg(any(test,feature=\"fuzz\"))", "cfg(feature=\"fuzz\")"].contains(&said.as_str())
    })
}

/// The names that a `use` brings in.
fn imports(tree: &UseTree, before: &mut Vec<String>, module: &[String], source: &mut Source) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            imports(&path.tree, before, module, source);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| imports(tree, before, module, source)),
        UseTree::Name(name) if name.ident == "self" => {
            let last = before.last().cloned().unwrap_or_default();
            source.names.extend(from_top(before, module).map(|path| (last, path)));
        }
        UseTree::Name(name) => {
            let path: Vec<String> = before.iter().cloned().chain([name.ident.to_string()]).collect();
            source.names.extend(from_top(&path, module).map(|path| (name.ident.to_string(), path)));
        }
        UseTree::Rename(name) => {
            let path: Vec<String> = before.iter().cloned().chain([name.ident.to_string()]).collect();
            source.names.extend(from_top(&path, module).map(|path| (name.rename.to_string(), path)));
        }
        UseTree::Glob(_) => source.globs.extend(from_top(before, module)),
    }
}

/// A path from the top of what was read; none for one that leads elsewhere.
fn from_top(path: &[String], module: &[String]) -> Option<Module> {
    let mut at: Module = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" if path.get(1).is_some_and(|room| room == "gateway") => return Some(path[2..].to_vec()),
        "crate" | "std" | "core" => return None,
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|step| step == "super") {
                at.pop()?;
                rest = &rest[1..];
            }
        }
        _ => {}
    }
    Some(at.into_iter().chain(rest.iter().cloned()).collect())
}

/// Every `a::b` in the code, macros' arguments too; one that begins with a name is left as written.
fn written_paths(tokens: TokenStream, module: &[String], paths: &mut BTreeSet<Module>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if colons == 2 || path.is_empty() => {
                path.push(ident.to_string());
                colons = 0;
                continue;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() && colons < 2 => {
                colons += 1;
                continue;
            }
            TokenTree::Group(group) => {
                note(&mut path, module, paths);
                written_paths(group.stream(), module, paths);
            }
            TokenTree::Ident(ident) => {
                note(&mut path, module, paths);
                path.push(ident.to_string());
            }
            _ => note(&mut path, module, paths),
        }
        colons = 0;
    }
    note(&mut path, module, paths);
}

fn note(path: &mut Vec<String>, module: &[String], paths: &mut BTreeSet<Module>) {
    let written = std::mem::take(path);
    match written.first().map(String::as_str) {
        Some("crate" | "super" | "self") if written.len() > 1 => paths.extend(from_top(&written, module)),
        Some(_) if written.len() > 1 => {
            paths.insert(written);
        }
        _ => {}
    }
}
