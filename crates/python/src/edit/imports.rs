//! Imports asked for by name, found or added; imports taken away.

use ruff_python_ast::{Alias, Stmt, StmtImportFrom};
use ruff_text_size::{Ranged, TextRange};

use super::bindings::{Bindings, bound_name, is_used, module_of};
use super::change::Edit;
use super::draft::Draft;
use super::import_block::new_import;
use super::items::Items;
use super::source::Source;
use super::statements::{Comments, delete_statement};

/// Something a fix needs to be imported at module level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportRequest {
    /// The module: `asyncio`, `concurrent.futures`, `.db`.
    pub module: String,
    /// The name wanted from it; `None` for the module itself.
    pub name: Option<String>,
    /// The name to bind it to, where it is not its own.
    pub alias: Option<String>,
}

impl ImportRequest {
    /// `import module`.
    pub fn module(module: &str) -> Self {
        Self { module: module.to_owned(), name: None, alias: None }
    }

    /// `from module import name`.
    pub fn from(module: &str, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::module(module) }
    }

    /// The same under another local name.
    #[must_use]
    pub fn named(self, alias: &str) -> Self {
        Self { alias: Some(alias.to_owned()), ..self }
    }
}

/// The edits that make every request importable, and for each the expression to use it by, in order.
///
/// What is imported at module level already is used as it is (`aio` after `import asyncio as aio`,
/// `contextlib.suppress` after `import contextlib`). Else the name joins a `from module import …` that is there, or
/// a new line goes where isort would have it. Where the name is taken by something else, it is imported as `_name`.
pub fn import_edits(source: &Source, requests: &[ImportRequest]) -> (Vec<Edit>, Vec<String>) {
    let mut draft = Draft::new(source);
    let mut locals = Vec::with_capacity(requests.len());
    for request in requests {
        let bindings = Bindings::of(draft.source());
        if let Some(local) = imported_as(&bindings, request) {
            locals.push(local);
            continue;
        }
        let alias = free_alias(&bindings, request);
        let done = draft.step(|now| {
            let joined = request.name.as_deref().and_then(|name| join(now, request, name, alias.as_deref()));
            Ok(joined.unwrap_or_else(|| new_import(now, request, alias.as_deref())))
        });
        debug_assert!(done.is_ok(), "edits of one import do not overlap");
        locals.push(alias.unwrap_or_else(|| request.name.clone().unwrap_or_else(|| request.module.clone())));
    }
    (draft.edits(), locals)
}

/// Takes away the imports that bind `name`, where nothing in the file names it any more; never in an
/// `__init__.py`, whose imports are what others import.
pub fn remove_import(source: &Source, name: &str) -> Vec<Edit> {
    remove_import_after(source, &[], name)
}

/// As [`remove_import`], where `edits` of the same file decide whether the name is still used.
pub fn remove_import_after(source: &Source, edits: &[Edit], name: &str) -> Vec<Edit> {
    let after = source.with(edits);
    let used = after.as_ref().map_or(true, |after| is_used(after, name));
    if used || source.path().ends_with("__init__.py") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for stmt in source.body() {
        let aliases = match stmt {
            Stmt::Import(node) => &node.names,
            Stmt::ImportFrom(node) if module_of(node) != "__future__" => &node.names,
            _ => continue,
        };
        let bound = |alias: &Alias| match stmt {
            Stmt::Import(_) => bound_name(alias) == name,
            _ => alias.asname.as_ref().unwrap_or(&alias.name).as_str() == name,
        };
        let gone = aliases.iter().filter(|alias| bound(alias)).count();
        if gone == 0 {
            continue;
        }
        if gone == aliases.len() {
            found.extend(delete_statement(source, stmt, Comments::Keep).unwrap_or_default());
        } else if let Some(index) = aliases.iter().position(bound) {
            found.extend(alias_items(source, stmt, aliases).remove(source, index));
        }
    }
    found.retain(|edit| !edits.contains(edit));
    found
}

