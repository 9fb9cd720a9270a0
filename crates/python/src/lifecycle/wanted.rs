//! Which files may call a constructor of the catalogue: the few that are worth a closer look.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{FileId, Lifecycle};
use crate::catalogue::Catalogue;
use crate::facts::{Outline, word};

/// A constructor by the name that calls are written with.
struct Constructor<'c> {
    last: &'c str,
    word: u32,
    package: &'c str,
    package_word: u32,
    /// Of a method: words without which no tree has the object that it is called on.
    objects: Option<Vec<&'c str>>,
}

/// All constructors of a catalogue.
pub(super) struct Wanted<'c>(Vec<Constructor<'c>>);

impl<'c> Wanted<'c> {
    pub fn new(catalogue: &'c Catalogue) -> Self {
        let last = |path: &'c str| path.rsplit('.').next().unwrap_or(path);
        let paths = |resource: &'c crate::catalogue::Resource| {
            std::iter::once(&resource.constructor)
                .chain(&resource.aliases)
                .map(|path| path.strip_suffix(".__call__").unwrap_or(path))
        };
        let mut makers: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
        for resource in catalogue.resources() {
            makers.entry(&resource.gives).or_default().extend(paths(resource).map(last));
        }
        let all = catalogue.resources().iter().flat_map(paths).filter_map(|path| {
            let (package, _) = path.split_once('.')?;
            let (owner, name) = path.rsplit_once('.')?;
            let class = last(owner);
            let method = class.starts_with(|c: char| c.is_ascii_uppercase());
            let objects = method.then(|| {
                let mut words = makers.get(owner).cloned().unwrap_or_default();
                words.push(class);
                words
            });
            Some(Constructor { last: name, word: word(name), package, package_word: word(package), objects })
        });
        Self(all.collect())
    }

    /// Whether a file that is read alone seems to have one.
    pub fn likely(&self, outline: &Outline) -> bool {
        self.0.iter().any(|of| outline.has(of.package_word) && of.may_be_in(outline))
    }
}

impl Constructor<'_> {
    fn may_be_in(&self, outline: &Outline) -> bool {
        match self.objects {
            Some(_) => outline.calls(self.word),
            // By its own name, or by the one of a module of the tree that has it from the library.
            None => outline.has(self.package_word) && outline.uses(self.word) || outline.imports(self.last),
        }
    }
}

impl Lifecycle {
    /// Names of modules of the tree that have a constructor from its library: `deps.AsyncClient()` calls it there.
    fn exporters(&self, of: &Constructor) -> Vec<u32> {
        if of.objects.is_some() {
            return Vec::new();
        }
        let exports = |&&file: &&FileId| {
            let outline = self.outline(file);
            outline.has(of.package_word) && outline.imports(of.last)
        };
        let module = |&file: &FileId| {
            let name = &self.files[file.index()].module;
            word(name.rsplit('.').next().unwrap_or(name))
        };
        self.files_with(of.last).iter().filter(exports).map(module).collect()
    }

    /// Files that may call constructors, each with the last names that they may call them by; sorted. Their facts are there
    /// afterwards.
    pub(super) fn files_of_constructors(&self) -> Vec<(FileId, FxHashSet<&str>)> {
        let mut found: FxHashMap<FileId, FxHashSet<&str>> = FxHashMap::default();
        for of in Wanted::new(&self.catalogue).0 {
            let absent = |word: &str| self.files_with(word).is_empty();
            if absent(of.package)
                || of.objects.as_ref().is_some_and(|words| words.iter().all(|word| absent(word)))
            {
                continue;
            }
            let own = self.modules.knows(of.package);
            let exporters = self.exporters(&of);
            for &file in self.files_with(of.last) {
                let outline = self.outline(file);
                let through = |outline: &Outline| {
                    outline.calls(of.word) && (own || exporters.iter().any(|&module| outline.has(module)))
                };
                if of.may_be_in(outline) || through(outline) {
                    found.entry(file).or_default().insert(of.last);
                }
            }
        }
        for word in ["sessionmaker", "async_to_sync"] {
            for &file in self.files_with(word) {
                found.entry(file).or_default();
            }
        }
        for file in self.files() {
            let outline = self.outline(file);
            if outline.calls_result || outline.imports.iter().any(|import| is_factory(&import.name)) {
                found.entry(file).or_default();
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable_by_key(|(file, _)| *file);
        self.read_all(&found.iter().map(|(file, _)| *file).collect::<Vec<_>>());
        found
    }
}

/// A name imported from elsewhere in the tree may be a factory there: `from app.db import Session`.
pub(super) fn is_factory(name: &str) -> bool {
    ["Session", "sessionmaker", "Factory", "session"].iter().any(|end| name.ends_with(end))
}
