//! From a name to where it is imported, inherited from or written, over all files.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::kept::Kept;
use super::{ClassRef, FileId, Lifecycle};
use crate::facts::{BindingId, BindingKind, ClassId, ExprKind, Imported, Name, word};

/// What is kept of it.
#[derive(Debug, Default)]
pub(super) struct Index {
    stars: std::sync::OnceLock<FxHashMap<FileId, Vec<FileId>>>,
    /// The word of each imported name, the file, and the import's place in its outline; sorted.
    imports: std::sync::OnceLock<Vec<(u32, FileId, u32)>>,
    writes: Kept<Name, Writes>,
}

/// What a name means as a class.
enum Named {
    /// This one of the tree.
    Class(ClassRef),
    /// One of a library, or nothing.
    Outside,
    /// The names alone do not say.
    Unclear,
}

/// Writes to one attribute or key: the last part of the object, and the binding; by file.
type Writes = Arc<[(String, FileId, BindingId)]>;

impl Lifecycle {
    /// Files that read this name, as a variable or an attribute, or import it; sorted.
    pub(super) fn files_using(&self, name: &str) -> Vec<FileId> {
        let word = word(name);
        self.files_with(name).iter().copied().filter(|&file| self.outline(file).uses(word)).collect()
    }

    /// Other files that import a name from this file; sorted.
    pub fn importers<'l>(&'l self, file: FileId, name: &'l str) -> impl Iterator<Item = FileId> + 'l {
        let of = &self.files[file.index()];
        let last = of.module.rsplit('.').next().unwrap_or_default();
        let mut before = None;
        self.imports_of(name)
            .filter(move |&(from, import)| {
                from != file
                    && (import.module.is_empty() || import.module.ends_with(last))
                    && self.imported_file(from, import.level, &import.module) == Some(file)
            })
            .map(|(from, _)| from)
            .filter(move |&from| before.replace(from) != Some(from))
    }

