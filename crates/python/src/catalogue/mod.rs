//! What is known of libraries, as data: objects with a life, ways a loop starts and ends, known library faults.
//!
//! The data stands in `data/*.toml` of this crate; their keys are described there. The analysis has no library's
//! name in its code where the catalogue can have it.

mod entry;
mod fault;
mod resource;

use std::sync::OnceLock;

use loopmend_model::UserResource;
use rustc_hash::{FxHashMap, FxHashSet};

pub use entry::{Entry, EntryKind, LoopLifetime};
pub use fault::Fault;
pub use resource::{Acquire, Binds, Close, ContextManager, Resource};

/// The catalogue, with what a project adds to it.
#[derive(Debug)]
pub struct Catalogue {
    resources: Vec<Resource>,
    by_constructor: FxHashMap<String, usize>,
    by_class: FxHashMap<String, usize>,
    entries: &'static [Entry],
    by_entry: FxHashMap<&'static str, usize>,
    packages: FxHashSet<String>,
}

impl Catalogue {
    /// The catalogue and the project's own resources; the project's come first.
    pub fn new(own: &[UserResource]) -> Self {
        let mut resources: Vec<Resource> = own.iter().map(Resource::from_user).collect();
        resources.extend_from_slice(resource::builtin());
        let mut by_constructor = FxHashMap::default();
        let mut by_class = FxHashMap::default();
        for (index, resource) in resources.iter().enumerate() {
            for path in std::iter::once(&resource.constructor).chain(&resource.aliases) {
                by_constructor.entry(path.clone()).or_insert(index);
            }
            by_class.entry(resource.gives.clone()).or_insert(index);
        }
        let entries = entry::builtin();
        let mut by_entry = FxHashMap::default();
        for (index, entry) in entries.iter().enumerate() {
            for path in &entry.qualified {
                by_entry.entry(path.as_str()).or_insert(index);
            }
        }
        let of_resources = resources.iter().flat_map(|resource| [&resource.constructor, &resource.gives]);
        let packages = of_resources
            .chain(entries.iter().flat_map(|entry| &entry.qualified))
            .filter_map(|path| path.split('.').next().map(str::to_owned))
            .collect();
        Self { resources, by_constructor, by_class, entries, by_entry, packages }
    }

    /// The resource that this constructor, or alias of it, makes.
    pub fn constructor(&self, path: &str) -> Option<&Resource> {
        self.by_constructor.get(path).map(|&index| &self.resources[index])
    }

    /// The resource whose value has this class.
    pub fn class(&self, path: &str) -> Option<&Resource> {
        self.by_class.get(path).map(|&index| &self.resources[index])
    }

    /// Whether anything is known of the package that a class belongs to.
    pub fn knows_package_of(&self, path: &str) -> bool {
        self.packages.contains(path.split('.').next().unwrap_or(path))
    }

    /// All resources.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The entry that has this qualified path.
    pub fn entry(&self, path: &str) -> Option<&'static Entry> {
        self.by_entry.get(path).map(|&index| &self.entries[index])
    }

    /// All entries.
    pub fn entries(&self) -> &'static [Entry] {
        self.entries
    }
}

/// Known defects of libraries.
pub fn faults() -> &'static [Fault] {
    static FAULTS: OnceLock<Vec<Fault>> = OnceLock::new();
    FAULTS.get_or_init(fault::builtin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_data_is_read() {
        let catalogue = Catalogue::new(&[]);
        assert_eq!(catalogue.resources().len(), 209);
        assert_eq!(catalogue.entries().len(), 82);
        assert_eq!(faults().len(), 79);
        let pool = catalogue.constructor("asyncpg.create_pool").expect("asyncpg's pool is known");
        assert_eq!(pool.gives, "asyncpg.Pool");
        assert!(pool.close[0].awaited);
    }

    #[test]
    fn a_project_adds_its_own() {
        let own = UserResource {
            constructor: "acme.Client".into(),
            close: vec!["shutdown".into()],
            close_awaited: true,
            binds: true,
            ..UserResource::default()
        };
        let catalogue = Catalogue::new(&[own]);
        assert_eq!(catalogue.constructor("acme.Client").expect("added").close[0].method, "shutdown");
    }
}
