//! The names that a module binds at its level, and how.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_body, walk_node};
use ruff_python_ast::{Alias, AnyNodeRef, Stmt, StmtImport, StmtImportFrom};
use ruff_text_size::{Ranged, TextRange};

use super::source::Source;

/// What an import binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Imported {
    /// The module, with its leading dots.
    pub module: String,
    /// The name taken from it; `None` for `import module`.
    pub name: Option<String>,
    /// Whether it stands at module level itself, not in a branch or under `TYPE_CHECKING`.
    pub always: bool,
    /// The statement.
    pub statement: TextRange,
}

/// Every name bound at module level, with each of its bindings: `None` for what is no import.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    pub names: BTreeMap<String, Vec<Option<Imported>>>,
}

impl Bindings {
    pub fn of(source: &Source) -> Self {
        let mut collector = Collector::default();
        for stmt in source.body() {
            collector.direct = matches!(stmt, Stmt::Import(_) | Stmt::ImportFrom(_));
            walk_body(&mut collector, std::slice::from_ref(stmt));
        }
        collector.bindings
    }

    /// Whether a name is bound, and by something else than this import.
    pub fn collides(&self, local: &str, module: &str, name: Option<&str>) -> bool {
        self.names.get(local).is_some_and(|bindings| {
            bindings.iter().any(|binding| match binding {
                Some(import) => match name {
                    Some(_) => import.module != module || import.name.as_deref() != name,
                    None => {
                        import.name.is_some() || import.module.split('.').next() != module.split('.').next()
                    }
                },
                None => true,
            })
        })
    }
}

/// The module of a `from` import with its dots.
pub(super) fn module_of(node: &StmtImportFrom) -> String {
    ".".repeat(node.level as usize) + node.module.as_ref().map_or("", |module| module.as_str())
}

/// The name that an alias binds in an `import`.
pub(super) fn bound_name(alias: &Alias) -> &str {
    match &alias.asname {
        Some(name) => name.as_str(),
        None => alias.name.split('.').next().unwrap_or(&alias.name),
    }
}

#[derive(Default)]
struct Collector {
    bindings: Bindings,
    direct: bool,
}

impl Collector {
    fn add(&mut self, name: &str, binding: Option<Imported>) {
        self.bindings.names.entry(name.to_owned()).or_default().push(binding);
    }

    fn import(&mut self, node: &StmtImport) {
        for alias in &node.names {
            // `import a.b as c` binds the inner module, `import a.b` the outer.
            let module = alias.name.to_string();
            let import = Imported { module, name: None, always: self.direct, statement: node.range() };
            self.add(bound_name(alias), Some(import));
        }
    }

    fn import_from(&mut self, node: &StmtImportFrom) {
        for alias in &node.names {
            let (module, name) = (module_of(node), Some(alias.name.to_string()));
            let import = Imported { module, name, always: self.direct, statement: node.range() };
            self.add(alias.asname.as_ref().unwrap_or(&alias.name).as_str(), Some(import));
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Collector {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtImport(node) => self.import(node),
            AnyNodeRef::StmtImportFrom(node) => self.import_from(node),
            AnyNodeRef::StmtFunctionDef(function) => {
                self.add(&function.name, None);
                walk_body(&mut Globals { outer: self }, &function.body);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtClassDef(class) => {
                self.add(&class.name, None);
                walk_body(&mut Globals { outer: self }, &class.body);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(name) if !name.ctx.is_load() => self.add(&name.id, None),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                if let Some(name) = &handler.name {
                    self.add(name, None);
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

struct Globals<'c> {
    outer: &'c mut Collector,
}

impl<'a> SourceOrderVisitor<'a> for Globals<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtGlobal(node) = node {
            for name in &node.names {
                self.outer.add(name, None);
            }
        }
        TraversalSignal::Traverse
    }
}

/// Whether some code, a string or `__all__` names an identifier, import statements aside.
pub(super) fn is_used(source: &Source, name: &str) -> bool {
    use ruff_python_ast::token::TokenKind;

    let mut imports = Imports(Vec::new());
    walk_node(&mut imports, AnyNodeRef::from(source.parsed().syntax()));
    let mut after_dot = false;
    for token in source.parsed().tokens() {
        let text = source.slice(token);
        let found = match token.kind() {
            TokenKind::Name => !after_dot && text == name,
            TokenKind::String | TokenKind::FStringMiddle | TokenKind::TStringMiddle => has_word(text, name),
            _ => false,
        };
        if found && !imports.0.iter().any(|import| import.contains_range(token.range())) {
            return true;
        }
        after_dot = token.kind() == TokenKind::Dot;
    }
    false
}

struct Imports(Vec<TextRange>);

impl<'a> SourceOrderVisitor<'a> for Imports {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if matches!(node, AnyNodeRef::StmtImport(_) | AnyNodeRef::StmtImportFrom(_)) {
            self.0.push(node.range());
        }
        if node.is_expression() { TraversalSignal::Skip } else { TraversalSignal::Traverse }
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c == '_' || c.is_alphanumeric();
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(part)
            && !text[at + word.len()..].chars().next().is_some_and(part)
    })
}
