//! The objects: every call in the tree that makes something the catalogue knows.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::{ExprRef, FileId, FunctionRef, Lifecycle, Value, kept};
use crate::catalogue::Resource;
use crate::facts::{BindingKind, ExprId, ExprKind, Facts, Name};

/// One place that makes an object.
#[derive(Clone, Debug)]
pub struct Site {
    /// The call of the constructor.
    pub call: ExprRef,
    /// The function that the call stands in.
    pub function: FunctionRef,
    /// What is made.
    pub kind: SiteKind,
    /// The constructor as resolved (`aiohttp.ClientSession`).
    pub path: Name,
    /// The class of what is made (`asyncpg.Pool`).
    pub gives: Name,
}

/// What a site makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    /// A task.
    Task,
    /// An event loop.
    Loop,
    /// Any other resource of the catalogue: see [`Lifecycle::resource`].
    Resource,
}

impl Lifecycle {
    /// All sites, in the order of files and of the text.
    pub fn sites(&self) -> &[Site] {
        kept::once::<Vec<_>>(&self.sites, || {
            let files = self.files_of_constructors();
            files.par_iter().flat_map_iter(|(file, wanted)| self.sites_of(*file, wanted)).collect()
        })
    }

    /// What the catalogue says of a site.
    pub fn resource(&self, site: &Site) -> Option<&Resource> {
        self.catalogue.constructor(&site.path).or_else(|| self.catalogue.class(&site.gives))
    }

    /// The best method that ends what a site makes, of those that the installed version has; without a known version the best
    /// of all.
    pub fn close_of(&self, site: &Site) -> Option<&crate::catalogue::Close> {
        let resource = self.resource(site)?;
        let version = self.settings().version(&resource.library);
        resource.close.iter().find(|close| match (&close.since, version) {
            (Some(since), Some(version)) => {
                loopmend_model::Version::parse(since).is_none_or(|since| version.at_least(&since.release))
            }
            _ => true,
        })
    }

    /// The site that a call is.
    pub fn site_at(&self, call: ExprRef) -> Option<&Site> {
        self.sites().binary_search_by_key(&call, |site| site.call).ok().map(|index| &self.sites()[index])
    }

    fn sites_of(&self, file: FileId, wanted: &FxHashSet<&str>) -> Vec<Site> {
        let facts = self.facts(file);
        let renamed = renamed(facts, wanted);
        let mut found = Vec::new();
        for &id in &facts.calls {
            let ExprKind::Call { func, .. } = facts.expr(id).kind else { continue };
            let hit = match &facts.expr(func).kind {
                ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => {
                    wanted.contains(name.as_str()) || renamed.contains(name)
                }
                ExprKind::Call { .. } => true,
                _ => false,
            };
            if !hit {
                continue;
            }
            let call = ExprRef { file, id };
            for value in self.infer(call.with(func)).iter() {
                let path = match value {
                    Value::External(path) | Value::Member(path, _) => path.clone(),
                    Value::Instance(super::Kind::External(class), _) => {
                        Name::new(format!("{class}.__call__"))
                    }
                    _ => continue,
                };
                let Some(resource) = self.catalogue.constructor(&path) else { continue };
                let kind = match resource.gives.as_str() {
                    "asyncio.Task" => SiteKind::Task,
                    "asyncio.AbstractEventLoop" => SiteKind::Loop,
                    _ => SiteKind::Resource,
                };
                found.push(Site {
                    call,
                    function: FunctionRef { file, id: facts.function_of(id) },
                    kind,
                    path,
                    gives: Name::new(&resource.gives),
                });
                break;
            }
        }
        found.sort_by_key(|site| site.call);
        found
    }
}

/// Names of a file that stand for a wanted one: `from asyncio import create_task as spawn`, `spawn = asyncio.create_task`,
/// `Session = async_sessionmaker(…)`.
pub(super) fn renamed(facts: &Facts, wanted: &FxHashSet<&str>) -> FxHashSet<Name> {
    let mut found = FxHashSet::default();
    for binding in &facts.bindings {
        match &binding.kind {
            BindingKind::ImportFrom { name, .. }
                if binding.name != *name && wanted.contains(name.as_str()) =>
            {
                found.insert(binding.name.clone());
            }
            BindingKind::Value { value, path } if path.is_empty() => {
                let mut value = *value;
                if let ExprKind::Call { func, args, .. } = &facts.expr(value).kind {
                    let called = match &facts.expr(*func).kind {
                        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => name.as_str(),
                        _ => continue,
                    };
                    if called == "partial" && !args.is_empty() {
                        value = args[0];
                    } else if called.ends_with("sessionmaker") || called == "async_to_sync" {
                        found.insert(binding.name.clone());
                        continue;
                    } else {
                        continue;
                    }
                }
                if let ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } = &facts.expr(value).kind
                    && wanted.contains(name.as_str())
                    && binding.name != *name
                {
                    found.insert(binding.name.clone());
                }
            }
            BindingKind::ImportFrom { name, .. } if super::wanted::is_factory(name) => {
                found.insert(binding.name.clone());
            }
            _ => {}
        }
    }
    found
}

/// Calls of a file whose function is written with a wanted name, or one that stands for it; in source order.
pub(super) fn written<'f>(
    facts: &'f Facts,
    wanted: &'f FxHashSet<&str>,
) -> impl Iterator<Item = ExprId> + 'f {
    let renamed = renamed(facts, wanted);
    facts.calls.iter().copied().filter(move |&id| {
        let ExprKind::Call { func, .. } = facts.expr(id).kind else { return false };
        match &facts.expr(func).kind {
            ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => {
                wanted.contains(name.as_str()) || renamed.contains(name)
            }
            _ => false,
        }
    })
}
