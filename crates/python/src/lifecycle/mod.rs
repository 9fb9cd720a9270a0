//! All files linked: the life of the loop in a source tree.
//!
//! [`Lifecycle::read`] parses every file in parallel and links their outlines. What is asked of it is computed when asked,
//! and kept: facts of a file ([`vocabulary`] says which files are worth asking), [`infer`] goes backwards (what may this expression be?), [`flow`] forwards (where does this object go?),
//! [`call`] joins calls to what they call, [`run`] finds where loops start and end, [`context`] under which of them a
//! function runs, [`ends`] on which ways out of a function an object is still open, [`site`] lists the objects.
//!
//! Every answer is a function of the texts and settings alone: no order of threads or hashes shows in it.

mod call;
mod context;
mod dead;
mod ends;
mod expected;
mod file;
mod flow;
mod ground;
mod handle;
mod history;
mod index;
mod infer;
mod kept;
mod module;
mod reads;
mod reference;
mod run;
mod scope;
mod site;
mod started;
mod suite;
mod task;
mod value;
mod vocabulary;
mod wanted;

use std::sync::Arc;

use loopmend_model::{ConfigFile, Settings, Tree};
use rayon::prelude::*;

use crate::catalogue::Catalogue;
use crate::facts::{Facts, Name, Outline, SyntaxError};
use file::File;
use kept::Kept;
use vocabulary::Vocabulary;
use wanted::Wanted;

pub use call::{Argument, CallSite};

pub use context::{Calls, Repeat, Root};
pub use ends::{Ends, Leak, LeakKind};
pub use flow::{Flow, Origin, PUTS, Place, Use, UseKind};
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

/// A tree of Python files, linked.
#[derive(Debug)]
pub struct Lifecycle {
    files: Vec<Arc<File>>,
    vocabulary: Vocabulary,
    /// Configuration files, sorted by path; they follow the Python files in the order of [`FileId`].
    configs: Vec<(Arc<Facts>, Arc<str>)>,
    modules: Modules,
    settings: Settings,
    catalogue: Catalogue,
    values: Kept<(ExprRef, u8), Values>,
    targets: Kept<(Name, u8), Arc<call::Targets>>,
    callers: Kept<(FunctionRef, u8), Arc<[CallSite]>>,
    index: index::Index,
    heirs: Kept<ClassRef, Arc<[ClassRef]>>,
    ancestries: Kept<ClassRef, Arc<Ancestry>>,
    module_attributes: Kept<Name, Arc<reads::OfModules>>,
    reads: Kept<Place, Arc<reads::Reads>>,
    callings: Kept<FunctionRef, Arc<context::Calling>>,
    calls: Kept<FunctionRef, context::Calls>,
    memory: Kept<std::any::TypeId, Arc<dyn std::any::Any + Send + Sync>>,
    flows: Kept<(Origin, bool), Arc<Flow>>,
    sites: std::sync::OnceLock<Vec<Site>>,
    runs: std::sync::OnceLock<Vec<Run>>,
    suite: std::sync::OnceLock<Suite>,
    tasks: std::sync::OnceLock<Vec<Task>>,
    loops: std::sync::OnceLock<Vec<LoopHandle>>,
}

/// Of a tree with no more files than this, facts of all are made while they are parsed.
const SMALL: usize = 400;

impl Lifecycle {
    /// Reads and links all files of a tree.
    pub fn read(tree: &Tree) -> Self {
        let catalogue = Catalogue::new(&tree.settings.resources);
        let small = tree.files.len() <= SMALL;
        let wanted = Wanted::new(&catalogue);
        // To be parsed again later costs more than facts that nobody asks for.
        let likely = |outline: &Outline| {
            small || !outline.coroutines.is_empty() || outline.async_generators || wanted.likely(outline)
        };
        let files =
            tree.files.par_iter().map(|file| Arc::new(File::read(&file.path, &file.text, likely))).collect();
        let mut configs: Vec<_> = tree.configs.iter().map(config).collect();
        configs.sort_by(|left, right| left.0.path.cmp(&right.0.path));
        Self::link(files, configs, tree.settings.clone(), catalogue)
    }

