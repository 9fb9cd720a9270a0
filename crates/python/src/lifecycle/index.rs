//! Where names occur over all files, made once when first asked for.

use rustc_hash::FxHashMap;

use super::{ClassRef, FileId, Lifecycle};
use crate::facts::{BindingId, BindingKind, ClassId, ExprKind, Facts, Name};

/// Names of the tree and where they occur.
#[derive(Debug, Default)]
pub(super) struct Index {
    mentions: FxHashMap<Name, Vec<FileId>>,
    attributes: FxHashMap<Name, Vec<FileId>>,
    keys: FxHashMap<Name, Vec<FileId>>,
    imports: FxHashMap<Name, Vec<(FileId, BindingId)>>,
    based_on: FxHashMap<Name, Vec<ClassRef>>,
    getattr: Vec<FileId>,
    resolved: std::sync::OnceLock<Resolved>,
    writes: FxHashMap<Name, Vec<(String, FileId, BindingId)>>,
}

/// Imports by the file that they read from.
#[derive(Debug, Default)]
struct Resolved {
    names: FxHashMap<(FileId, Name), Vec<(FileId, BindingId)>>,
    stars: FxHashMap<FileId, Vec<FileId>>,
}

impl Resolved {
    fn new(life: &Lifecycle, imports: &FxHashMap<Name, Vec<(FileId, BindingId)>>) -> Self {
        let mut resolved = Self::default();
        for (name, list) in imports {
            for &(file, id) in list {
                if let BindingKind::ImportFrom { level, module, .. } = &life.facts(file).binding(id).kind
                    && let Some(target) = life.imported_file(file, *level, module)
                    && target != file
                {
                    resolved.names.entry((target, name.clone())).or_default().push((file, id));
                }
            }
        }
        for file in life.files() {
            for (level, module) in &life.facts(file).stars {
                if let Some(target) = life.imported_file(file, *level, module)
                    && target != file
                {
                    resolved.stars.entry(target).or_default().push(file);
                }
            }
        }
        resolved
    }
}

impl Index {
    fn resolved(&self, life: &Lifecycle) -> &Resolved {
        self.resolved.get_or_init(|| Resolved::new(life, &self.imports))
    }

    /// Bindings by `from … import name` that read from this file; sorted by file.
    pub fn imported_from(&self, life: &Lifecycle, file: FileId, name: &Name) -> &[(FileId, BindingId)] {
        self.resolved(life).names.get(&(file, name.clone())).map_or(&[], Vec::as_slice)
    }

    /// Files that import all of this file's names with `*`; sorted.
    pub fn stars(&self, life: &Lifecycle, file: FileId) -> &[FileId] {
        self.resolved(life).stars.get(&file).map_or(&[], Vec::as_slice)
    }

    fn new(life: &Lifecycle) -> Self {
        let mut index = Self::default();
        for file in life.files() {
            let facts = life.facts(file);
            for function in facts.functions.iter().skip(1) {
                index.mentions.entry(function.name.clone()).or_default();
            }
            for class in &facts.classes {
                index.mentions.entry(class.name.clone()).or_default();
            }
        }
        for file in life.files() {
            let facts = life.facts(file);
            let mut mention = |name: &Name| {
                if let Some(list) = index.mentions.get_mut(name)
                    && list.last() != Some(&file)
                {
                    list.push(file);
                }
            };
            facts.loads.keys().chain(facts.attributes.keys()).for_each(&mut mention);
            for (number, binding) in facts.bindings.iter().enumerate() {
                if let BindingKind::ImportFrom { name, .. } = &binding.kind {
                    mention(name);
                    index.imports.entry(name.clone()).or_default().push((file, BindingId::new(number)));
                }
            }
            for name in facts.attributes.keys() {
                index.attributes.entry(name.clone()).or_default().push(file);
            }
            for name in facts.keys.keys() {
                index.keys.entry(name.clone()).or_default().push(file);
            }
            for (name, ids) in &facts.writes {
                for &id in ids {
                    let Some(target) = facts.binding(id).target else { continue };
                    let (ExprKind::Attribute { value, .. } | ExprKind::Subscript { value, .. }) =
                        facts.expr(target).kind
                    else {
                        continue;
                    };
                    let receiver = super::ExprRef { file, id: value };
                    if life.receiver_class(receiver).is_none()
                        && let Some(last) = life.last_part(receiver)
                    {
                        index.writes.entry(name.clone()).or_default().push((last, file, id));
                    }
                }
            }
            if facts.loads.contains_key("getattr") {
                index.getattr.push(file);
            }
            for (number, class) in facts.classes.iter().enumerate() {
                for &base in &class.bases {
                    if let Some(name) = last_name(facts, base) {
                        index
                            .based_on
                            .entry(name.clone())
                            .or_default()
                            .push(ClassRef { file, id: ClassId::new(number) });
                        // A base that was imported under another name.
                        for &id in facts.scopes[0].get(name).into_iter().flatten() {
                            if let BindingKind::ImportFrom { name: imported, .. } = &facts.binding(id).kind
                                && imported != name
                            {
                                index
                                    .based_on
                                    .entry(imported.clone())
                                    .or_default()
                                    .push(ClassRef { file, id: ClassId::new(number) });
                            }
                        }
                    }
                }
            }
        }
        index
    }

    /// Files in which the name of a function or class of the tree is read, an attribute, or imported; sorted.
    pub fn mentions(&self, name: &str) -> &[FileId] {
        self.mentions.get(name).map_or(&[], Vec::as_slice)
    }

    /// Files that have an attribute of this name; sorted.
    pub fn attributes(&self, name: &str) -> &[FileId] {
        self.attributes.get(name).map_or(&[], Vec::as_slice)
    }

    /// Files that have a subscript with this key; sorted.
    pub fn keys(&self, name: &str) -> &[FileId] {
        self.keys.get(name).map_or(&[], Vec::as_slice)
    }

    /// Bindings by `from … import name`; sorted by file.
    pub fn imports(&self, name: &str) -> &[(FileId, BindingId)] {
        self.imports.get(name).map_or(&[], Vec::as_slice)
    }

    /// Classes one of whose bases is written with this last name; sorted.
    pub fn based_on(&self, name: &str) -> &[ClassRef] {
        self.based_on.get(name).map_or(&[], Vec::as_slice)
    }

    /// Writes to this attribute or key of an object that is not the method's own: the last part of the receiver, and the
    /// binding; by file.
    pub fn writes(&self, name: &str) -> &[(String, FileId, BindingId)] {
        self.writes.get(name).map_or(&[], Vec::as_slice)
    }

    /// Files that call `getattr`; sorted.
    pub fn getattr(&self) -> &[FileId] {
        &self.getattr
    }
}

fn last_name(facts: &Facts, base: crate::facts::ExprId) -> Option<&Name> {
    match &facts.expr(base).kind {
        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => Some(name),
        ExprKind::Subscript { value, .. } => last_name(facts, *value),
        _ => None,
    }
}

impl Lifecycle {
    pub(super) fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(self))
    }
}
