//! All files linked: the life of the loop in a source tree.
//!
//! [`Lifecycle::read`] lowers every file in parallel and links them. What is asked of it is computed when asked, and
//! kept: [`infer`] goes backwards (what may this expression be?), [`flow`] forwards (where does this object go?),
//! [`call`] joins calls to what they call, [`run`] finds where loops start and end, [`context`] under which of them a
//! function runs, [`ends`] on which ways out of a function an object is still open, [`site`] lists the objects.
//!
//! Every answer is a function of the texts and settings alone: no order of threads or hashes shows in it.

mod call;
mod context;
mod ends;
mod expected;
mod flow;
mod ground;
mod handle;
mod history;
mod index;
mod infer;
mod module;
mod reads;
mod reference;
mod run;
mod scope;
mod site;
mod suite;
mod task;
mod value;

use std::sync::{Arc, RwLock};

use loopmend_model::{ConfigFile, Settings, Tree};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::catalogue::Catalogue;
use crate::facts::{Facts, Name};

pub use call::{Argument, CallSite};

pub use context::{Repeat, Root};
pub use ends::{Ends, Leak, LeakKind};
pub use flow::{Flow, Origin, Place, Use, UseKind};
pub use ground::Ground;
pub use handle::{HandleKind, LoopAct, LoopHandle, LoopOperation};
pub use history::Reuse;
pub use infer::Ancestry;
pub use module::Modules;
pub use reference::{ClassRef, ExprRef, FileId, FunctionRef, StmtRef};

pub use run::{Run, RunKind};
pub use scope::Lookup;
pub use site::{Site, SiteKind};
pub use suite::{
    AsyncioMode, AsyncioPlugin, Fixture, FixtureMaker, Graph, Holding, Level, LoopHook, Mark, Request, Scope,
    Suite, Test, TestLoop,
};
pub use task::{Task, TaskAct, TaskActKind};

pub use value::{Kind, Value, Values};

/// Who calls a function, at each depth of inference.
type Callers = FxHashMap<(FunctionRef, u8), Arc<[CallSite]>>;

/// A tree of Python files, linked.
#[derive(Debug)]
pub struct Lifecycle {
    files: Vec<Arc<Facts>>,
    texts: Vec<Arc<str>>,
    /// Configuration files, sorted by path; they follow the Python files in the order of [`FileId`].
    configs: Vec<(Arc<Facts>, Arc<str>)>,
    modules: Modules,
    settings: Settings,
    catalogue: Catalogue,
    values: RwLock<FxHashMap<(ExprRef, u8), Values>>,
    targets: RwLock<FxHashMap<(Name, u8), Arc<call::Targets>>>,
    callers: RwLock<Callers>,
    index: std::sync::OnceLock<index::Index>,
    heirs: RwLock<FxHashMap<ClassRef, Arc<[ClassRef]>>>,
    ancestries: RwLock<FxHashMap<ClassRef, Arc<Ancestry>>>,
    module_attributes: RwLock<FxHashMap<Name, reads::OfModules>>,
    reads: RwLock<FxHashMap<Place, Arc<reads::Reads>>>,
    callings: RwLock<FxHashMap<FunctionRef, Arc<context::Calling>>>,
    memory: RwLock<FxHashMap<std::any::TypeId, Arc<dyn std::any::Any + Send + Sync>>>,
    flows: RwLock<FxHashMap<(Origin, bool), Arc<Flow>>>,
    sites: std::sync::OnceLock<Vec<Site>>,
    runs: std::sync::OnceLock<Vec<Run>>,
    suite: std::sync::OnceLock<Suite>,
    tasks: std::sync::OnceLock<Vec<Task>>,
    loops: std::sync::OnceLock<Vec<LoopHandle>>,
}

impl Lifecycle {
    /// Reads and links all files of a tree.
    pub fn read(tree: &Tree) -> Self {
        let files = tree
            .files
            .par_iter()
            .map(|file| {
                let (module, package) = module::name(&file.path);
                Arc::new(crate::facts::lower(&file.path, &module, package, &file.text))
            })
            .collect();
        let texts = tree.files.iter().map(|file| Arc::clone(&file.text)).collect();
        let mut configs: Vec<_> = tree.configs.iter().map(config).collect();
        configs.sort_by(|left, right| left.0.path.cmp(&right.0.path));
        Self::link(files, texts, configs, tree.settings.clone())
    }