    /// The same tree with some files' texts changed (paths not in it are added); the other files are not read again. Of
    /// configuration files, what pytest reads is read again, and nothing else.
    #[must_use]
    pub fn with_changes(&self, changes: &[(String, Arc<str>)]) -> Self {
        let mut files = self.files.clone();
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
            let read = Arc::new(File::read(path, text, |_| true));
            match files.binary_search_by(|file| file.path.as_str().cmp(path)) {
                Ok(index) => files[index] = read,
                Err(index) => files.insert(index, read),
            }
        }
        let catalogue = Catalogue::new(&settings.resources);
        Self::link(files, configs, settings, catalogue)
    }

    /// The same tree under other settings.
    #[must_use]
    pub fn with_settings(&self, settings: Settings) -> Self {
        let catalogue = Catalogue::new(&settings.resources);
        Self::link(self.files.clone(), self.configs.clone(), settings, catalogue)
    }

    fn link(
        files: Vec<Arc<File>>,
        configs: Vec<(Arc<Facts>, Arc<str>)>,
        mut settings: Settings,
        catalogue: Catalogue,
    ) -> Self {
        // Where nothing says which Python it is for, its syntax does.
        if settings.python.min.is_none() {
            settings.python.min = files.iter().filter_map(|file| file.outline.python).max();
        }
        let modules = Modules::new(&files);
        let vocabulary = Vocabulary::new(&files);
        Self {
            files,
            vocabulary,
            configs,
            modules,
            settings,
            catalogue,
            values: Kept::default(),
            targets: Kept::default(),
            callers: Kept::default(),
            index: index::Index::default(),
            heirs: Kept::default(),
            ancestries: Kept::default(),
            module_attributes: Kept::default(),
            reads: Kept::default(),
            callings: Kept::default(),
            calls: Kept::default(),
            memory: Kept::default(),
            flows: Kept::default(),
            sites: std::sync::OnceLock::new(),
            runs: std::sync::OnceLock::new(),
            suite: std::sync::OnceLock::new(),
            tasks: std::sync::OnceLock::new(),
            loops: std::sync::OnceLock::new(),
        }
    }

    /// Computes what most causes ask for, by all threads: later the others would wait for the one that comes first.
    pub fn prepare(&self) {
        self.tasks();
        self.runs();
        self.loops();
        self.suite();
    }

    /// What several causes ask of the whole tree, computed once: kept by its type.
    pub fn once<T: std::any::Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        let key = std::any::TypeId::of::<T>();
        if let Some(Ok(found)) = self.memory.get(&key).map(Arc::downcast) {
            return found;
        }
        let made = Arc::new(make(self));
        self.memory.keep(key, Arc::clone(&made) as Arc<_>);
        made
    }

    /// Facts of a file; a configuration file has only its path and lines.
    pub fn facts(&self, file: FileId) -> &Facts {
        match self.files.get(file.index()) {
            Some(file) => file.facts(),
            None => &self.configs[file.index() - self.files.len()].0,
        }
    }

    /// Path of a file in the tree.
    pub fn path(&self, file: FileId) -> &str {
        match self.files.get(file.index()) {
            Some(file) => &file.path,
            None => &self.configs[file.index() - self.files.len()].0.path,
        }
    }

    /// What the parser could not read of a Python file.
    pub fn errors(&self, file: FileId) -> &[SyntaxError] {
        self.files.get(file.index()).map_or(&[], |file| &file.outline.errors)
    }

    /// What is known of a Python file without its facts.
    pub fn outline(&self, file: FileId) -> &Outline {
        &self.files[file.index()].outline
    }

    /// Text of a file.
    pub fn text(&self, file: FileId) -> &Arc<str> {
        match self.files.get(file.index()) {
            Some(file) => &file.text,
            None => &self.configs[file.index() - self.files.len()].1,
        }
    }

    /// The configuration file at this path; it can be a place of a finding, but is not among [`Lifecycle::files`].
    pub fn config(&self, path: &str) -> Option<FileId> {
        let index = self.configs.binary_search_by(|(file, _)| file.path.as_str().cmp(path)).ok()?;
        Some(FileId::new(self.files.len() + index))
    }

    /// Paths of all configuration files, sorted.
    pub fn config_paths(&self) -> impl Iterator<Item = &str> {
        self.configs.iter().map(|(file, _)| file.path.as_str())
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
        let of = &self.files[file.index()];
        let module = module::absolute(&of.module, of.package, level, module)?;
        self.modules.find(&module, file)
    }

    /// Source text of an expression.
    pub fn source(&self, expr: ExprRef) -> &str {
        &self.files[expr.file.index()].text[self.facts(expr.file).expr(expr.id).range]
    }
}

/// A configuration file as one of the tree's files.
fn config(file: &ConfigFile) -> (Arc<Facts>, Arc<str>) {
    let facts =
        Facts { path: file.path.clone(), lines: crate::facts::Lines::new(&file.text), ..Facts::default() };
    (Arc::new(facts), Arc::clone(&file.text))
}