/// The expression by which a request is imported already.
fn imported_as(bindings: &Bindings, request: &ImportRequest) -> Option<String> {
    let always = |local: &str| {
        let bound = bindings.names.get(local)?;
        let mut imports = Vec::new();
        for binding in bound {
            imports.push(binding.as_ref()?);
        }
        imports.iter().any(|import| import.always).then_some(imports)
    };
    let usable = |local: &String| request.alias.as_ref().is_none_or(|alias| alias == local);
    let name = request.name.as_deref();
    for local in bindings.names.keys().filter(|local| usable(local)) {
        if bindings.collides(local, &request.module, name) {
            continue;
        }
        let Some(imports) = always(local) else { continue };
        let exact = |import: &&super::bindings::Imported| import.module == request.module && import.always;
        match name {
            Some(_) => return Some(local.clone()),
            // `import a.b` binds `a`, and with `a.b` all of its parents.
            None if request.module.split('.').next() == Some(local) => {
                let parent = |module: &str| {
                    module
                        .strip_prefix(&request.module)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                if imports.iter().any(|import| import.always && parent(&import.module)) {
                    return Some(request.module.clone());
                }
            }
            None if imports.iter().all(exact) => return Some(local.clone()),
            None => {}
        }
    }
    let name = name.filter(|_| request.alias.is_none())?;
    let module = imported_as(bindings, &ImportRequest::module(&request.module))?;
    Some(format!("{module}.{name}"))
}

/// The alias to import a request by: its own, or one that is free where its name is taken.
fn free_alias(bindings: &Bindings, request: &ImportRequest) -> Option<String> {
    let name = request.name.as_deref();
    let own = request.alias.as_deref().or(name).unwrap_or(&request.module);
    let local = own.split('.').next().unwrap_or(own);
    if !bindings.collides(local, &request.module, name) {
        return request.alias.clone();
    }
    let mut alias = format!("_{}", own.rsplit('.').next().unwrap_or(own).trim_start_matches('_'));
    while bindings.collides(&alias, &request.module, name) {
        alias.push('_');
    }
    Some(alias)
}

/// Adds a name to the first `from module import …` at module level.
fn join(source: &Source, request: &ImportRequest, name: &str, alias: Option<&str>) -> Option<Vec<Edit>> {
    let node = source.body().iter().filter_map(Stmt::as_import_from_stmt).find(|node| {
        module_of(node) == request.module && node.names.iter().all(|alias| alias.name.as_str() != "*")
    })?;
    let text = alias.map_or_else(|| name.to_owned(), |alias| format!("{name} as {alias}"));
    let index = sorted_place(node, name);
    let items = alias_items(source, &Stmt::ImportFrom(node.clone()), &node.names);
    let line = source.line(node.start());
    let one_line = source.line_start(node.start()) == source.line_start(node.end());
    let widest = source.text().lines().map(|line| line.chars().count()).max().unwrap_or(0);
    if one_line && line.chars().count() + text.chars().count() + 2 > widest.clamp(88, 120) {
        return broken_up(source, node, &items, index, &text);
    }
    Some(items.insert(source, index, &text))
}

/// The statement with a name a line, in brackets, where one line has become too long.
fn broken_up(
    source: &Source,
    node: &StmtImportFrom,
    items: &Items,
    index: usize,
    text: &str,
) -> Option<Vec<Edit>> {
    let mut names: Vec<&str> = items.items.iter().map(|item| source.slice(*item)).collect();
    names.insert(index.min(names.len()), text);
    let newline = source.newline();
    let mut list = format!("({newline}");
    for name in names {
        list.extend([source.unit(), name, ",", newline]);
    }
    list.push(')');
    Some(vec![Edit::replacement(TextRange::new(node.names.first()?.start(), node.end()), list)])
        .filter(|_| !source.slice(node).contains('('))
}

fn alias_items(source: &Source, stmt: &Stmt, aliases: &[Alias]) -> Items {
    use ruff_python_ast::token::TokenKind;

    let items: Vec<TextRange> = aliases.iter().map(Ranged::range).collect();
    let tokens = source.tokens_in(stmt.range());
    let open = tokens.iter().find(|token| token.kind() == TokenKind::Lpar).map(Ranged::end);
    let close = tokens.iter().rev().find(|token| token.kind() == TokenKind::Rpar).map(Ranged::start);
    let first = items.first().map_or(stmt.start(), Ranged::start);
    let inside = match (open, close) {
        (Some(open), Some(close)) => TextRange::new(open, close),
        _ => TextRange::new(first, stmt.end()),
    };
    Items { inside, items }
}

/// Where a name goes among those imported, in the order they are in; at the end where they are in none.
fn sorted_place(node: &StmtImportFrom, name: &str) -> usize {
    let by_type = |name: &str| {
        let letters = name.chars().filter(|c| c.is_alphabetic());
        let constant = name.len() > 1 && letters.clone().all(char::is_uppercase);
        let class = name.starts_with(char::is_uppercase);
        (
            if constant {
                0
            } else if class {
                1
            } else {
                2
            },
            name.to_owned(),
        )
    };
    let plain = |name: &str| (0, name.to_lowercase());
    let names: Vec<&str> = node.names.iter().map(|alias| alias.name.as_str()).collect();
    let place = |key: &dyn Fn(&str) -> (u8, String)| {
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        keys.is_sorted().then(|| keys.partition_point(|known| *known < key(name)))
    };
    place(&by_type).or_else(|| place(&plain)).unwrap_or(names.len())
}