    /// The same tree with some files' texts changed (paths not in it are added); the other files are not read again. Of
    /// configuration files, what pytest reads is read again, and nothing else.
    #[must_use]
    pub fn with_changes(&self, changes: &[(String, Arc<str>)]) -> Self {
        let mut files = self.files.clone();
        let mut texts = self.texts.clone();
        let mut configs = self.configs.clone();
        let mut settings = self.settings.clone();
        for (path, text) in changes {
            if !(path.ends_with(".py") || path.ends_with(".pyw")) {
                let changed = config(&ConfigFile { path: path.clone(), text: Arc::clone(text) });
                match configs.binary_search_by(|(file, _)| file.path.as_str().cmp(path)) {
                    Ok(index) => configs[index] = changed,
                    Err(index) => configs.insert(index, changed),
                }
                if settings.pytest.file.as_ref().is_none_or(|file| file == path)
                    && let Some(options) = suite::pytest_options(path, text)
                {
                    settings.pytest.file = Some(path.clone());
                    settings.pytest.options = options;
                }
                continue;
            }
            let (module, package) = module::name(path);
            let facts = Arc::new(crate::facts::lower(path, &module, package, text));
            match files.binary_search_by(|file| file.path.as_str().cmp(path)) {
                Ok(index) => {
                    files[index] = facts;
                    texts[index] = Arc::clone(text);
                }
                Err(index) => {
                    files.insert(index, facts);
                    texts.insert(index, Arc::clone(text));
                }
            }
        }
        Self::link(files, texts, configs, settings)
    }

    /// The same tree under other settings.
    #[must_use]
    pub fn with_settings(&self, settings: Settings) -> Self {
        Self::link(self.files.clone(), self.texts.clone(), self.configs.clone(), settings)
    }

    fn link(
        files: Vec<Arc<Facts>>,
        texts: Vec<Arc<str>>,
        configs: Vec<(Arc<Facts>, Arc<str>)>,
        settings: Settings,
    ) -> Self {
        let modules = Modules::new(&files);
        let catalogue = Catalogue::new(&settings.resources);
        Self {
            files,
            texts,
            configs,
            modules,
            settings,
            catalogue,
            values: RwLock::default(),
            targets: RwLock::default(),
            callers: RwLock::default(),
            index: std::sync::OnceLock::new(),
            heirs: RwLock::default(),
            ancestries: RwLock::default(),
            module_attributes: RwLock::default(),
            reads: RwLock::default(),
            callings: RwLock::default(),
            memory: RwLock::default(),
            flows: RwLock::default(),
            sites: std::sync::OnceLock::new(),
            runs: std::sync::OnceLock::new(),
            suite: std::sync::OnceLock::new(),
            tasks: std::sync::OnceLock::new(),
            loops: std::sync::OnceLock::new(),
        }
    }

    /// What several causes ask of the whole tree, computed once: kept by its type.
    pub fn once<T: std::any::Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        let key = std::any::TypeId::of::<T>();
        let known = self.memory.read().expect("no holder panics").get(&key).cloned();
        if let Some(Ok(found)) = known.map(Arc::downcast) {
            return found;
        }
        let made = Arc::new(make(self));
        self.memory.write().expect("no holder panics").insert(key, Arc::clone(&made) as Arc<_>);
        made
    }

    /// Facts of a file; a configuration file has only its path and lines.
    pub fn facts(&self, file: FileId) -> &Facts {
        self.files.get(file.index()).unwrap_or_else(|| &self.configs[file.index() - self.files.len()].0)
    }

    /// Text of a file.
    pub fn text(&self, file: FileId) -> &Arc<str> {
        self.texts.get(file.index()).unwrap_or_else(|| &self.configs[file.index() - self.files.len()].1)
    }

    /// The configuration file at this path; it can be a place of a finding, but is not among [`Lifecycle::files`].
    pub fn config(&self, path: &str) -> Option<FileId> {
        let index = self.configs.binary_search_by(|(file, _)| file.path.as_str().cmp(path)).ok()?;
        Some(FileId::new(self.files.len() + index))
    }

    /// All Python files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len()).map(FileId::new)
    }

    /// The file at this path.
    pub fn file(&self, path: &str) -> Option<FileId> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(FileId::new)
    }

    /// What the project's configuration and environment say.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is known of libraries.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Modules of the tree by name.
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The file of the tree that `from module import …` with so many dots reads from.
    pub fn imported_file(&self, file: FileId, level: u32, module: &str) -> Option<FileId> {
        let module = module::absolute(self.facts(file), level, module)?;
        self.modules.find(&module, file)
    }

    /// Source text of an expression.
    pub fn source(&self, expr: ExprRef) -> &str {
        &self.texts[expr.file.index()][self.facts(expr.file).expr(expr.id).range]
    }

    /// All functions of the tree, lambdas and modules too.
    pub fn functions(&self) -> impl Iterator<Item = FunctionRef> + '_ {
        self.files().flat_map(|file| {
            (0..self.facts(file).functions.len())
                .map(move |index| FunctionRef { file, id: crate::facts::FunctionId::new(index) })
        })
    }

    /// All classes of the tree.
    pub fn classes(&self) -> impl Iterator<Item = ClassRef> + '_ {
        self.files().flat_map(|file| {
            (0..self.facts(file).classes.len())
                .map(move |index| ClassRef { file, id: crate::facts::ClassId::new(index) })
        })
    }
}

/// A configuration file as one of the tree's files.
fn config(file: &ConfigFile) -> (Arc<Facts>, Arc<str>) {
    let facts =
        Facts { path: file.path.clone(), lines: crate::facts::Lines::new(&file.text), ..Facts::default() };
    (Arc::new(facts), Arc::clone(&file.text))
}
