//! Changes of several files, each step on what the ones before it made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use loopmend_python::edit::{
    Edit, ImportRequest, Refused, Source, apply, decorators_of, difference, import_edits, insert_after,
    remove_decorator_keyword, remove_import, set_decorator_keyword, set_keyword,
};
use loopmend_python::facts::{ExprKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};
use ruff_text_size::Ranged;

use super::set_option;
use crate::Mend;

/// New texts of files by path, over a tree.
#[derive(Clone)]
pub(crate) struct Rewrite<'l> {
    base: &'l Lifecycle,
    texts: BTreeMap<String, String>,
}

impl<'l> Rewrite<'l> {
    /// Nothing changed yet.
    pub fn new(base: &'l Lifecycle) -> Self {
        Self { base, texts: BTreeMap::new() }
    }

    /// The text of a file as it is now.
    fn text(&self, path: &str) -> Option<String> {
        self.texts.get(path).cloned().or_else(|| {
            let file = self.base.file(path).or_else(|| self.base.config(path))?;
            Some(self.base.text(file).to_string())
        })
    }

    /// The tree as it is now.
    pub fn life(&self) -> Lifecycle {
        let changes: Vec<(String, Arc<str>)> =
            self.texts.iter().map(|(path, text)| (path.clone(), Arc::from(text.as_str()))).collect();
        self.base.with_changes(&changes)
    }

    /// One step in one Python file.
    pub fn step(
        &mut self,
        path: &str,
        edit: impl FnOnce(&Source) -> Result<Vec<Edit>, Refused>,
    ) -> Result<(), Refused> {
        let source = Source::parse(path, self.text(path).unwrap_or_default());
        let edits = edit(&source)?;
        if !edits.is_empty() {
            let after = source.with(&edits)?;
            self.texts.insert(path.to_owned(), after.text().to_owned());
        }
        Ok(())
    }

    /// Sets an option of pytest.
    pub fn option(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        let (path, text) = set_option(self.base, |path| self.text(path), name, value)?;
        self.texts.insert(path, text);
        Ok(())
    }

    /// Sets a keyword of the fixture decorator of a function.
    pub fn fixture_keyword(&mut self, function: &Named, keyword: &str, value: &str) -> Result<(), Refused> {
        self.step(&function.path, |source| {
            let decorator = function.fixture_decorator(source)?;
            set_decorator_keyword(source, decorator, keyword, &source.quoted(value))
        })
    }

    /// Takes a keyword from the fixture decorator of a function.
    pub fn drop_fixture_keyword(&mut self, function: &Named, keyword: &str) -> Result<(), Refused> {
        self.step(&function.path, |source| {
            let decorator = function.fixture_decorator(source)?;
            remove_decorator_keyword(source, decorator, keyword)
        })
    }

    /// Declares a fixture with `module.fixture`; the module `before` goes where nothing else needs it.
    pub fn fixture_maker(&mut self, function: &Named, module: &str, before: &str) -> Result<(), Refused> {
        let mut local = module.to_owned();
        self.step(&function.path, |source| {
            let (edits, locals) = import_edits(source, &[ImportRequest::module(module)]);
            local = locals.into_iter().next().unwrap_or(local.clone());
            Ok(edits)
        })?;
        let mut old = before.to_owned();
        self.step(&function.path, |source| {
            let decorator = function.fixture_decorator(source)?;
            let target = match &decorator.expression {
                ruff_python_ast::Expr::Call(call) => call.func.range(),
                other => other.range(),
            };
            let text = source.slice(target);
            old = text.split('.').next().unwrap_or(text).to_owned();
            Ok(vec![Edit::replacement(target, format!("{local}.fixture"))])
        })?;
        self.tidy_import(&function.path, &old)
    }

    /// Sets a keyword of the mark at an expression of the tree as it is now.
    pub fn mark_keyword(
        &mut self,
        path: &str,
        range: TextRange,
        call: bool,
        keyword: &str,
        value: &str,
    ) -> Result<(), Refused> {
        self.step(path, |source| {
            if call {
                return set_keyword(source, range, keyword, &source.quoted(value));
            }
            Ok(vec![Edit::insertion(range.end(), format!("({keyword}={})", source.quoted(value)))])
        })
    }

