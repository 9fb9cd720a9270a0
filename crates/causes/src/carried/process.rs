//! Which runs may meet in one process.

use std::collections::BTreeSet;

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Root};

/// Where in a process a function is called from.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Module bodies.
    modules: BTreeSet<FileId>,
    /// Frameworks that call many functions of one process (a server, a task queue).
    served: bool,
    /// Commands of a command line, of which a process runs one.
    commands: BTreeSet<FunctionRef>,
    /// Functions that nothing in the tree calls.
    open: BTreeSet<FunctionRef>,
}

/// Whether two places may be reached in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// As the tree shows.
    Sure,
    /// By callers that the tree does not show.
    Perhaps,
    /// They belong to different programs.
    Never,
}

impl Process {
    /// From the roots of a function.
    pub fn of(life: &Lifecycle, roots: &BTreeSet<Root>) -> Self {
        let mut process = Self::default();
        for root in roots {
            match root {
                Root::Module(file) if !test_path(&life.facts(*file).path) => {
                    process.modules.insert(*file);
                }
                Root::Framework(function, at) => {
                    if is_command(life, *at) {
                        process.commands.insert(*function);
                    } else {
                        process.served = true;
                    }
                }
                Root::Uncalled(function) if !in_tests(life, *function) => {
                    process.open.insert(*function);
                }
                _ => {}
            }
        }
        process
    }

    /// Whether two places meet.
    pub fn meets(&self, other: &Self) -> Meeting {
        if self.served && other.served
            || !self.modules.is_disjoint(&other.modules)
            || !self.commands.is_disjoint(&other.commands)
            || !self.open.is_disjoint(&other.open)
        {
            return Meeting::Sure;
        }
        // What a library offers, its callers may call together; so with a served process that calls into it.
        let loose = |process: &Self| !process.open.is_empty() || process.served;
        if loose(self) && loose(other) { Meeting::Perhaps } else { Meeting::Never }
    }
}

/// `@click.command()`, `@app.command()`, `@cli.group()`: a process runs one of them, once.
pub fn is_command(life: &Lifecycle, decorator: ExprRef) -> bool {
    let facts = life.facts(decorator.file);
    let target = match facts.expr(decorator.id).kind {
        ExprKind::Call { func, .. } => func,
        _ => decorator.id,
    };
    facts.dotted(target).is_some_and(|text| {
        let last = text.rsplit('.').next().unwrap_or_default();
        matches!(
            last,
            "command"
                | "group"
                | "callback"
                | "result_callback"
                | "pass_context"
                | "option"
                | "argument"
                | "pass_obj"
        )
    })
}

/// Whether a function stands in a test's file.
pub fn in_tests(life: &Lifecycle, function: FunctionRef) -> bool {
    test_path(&life.facts(function.file).path)
}

fn test_path(path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    file.starts_with("test_")
        || file.ends_with("_test.py")
        || matches!(file, "conftest.py" | "tests.py")
        || folder.split('/').any(|part| matches!(part, "tests" | "test"))
}
