//! Module names: from paths to dotted names and back.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::FileId;
use super::file::File;
use crate::facts::Name;

/// Dotted name of a file by its whole path, and whether it is a package's `__init__.py`.
pub(super) fn name(path: &str) -> (String, bool) {
    let stem = path.strip_suffix(".pyw").or_else(|| path.strip_suffix(".py")).unwrap_or(path);
    match stem.strip_suffix("__init__") {
        Some(folder) => (folder.trim_end_matches('/').replace('/', "."), true),
        None => (stem.replace('/', "."), false),
    }
}

/// The tree's modules. A file answers to its whole dotted path and to each shorter one that starts below a folder
/// which is no package (`src/shop/db.py` is `src.shop.db` and `shop.db`).
#[derive(Debug, Default)]
pub struct Modules {
    by_name: FxHashMap<Name, Vec<FileId>>,
    paths: Vec<String>,
}

impl Modules {
    pub(super) fn new(files: &[Arc<File>]) -> Self {
        let packages: rustc_hash::FxHashSet<&str> =
            files.iter().filter(|file| file.package).map(|file| file.module.as_str()).collect();
        let mut by_name: FxHashMap<Name, Vec<FileId>> = FxHashMap::default();
        for (index, of) in files.iter().enumerate() {
            let file = FileId::new(index);
            let full = of.module.as_str();
            if full.is_empty() {
                continue;
            }
            by_name.entry(of.module.clone()).or_default().push(file);
            let mut start = 0;
            while let Some(dot) = full[start..].find('.') {
                // A folder with an `__init__.py` is no root: what is below is imported through it.
                let folder = &full[..start + dot];
                start += dot + 1;
                if packages.contains(folder) {
                    continue;
                }
                by_name.entry(Name::new(&full[start..])).or_default().push(file);
            }
        }
        Self { by_name, paths: files.iter().map(|file| file.path.clone()).collect() }
    }

    /// The file that `import name` means when it stands in `from`: of several the one with the longest folder in common.
    pub fn find(&self, name: &str, from: FileId) -> Option<FileId> {
        let candidates = self.by_name.get(name)?;
        if let [only] = candidates[..] {
            return Some(only);
        }
        let here = &self.paths[from.index()];
        candidates.iter().copied().max_by_key(|file| {
            let path = &self.paths[file.index()];
            let common =
                here.split('/').zip(path.split('/')).take_while(|(left, right)| left == right).count();
            (common, std::cmp::Reverse(path.len()), std::cmp::Reverse(file.index()))
        })
    }

    /// Whether any module's name starts with this package.
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
}

/// The absolute module that `level` dots and `module` mean in the module `own`, which may be a package.
pub(super) fn absolute(own: &str, package: bool, level: u32, module: &str) -> Option<String> {
    if level == 0 {
        return Some(module.to_owned());
    }
    let mut base = own;
    let up = if package { level - 1 } else { level };
    for _ in 0..up {
        base = match base.rfind('.') {
            Some(dot) => &base[..dot],
            None if base.is_empty() => return None,
            None => "",
        };
    }
    Some(match (base.is_empty(), module.is_empty()) {
        (true, _) => module.to_owned(),
        (false, true) => base.to_owned(),
        (false, false) => format!("{base}.{module}"),
    })
}

impl super::Lifecycle {
    /// The absolute module that an import with `level` dots means in a file.
    pub fn absolute_module(&self, file: FileId, level: u32, module: &str) -> Option<String> {
        let of = &self.files[file.index()];
        absolute(&of.module, of.package, level, module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_relative_imports() {
        assert_eq!(name("app/db.py"), ("app.db".into(), false));
        assert_eq!(name("app/__init__.py"), ("app".into(), true));
        let absolute = |level, module| absolute("app.web.main", false, level, module);
        assert_eq!(absolute(1, "routes").as_deref(), Some("app.web.routes"));
        assert_eq!(absolute(2, "db").as_deref(), Some("app.db"));
        assert_eq!(absolute(2, "").as_deref(), Some("app"));
        assert_eq!(super::absolute("app", true, 1, "db").as_deref(), Some("app.db"));
    }

    #[test]
    fn a_source_folder_is_a_root() {
        let files: Vec<Arc<File>> = ["src/shop/__init__.py", "src/shop/db.py", "tests/test_db.py"]
            .iter()
            .map(|path| Arc::new(File::read(path, &"".into(), |_| true)))
            .collect();
        let modules = Modules::new(&files);
        assert_eq!(modules.find("shop.db", FileId::new(2)), Some(FileId::new(1)));
        assert_eq!(modules.find("src.shop.db", FileId::new(2)), Some(FileId::new(1)));
        assert_eq!(modules.find("db", FileId::new(2)), None);
    }
}
