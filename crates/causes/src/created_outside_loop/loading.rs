//! Whether a module is imported while a loop runs.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::Within;
use loopmend_python::lifecycle::{FileId, FunctionRef, Lifecycle};

use crate::carried::in_tests;

/// Frameworks whose servers may import the application inside their loop.
const SERVED: &[&str] = &["fastapi", "starlette", "litestar", "quart", "sanic", "blacksheep"];

/// How a module comes to be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// While no loop runs.
    Outside,
    /// Only by coroutines.
    Inside,
    /// By a server, perhaps inside its loop.
    Unclear,
}

/// Who imports each file, and what runs the import.
struct Importers(BTreeMap<FileId, Vec<(FileId, Within)>>);

impl Importers {
    fn of(life: &Lifecycle) -> Self {
        let mut all: BTreeMap<FileId, Vec<(FileId, Within)>> = BTreeMap::new();
        for file in life.files() {
            let outline = life.outline(file);
            let from = outline.imports.iter().map(|of| {
                let target = life
                    .imported_file(file, of.level, &join(&of.module, &of.name))
                    .or_else(|| life.imported_file(file, of.level, &of.module));
                (target, of.within)
            });
            let whole = outline.modules.iter().map(|(name, within)| {
                let head = name.split('.').next().unwrap_or_default();
                let target = life.modules().find(name, file).or_else(|| life.modules().find(head, file));
                (target, *within)
            });
            for (target, within) in from.chain(whole) {
                if let Some(target) = target.filter(|&target| target != file) {
                    all.entry(target).or_default().push((file, within));
                }
            }
        }
        Self(all)
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") }
}

/// How a module is imported.
pub fn loading(life: &Lifecycle, file: FileId) -> Loading {
    let importers = life.once(Importers::of);
    let of = |file: &FileId| importers.0.get(file).map_or(&[][..], Vec::as_slice);
    if !of(&file).is_empty() && of(&file).iter().all(|(_, within)| *within == Within::Async) {
        return Loading::Inside;
    }
    let mut all = BTreeSet::from([file]);
    let mut work = vec![file];
    while let Some(at) = work.pop() {
        for &(by, within) in of(&at) {
            if within == Within::Module && all.insert(by) {
                work.push(by);
            }
        }
    }
    let starts = life.runs().iter().any(|run| {
        all.contains(&run.call.file) && !life.facts(run.call.file).function(run.function.id).is_async
    }) || all.iter().any(|&file| in_tests(life, FunctionRef::module(file)));
    let served = all.iter().any(|&file| {
        let outline = life.outline(file);
        let from = outline.imports.iter().filter(|of| of.level == 0).map(|of| &of.module);
        from.chain(outline.modules.iter().map(|(name, _)| name))
            .any(|module| SERVED.contains(&module.split('.').next().unwrap_or_default()))
    });
    if served && !starts { Loading::Unclear } else { Loading::Outside }
}
