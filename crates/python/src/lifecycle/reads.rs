//! Where a global name or an attribute is read, over all files; kept once found, since many objects share a place.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{ClassRef, ExprRef, FileId, FunctionRef, Kind, Lifecycle, Lookup, Place, Value};
use crate::facts::{ExprKind, MODULE, Name, Parent, StmtKind};

/// An attribute that is read on more other objects than this is looked for on none of them; a global that more files import
/// is followed into none.
pub(super) const POPULAR: usize = 400;

/// Reads of one attribute of modules.
#[derive(Debug)]
pub(super) struct OfModules {
    /// Each with the module's file.
    reads: Vec<(FileId, ExprRef)>,
    /// There may be more.
    more: bool,
}

/// Reads of one place.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The expressions.
    pub exprs: Vec<ExprRef>,
    /// Other names of the same thing, bound by imports.
    pub places: Vec<Place>,
    /// There may be more.
    pub more: bool,
}

impl Lifecycle {
    /// Expressions that read a module's global, and other names that imports bind it to; none where there may be more.
    pub fn reads_of_global(&self, file: FileId, name: &Name) -> Option<(Vec<ExprRef>, Vec<Place>)> {
        let reads = self.global_reads(file, name);
        (!reads.more).then(|| (reads.exprs.clone(), reads.places.clone()))
    }

    /// Expressions that read an attribute of a class or of its objects; none where there may be more.
    pub fn reads_of_attribute(&self, class: ClassRef, name: &Name) -> Option<Vec<ExprRef>> {
        let reads = self.attribute_reads(class, name);
        (!reads.more).then(|| reads.exprs.clone())
    }

    /// Reads of a module's global in its own file and in those that import it.
    pub(super) fn global_reads(&self, file: FileId, name: &Name) -> Arc<Reads> {
        let key = Place::Global(file, name.clone());
        if let Some(found) = self.reads.get(&key) {
            return found;
        }
        let mut reads = Reads { exprs: self.loads_of(file, MODULE, name), ..Reads::default() };
        // `from module import name` and `module.name` in other files; what they bind is a place of its own.
        let importers: Vec<FileId> = self.importers(file, name).take(POPULAR + 1).collect();
        let everybody = importers.len() > POPULAR;
        for other in importers.into_iter().filter(|_| !everybody) {
            for id in self.bound_by_import(other, file, name) {
                let binding = self.facts(other).binding(id);
                reads.places.push(if binding.function == MODULE && binding.class.is_none() {
                    Place::Global(other, binding.name.clone())
                } else {
                    Place::Local(FunctionRef { file: other, id: binding.function }, binding.name.clone())
                });
            }
        }
        for &other in self.stars_of(file) {
            reads.places.push(Place::Global(other, name.clone()));
        }
        let attributes = self.module_attributes(name);
        reads
            .exprs
            .extend(attributes.reads.iter().filter(|(target, _)| *target == file).map(|(_, read)| *read));
        reads.more = attributes.more || everybody;
        let reads = Arc::new(reads);
        self.reads.keep(key, Arc::clone(&reads));
        reads
    }

    /// Attributes of this name whose object is a module of the tree, with the module's file.
    fn module_attributes(&self, name: &Name) -> Arc<OfModules> {
        if let Some(found) = self.module_attributes.get(name) {
            return found;
        }
        let mut asked = Vec::new();
        let files = self.files_using(name);
        let everybody = files.len() > POPULAR;
        for other in files.into_iter().filter(|_| !everybody) {
            let facts = self.facts(other);
            for &id in facts.attributes.get(name).into_iter().flatten() {
                let ExprKind::Attribute { value, .. } = facts.expr(id).kind else { continue };
                let receiver = ExprRef { file: other, id: value };
                // A module is a name that an import binds, or a dotted one.
                if facts.dotted(value).is_some() && self.receiver_class(receiver).is_none() {
                    asked.push((receiver, ExprRef { file: other, id }));
                }
            }
        }
        let more = everybody || asked.len() > POPULAR;
        let mut found = Vec::new();
        for (receiver, read) in asked.into_iter().filter(|_| !more) {
            for value in self.infer(receiver).iter() {
                if let Value::Module(module) = value
                    && let Some(target) = self.modules().find(module, read.file)
                    && target != read.file
                {
                    found.push((target, read));
                }
            }
        }
        let found = Arc::new(OfModules { reads: found, more });
        self.module_attributes.keep(name.clone(), Arc::clone(&found));
        found
    }

    /// Reads of an attribute of a class's objects.
    pub(super) fn attribute_reads(&self, class: ClassRef, name: &Name) -> Arc<Reads> {
        let key = Place::Attribute(class, name.clone());
        if let Some(found) = self.reads.get(&key) {
            return found;
        }
        let mut reads = Reads::default();
        let ancestry = self.ancestry(class);
        let family: FxHashSet<ClassRef> =
            ancestry.inside.iter().chain(self.heirs(class).iter()).copied().collect();
        let mut asked = Vec::new();
        let mut files = self.files_using(name);
        let everybody = files.len() > POPULAR;
        if everybody {
            let own: FxHashSet<FileId> = family.iter().map(|class| class.file).collect();
            files.retain(|file| own.contains(file));
        }
        for file in files {
            let facts = self.facts(file);
            for &id in facts.attributes.get(name).into_iter().flatten() {
                let ExprKind::Attribute { value, .. } = facts.expr(id).kind else { continue };
                let receiver = ExprRef { file, id: value };
                let read = ExprRef { file, id };
                let own = self.receiver_class(receiver);
                if own.is_some_and(|of| !family.contains(&of)) || self.is_target(read) {
                    continue;
                }
                if own.is_some() {
                    reads.exprs.push(read);
                    continue;
                }
                asked.push((receiver, read));
            }
        }
        reads.more = everybody || asked.len() > POPULAR;
        for (receiver, read) in asked.into_iter().filter(|_| !reads.more) {
            let matches = self.infer(receiver).iter().any(|value| match value {
                Value::Instance(Kind::Class(of), _) | Value::Class(of) => family.contains(of),
                _ => false,
            });
            if matches {
                reads.exprs.push(read);
            }
        }
        // A class attribute read by its bare name in the class's own body.
        let file = class.file;
        for &id in self.facts(file).loads.get(name).into_iter().flatten() {
            if let Lookup::Member(of, _) = self.lookup(ExprRef { file, id }, name)
                && of == class
            {
                reads.exprs.push(ExprRef { file, id });
            }
        }
        let reads = Arc::new(reads);
        self.reads.keep(key, Arc::clone(&reads));
        reads
    }

    /// Whether an attribute or subscript is written, not read.
    pub(super) fn is_target(&self, expr: ExprRef) -> bool {
        let facts = self.facts(expr.file);
        let mut at = expr.id;
        loop {
            match facts.expr(at).parent {
                Parent::Expr(up)
                    if matches!(
                        facts.expr(up).kind,
                        ExprKind::Tuple(_) | ExprKind::List(_) | ExprKind::Starred(_)
                    ) =>
                {
                    at = up;
                }
                Parent::Stmt(stmt) => {
                    return match &facts.stmt(stmt).kind {
                        StmtKind::Assign { targets, .. } => targets.contains(&at),
                        StmtKind::AnnAssign { target, .. } | StmtKind::For { target, .. } => *target == at,
                        StmtKind::With { items, .. } => items.iter().any(|item| item.target == Some(at)),
                        StmtKind::Delete(_) => true,
                        _ => false,
                    };
                }
                _ => return false,
            }
        }
    }
}