    /// Each `from … import name` of this name, in the order of files and of their text.
    fn imports_of<'l>(&'l self, name: &'l str) -> impl Iterator<Item = (FileId, &'l Imported)> {
        let all = self.index.imports.get_or_init(|| {
            let mut all: Vec<(u32, FileId, u32)> = self
                .files()
                .flat_map(|file| {
                    let imports = self.outline(file).imports.iter().enumerate();
                    imports.map(move |(place, import)| (word(&import.name), file, place as u32))
                })
                .collect();
            all.sort_unstable();
            all
        });
        let word = word(name);
        let start = all.partition_point(|(of, ..)| *of < word);
        all[start..]
            .iter()
            .take_while(move |(of, ..)| *of == word)
            .map(|&(_, file, place)| (file, &self.outline(file).imports[place as usize]))
            .filter(move |(_, import)| import.name == *name)
    }

    /// What those imports bind.
    pub(super) fn bound_by_import(&self, from: FileId, file: FileId, name: &str) -> Vec<BindingId> {
        let reads = |kind: &BindingKind| {
            matches!(kind, BindingKind::ImportFrom { level, module, name: imported }
                if imported == name && self.imported_file(from, *level, module) == Some(file))
        };
        let bindings = self.facts(from).bindings.iter().enumerate();
        bindings.filter(|(_, of)| reads(&of.kind)).map(|(number, _)| BindingId::new(number)).collect()
    }

    /// Files that import all of this file's names with `*`; sorted.
    pub(super) fn stars_of(&self, file: FileId) -> &[FileId] {
        let stars = self.index.stars.get_or_init(|| {
            let mut stars: FxHashMap<FileId, Vec<FileId>> = FxHashMap::default();
            for from in self.files() {
                for (level, module) in &self.outline(from).stars {
                    if let Some(target) = self.imported_file(from, *level, module)
                        && target != from
                    {
                        stars.entry(target).or_default().push(from);
                    }
                }
            }
            stars
        });
        stars.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Files that import this name as another one, with that; sorted.
    pub(super) fn aliases_of<'l>(&'l self, name: &'l str) -> impl Iterator<Item = (FileId, &'l Name)> {
        self.imports_of(name).filter_map(|(file, import)| Some((file, import.alias.as_ref()?)))
    }

    /// Classes one of whose bases is written with this last name, or with one that it is imported as; sorted.
    pub(super) fn based_on(&self, name: &str) -> Vec<ClassRef> {
        let word = word(name);
        let mut found = Vec::new();
        for &file in self.files_with(name) {
            let outline = self.outline(file);
            if outline.bases.binary_search(&word).is_err() {
                continue;
            }
            let aliases: Vec<&Name> = outline
                .imports
                .iter()
                .filter(|import| import.name == *name)
                .filter_map(|import| import.alias.as_ref())
                .collect();
            for (number, class) in outline.classes.iter().enumerate() {
                let mut based = class.bases.iter().map(|base| base.rsplit('.').next().unwrap_or(base));
                if based.any(|base| base == name || aliases.iter().any(|alias| **alias == *base)) {
                    found.push(ClassRef { file, id: ClassId::new(number) });
                }
            }
        }
        found
    }

    /// Classes of this name; in order.
    pub fn classes_named<'l>(&'l self, name: &'l str) -> impl Iterator<Item = ClassRef> + 'l {
        self.files_with(name).iter().flat_map(move |&file| {
            let classes = self.outline(file).classes.iter().enumerate();
            classes
                .filter(move |(_, class)| class.name == *name)
                .map(move |(number, _)| ClassRef { file, id: ClassId::new(number) })
        })
    }

    /// Whether a class inherits from another, where the names of its bases say so for certain: names that the module imports or
    /// has a class of, once.
    pub(super) fn inherits_by_name(&self, class: ClassRef, from: ClassRef) -> Option<bool> {
        let of = &self.outline(class.file).classes[class.id.index()];
        let mut inherits = false;
        for base in &of.bases {
            if !of.top || base.is_empty() || base.contains('.') {
                return None;
            }
            inherits |= match self.class_named(class.file, base, 0) {
                Named::Class(meant) => meant == from && meant != class,
                Named::Outside => false,
                Named::Unclear => return None,
            };
        }
        Some(inherits)
    }

    /// The class that a name of a module means.
    fn class_named(&self, file: FileId, name: &str, depth: u8) -> Named {
        let outline = self.outline(file);
        let own = outline.classes.iter().enumerate().filter(|(_, class)| class.name == *name);
        let mut own = own.map(|(number, _)| ClassRef { file, id: ClassId::new(number) });
        let mut imports =
            outline.imports.iter().filter(|import| *import.alias.as_ref().unwrap_or(&import.name) == *name);
        match (own.next(), own.next(), imports.next(), imports.next()) {
            (Some(class), None, None, _) if outline.classes[class.id.index()].top => Named::Class(class),
            (None, _, Some(import), None) if depth < 5 => {
                match self.imported_file(file, import.level, &import.module) {
                    Some(target) => self.class_named(target, &import.name, depth + 1),
                    None => Named::Outside,
                }
            }
            _ => Named::Unclear,
        }
    }

    /// Writes to this attribute or key of an object that is not the method's own.
    pub(super) fn written(&self, name: &Name, last: &str) -> Vec<(FileId, BindingId)> {
        if let Some(found) = self.index.writes.get(name) {
            return of_last(&found, last);
        }
        let written = word(name);
        let mut found = Vec::new();
        for &file in self.files_with(name) {
            if !self.outline(file).writes_of_others(written) {
                continue;
            }
            let facts = self.facts(file);
            for &id in facts.writes.get(name).into_iter().flatten() {
                let Some(target) = facts.binding(id).target else { continue };
                let (ExprKind::Attribute { value, .. } | ExprKind::Subscript { value, .. }) =
                    facts.expr(target).kind
                else {
                    continue;
                };
                let receiver = super::ExprRef { file, id: value };
                if self.receiver_class(receiver).is_none()
                    && let Some(last) = self.last_part(receiver)
                {
                    found.push((last, file, id));
                }
            }
        }
        let found: Writes = found.into();
        let those = of_last(&found, last);
        self.index.writes.keep(name.clone(), found);
        those
    }
}

fn of_last(writes: &Writes, last: &str) -> Vec<(FileId, BindingId)> {
    writes.iter().filter(|(of, ..)| of == last).map(|(_, file, id)| (*file, *id)).collect()
}
