//! The lines that end a task, and what they need imported.

use loopmend_python::edit::{ImportRequest, Source, import_edits};
use loopmend_python::facts::{BindingKind, ExprKind, Facts, MODULE};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle};

/// How a task, or a collection of tasks, is ended.
#[derive(Clone, Debug)]
pub struct Stop {
    /// The expression for it.
    pub handle: String,
    /// It is a collection.
    pub many: bool,
    /// Cancelled first; otherwise its work is waited for.
    pub cancel: bool,
    /// Tested before: the attribute may still be `None`.
    pub guarded: bool,
}

/// How code waits: in a coroutine, or by running a loop by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `await …`.
    Await,
    /// `loop.run_until_complete(…)` on the loop of this expression.
    Run(String),
}

impl Wait {
    fn of(&self, awaitable: &str) -> String {
        match self {
            Self::Await => format!("await {awaitable}"),
            Self::Run(on) => format!("{on}.run_until_complete({awaitable})"),
        }
    }
}

/// The expression for `name` of a standard module, and the imports that it needs: joins a `from module import …` that is
/// there, else uses `module.name`.
pub fn attribute(source: &Source, module: &str, name: &str) -> (ImportRequest, String) {
    let joins = source.body().iter().any(|stmt| {
        stmt.as_import_from_stmt().is_some_and(|node| {
            node.level == 0 && node.module.as_ref().is_some_and(|from| from.as_str() == module)
        })
    });
    let whole = ImportRequest::module(module);
    let (edits, locals) = import_edits(source, std::slice::from_ref(&whole));
    if edits.is_empty() || !joins {
        let local = locals.into_iter().next().unwrap_or_else(|| module.to_owned());
        return (whole, format!("{local}.{name}"));
    }
    let part = ImportRequest::from(module, name);
    let (_, locals) = import_edits(source, std::slice::from_ref(&part));
    (part, locals.into_iter().next().unwrap_or_else(|| name.to_owned()))
}

/// The expression for the file's logger, with the import that it needs where the file has none.
pub fn logger(life: &Lifecycle, file: FileId, source: &Source) -> (Option<ImportRequest>, String) {
    let facts = life.facts(file);
    if let Some(name) = module_logger(life, file, facts) {
        return (None, name);
    }
    let (request, get) = attribute(source, "logging", "getLogger");
    (Some(request), format!("{get}(__name__)"))
}

fn module_logger(life: &Lifecycle, file: FileId, facts: &Facts) -> Option<String> {
    let mut names: Vec<_> = facts
        .bindings
        .iter()
        .filter(|binding| binding.function == MODULE && binding.class.is_none())
        .filter_map(|binding| match binding.kind {
            BindingKind::Value { value, .. } => Some((binding, value)),
            _ => None,
        })
        .filter(|&(binding, value)| {
            let named = binding.name.to_lowercase().contains("log");
            named
                && matches!(facts.expr(value).kind, ExprKind::Call { .. })
                && life
                    .callee_paths(ExprRef { file, id: value })
                    .iter()
                    .any(|path| path == "logging.getLogger" || path.starts_with("structlog."))
        })
        .map(|(binding, _)| binding.name.to_string())
        .collect();
    names.truncate(1);
    names.pop()
}

impl Stop {
    /// The lines, as a snippet for async code, and their imports.
    pub fn lines(&self, life: &Lifecycle, file: FileId, source: &Source) -> (String, Vec<ImportRequest>) {
        self.lines_by(life, file, source, &Wait::Await, false)
    }

    /// The same for a task that is cancelled already.
    pub fn cancelled(
        &self,
        life: &Lifecycle,
        file: FileId,
        source: &Source,
        wait: &Wait,
    ) -> (String, Vec<ImportRequest>) {
        self.lines_by(life, file, source, wait, true)
    }

    fn lines_by(
        &self,
        life: &Lifecycle,
        file: FileId,
        source: &Source,
        wait: &Wait,
        cancelled: bool,
    ) -> (String, Vec<ImportRequest>) {
        let handle = &self.handle;
        let mut requests = Vec::new();
        let mut text = String::new();
        if self.many {
            let item = if handle == "task" { "one" } else { "task" };
            let (request, gather) = attribute(source, "asyncio", "gather");
            requests.push(request);
            let (request, log) = logger(life, file, source);
            requests.extend(request);
            if self.cancel && !cancelled {
                text += &format!("for {item} in {handle}:\n    {item}.cancel()\n");
            }
            let all = wait.of(&format!("{gather}(*{handle}, return_exceptions=True)"));
            text += &format!(
                "for result in {all}:\n    if isinstance(result, Exception):\n        {log}.error(\"background task failed\", exc_info=result)"
            );
        } else if self.cancel {
            let (suppress, suppressed) = attribute(source, "contextlib", "suppress");
            let (request, error) = attribute(source, "asyncio", "CancelledError");
            requests.extend([suppress, request]);
            if !cancelled {
                text += &format!("{handle}.cancel()\n");
            }
            let one = wait.of(handle);
            text += &format!("with {suppressed}({error}):\n    {one}");
        } else {
            text += &format!("await {handle}");
        }
        if self.guarded {
            let body = text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
            let test = if self.many { handle.clone() } else { format!("{handle} is not None") };
            text = format!("if {test}:\n{body}");
        }
        (text, requests)
    }

    /// Last names of the calls that the lines add.
    pub fn added(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.cancel {
            names.push("cancel");
        }
        if self.many {
            names.extend(["gather", "isinstance", "error", "getLogger"]);
        } else if self.cancel {
            names.push("suppress");
        }
        names.into_iter().map(str::to_owned).collect()
    }
}
