//! Whether a module is imported while a loop runs.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::{BindingKind, MODULE};
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

/// Who imports each file, with the function that the import stands in.
struct Importers(BTreeMap<FileId, Vec<FunctionRef>>);

impl Importers {
    fn of(life: &Lifecycle) -> Self {
        let mut all: BTreeMap<FileId, Vec<FunctionRef>> = BTreeMap::new();
        for file in life.files() {
            for binding in &life.facts(file).bindings {
                let target = match &binding.kind {
                    BindingKind::Import { module } => life.modules().find(module, file),
                    BindingKind::ImportFrom { level, module, name } => life
                        .imported_file(file, *level, &join(module, name))
                        .or_else(|| life.imported_file(file, *level, module)),
                    _ => None,
                };
                if let Some(target) = target.filter(|&target| target != file) {
                    all.entry(target).or_default().push(FunctionRef { file, id: binding.function });
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
    let coroutine = |by: &FunctionRef| life.facts(by.file).function(by.id).is_async;
    if !of(&file).is_empty() && of(&file).iter().all(coroutine) {
        return Loading::Inside;
    }
    let mut all = BTreeSet::from([file]);
    let mut work = vec![file];
    while let Some(at) = work.pop() {
        for by in of(&at).iter().filter(|by| by.id == MODULE) {
            if all.insert(by.file) {
                work.push(by.file);
            }
        }
    }
    let starts = life.runs().iter().any(|run| {
        all.contains(&run.call.file) && !life.facts(run.call.file).function(run.function.id).is_async
    }) || all.iter().any(|&file| in_tests(life, FunctionRef::module(file)));
    let served = all.iter().any(|&file| {
        life.facts(file).bindings.iter().any(|binding| match &binding.kind {
            BindingKind::Import { module } | BindingKind::ImportFrom { level: 0, module, .. } => {
                SERVED.contains(&module.split('.').next().unwrap_or_default())
            }
            _ => false,
        })
    });
    if served && !starts { Loading::Unclear } else { Loading::Outside }
}