    /// Marks all tests of a module by a new `pytestmark`.
    pub fn mark_module(&mut self, path: &str, keyword: &str, value: &str) -> Result<(), Refused> {
        let mut pytest = String::new();
        self.step(path, |source| {
            let (edits, locals) = import_edits(source, &[ImportRequest::module("pytest")]);
            pytest = locals.into_iter().next().unwrap_or_default();
            Ok(edits)
        })?;
        self.step(path, |source| {
            let last = source
                .body()
                .iter()
                .take_while(|stmt| {
                    stmt.is_import_stmt()
                        || stmt.is_import_from_stmt()
                        || stmt.as_expr_stmt().is_some_and(|node| node.value.is_string_literal_expr())
                })
                .last()
                .ok_or(Refused::Missing("import"))?;
            let line = format!("\npytestmark = {pytest}.mark.asyncio({keyword}={})", source.quoted(value));
            insert_after(source, last, &line)
        })
    }

    /// Takes an import away that nothing uses any more.
    pub fn tidy_import(&mut self, path: &str, name: &str) -> Result<(), Refused> {
        self.step(path, |source| Ok(remove_import(source, name)))
    }

    /// Puts the edits of a mend of the tree as it is now in.
    pub fn take(&mut self, mend: &Mend) -> Result<(), Refused> {
        for (path, edits) in &mend.edits {
            let after = apply(&self.text(path).unwrap_or_default(), edits)?;
            self.texts.insert(path.clone(), after);
        }
        Ok(())
    }

    /// Hands the changes to a mend.
    pub fn into_mend(self, mend: &mut Mend) {
        // `from pytest_asyncio import fixture as afixture`: what goes for `fixture` goes for its other names.
        if mend.declared.removed.iter().any(|name| name == "fixture") {
            for name in self.fixture_aliases() {
                mend.declared.added.push(name.clone());
                mend.declared.removed.push(name);
            }
        }
        for (path, after) in self.texts {
            let file = self.base.file(&path).or_else(|| self.base.config(&path));
            let before = file.map(|file| self.base.text(file).to_string()).unwrap_or_default();
            mend.edit_path(path, difference(&before, &after));
        }
    }

    /// The names other than `fixture` under which the changed files call the decorator.
    fn fixture_aliases(&self) -> BTreeSet<String> {
        let suite = self.base.suite();
        suite
            .fixtures
            .iter()
            .filter_map(|fixture| fixture.call)
            .filter(|call| self.texts.contains_key(&self.base.facts(call.file).path))
            .filter_map(|call| {
                let facts = self.base.facts(call.file);
                let ExprKind::Call { func, .. } = &facts.expr(call.id).kind else { return None };
                let dotted = facts.dotted(*func)?;
                Some(dotted.rsplit('.').next().unwrap_or(&dotted).to_owned())
            })
            .filter(|name| name != "fixture")
            .collect()
    }
}

/// A function by its file and name, which edits elsewhere in the file do not move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    /// Path of the file.
    pub path: String,
    /// `make` or `TestStore.make`.
    pub qualname: String,
}

impl Named {
    /// The name of a function.
    pub fn of(life: &Lifecycle, function: FunctionRef) -> Self {
        let facts = life.facts(function.file);
        Self { path: facts.path.clone(), qualname: facts.function(function.id).qualname.clone() }
    }

    /// The function of this name.
    pub fn find(&self, life: &Lifecycle) -> Option<FunctionRef> {
        let file = life.file(&self.path)?;
        let index =
            life.facts(file).functions.iter().rposition(|function| function.qualname == self.qualname)?;
        Some(FunctionRef { file, id: loopmend_python::facts::FunctionId::new(index) })
    }

    fn fixture_decorator<'s>(&self, source: &'s Source) -> Result<&'s ruff_python_ast::Decorator, Refused> {
        let function = source.function_named(&self.qualname).ok_or(Refused::Missing("fixture"))?;
        decorators_of(source, function.range())
            .iter()
            .find(|decorator| {
                let text = source.slice(*decorator);
                let name = text.split('(').next().unwrap_or(text);
                name.trim().ends_with("fixture")
            })
            .or(match decorators_of(source, function.range()) {
                [only] => Some(only),
                _ => None,
            })
            .ok_or(Refused::Missing("decorator"))
    }
}

/// The range of an expression.
pub(crate) fn range_of(life: &Lifecycle, expr: ExprRef) -> TextRange {
    life.facts(expr.file).expr(expr.id).range
}
