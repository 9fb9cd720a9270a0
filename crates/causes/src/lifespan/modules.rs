//! How one file of the tree imports from another.

use std::collections::BTreeMap;

use loopmend_python::edit::{ImportRequest, Source, import_edits};
use loopmend_python::facts::BindingKind;
use loopmend_python::lifecycle::{FileId, Lifecycle};

use super::gather::Gathered;
use crate::Declined;

/// The imports that steps need: those for the top of the file, and the lines for the lifespan's own body, where the other
/// module needs this one first.
pub(crate) fn imports(
    life: &Lifecycle,
    home: FileId,
    source: &Source,
    gathered: &Gathered,
) -> Result<(Vec<ImportRequest>, String), Declined> {
    let mut requests = Vec::new();
    let mut late: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, name, local) in &gathered.imports {
        if circular(life, home, *file) {
            let item = if name == local { name.to_string() } else { format!("{name} as {local}") };
            late.entry(module_name(life, home, *file)).or_default().push(item);
        } else {
            let request = ImportRequest::from(&written_module(life, home, *file), name);
            requests.push(if name == local { request } else { request.named(local) });
        }
    }
    requests.extend(gathered.requests.iter().cloned());
    let (_, locals) = import_edits(source, &requests);
    let as_wanted = |(local, wanted): (&String, &ImportRequest)| {
        Some(local) == wanted.alias.as_ref().or(wanted.name.as_ref())
    };
    if !locals.iter().zip(&requests).all(as_wanted) {
        return Err(Declined::because(
            "a handler of another module has the name of something beside the lifespan; move the handlers by hand",
        ));
    }
    let lines = late.iter().map(|(module, names)| format!("from {module} import {}\n", names.join(", ")));
    Ok((requests, lines.collect()))
}

/// Whether a handler's module can only be imported when the application is there already, or is not imported yet.
pub(crate) fn circular(life: &Lifecycle, home: FileId, target: FileId) -> bool {
    let imports = |from: FileId, to: FileId| {
        life.facts(from).bindings.iter().any(|binding| match &binding.kind {
            BindingKind::ImportFrom { level, module, name } => {
                let file = life.imported_file(from, *level, module);
                file == Some(to) || life.imported_file(from, *level, &joined(module, name)) == Some(to)
            }
            BindingKind::Import { module } => life.modules().find(module, from) == Some(to),
            _ => false,
        })
    };
    !imports(home, target) || imports(target, home)
}

fn joined(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") }
}

/// A module as the file's own imports of it are written (`.routes`).
pub(crate) fn written_module(life: &Lifecycle, from: FileId, target: FileId) -> String {
    life.facts(from)
        .bindings
        .iter()
        .find_map(|binding| match &binding.kind {
            BindingKind::ImportFrom { level, module, .. }
                if life.imported_file(from, *level, module) == Some(target) =>
            {
                Some(format!("{}{module}", ".".repeat(*level as usize)))
            }
            _ => None,
        })
        .unwrap_or_else(|| module_name(life, from, target))
}

/// How a file imports another of the tree: without the folders that are no packages to it.
pub(crate) fn module_name(life: &Lifecycle, from: FileId, target: FileId) -> String {
    let facts = life.facts(from);
    let full = life.facts(target).module.as_str();
    // The shortest name by which the importing file's neighbours are known decides what is cut off.
    for binding in &facts.bindings {
        let (BindingKind::ImportFrom { module, level: 0, .. } | BindingKind::Import { module }) =
            &binding.kind
        else {
            continue;
        };
        if let Some(file) = life.modules().find(module, from)
            && let Some(prefix) = life.facts(file).module.strip_suffix(module.as_str())
            && let Some(name) = full.strip_prefix(prefix)
        {
            return name.to_owned();
        }
    }
    for binding in &life.facts(target).bindings {
        let BindingKind::ImportFrom { module, level: 0, .. } = &binding.kind else { continue };
        if let Some(file) = life.modules().find(module, target)
            && let Some(prefix) = life.facts(file).module.strip_suffix(module.as_str())
            && let Some(name) = full.strip_prefix(prefix)
        {
            return name.to_owned();
        }
    }
    full.strip_prefix("src.").unwrap_or(full).to_owned()
}
