//! Entries of a program: what can be started, found in its source.

use std::sync::LazyLock;

use loopmend_model::{SourceFile, Tree};
use loopmend_python::facts::{MODULE, ParameterKind};
use loopmend_python::lifecycle::{Lifecycle, RunKind};
use regex::Regex;

static APP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:[\w.]+\.)?(FastAPI|Starlette|Litestar|Quart|Flask|Application|create_app|make_app|build_app|get_app)\(",
    )
    .expect("it is tested")
});
static FACTORY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^def\s+((?:create|make|build|get)_(?:app|application))\(\s*\)").expect("it is tested")
});
static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:\.get|\.route|\badd_get|\bRoute|\badd_route|\bweb\.get)\(\s*["'](/[^"'{}<>]*)["']"#)
        .expect("it is tested")
});
static GUARD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^if\s+__name__\s*==\s*["']__main__["']|^if\s+["']__main__["']\s*==\s*__name__"#)
        .expect("it is tested")
});

/// A web application at a module's top level, or a factory of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// `MODULE:NAME`, with `()` after a factory.
    pub name: String,
    /// Paths that can be asked for without knowing anything.
    pub routes: Vec<String>,
    /// Its file.
    pub path: String,
}

/// The applications of a tree; those of files that `near` names come first.
pub fn apps(tree: &Tree, near: &[String]) -> Vec<App> {
    let mut routes: Vec<String> = Vec::new();
    for file in tree.files.iter().filter(|file| !is_test(&file.path)) {
        for route in ROUTE.captures_iter(&file.text) {
            if !routes.contains(&route[1].to_owned()) {
                routes.push(route[1].to_owned());
            }
        }
    }
    routes.truncate(6);
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| !is_test(&file.path)) {
        let Some(module) = module(tree, &file.path) else { continue };
        let mut names: Vec<String> = APP.captures_iter(&file.text).map(|app| app[1].to_owned()).collect();
        if names.is_empty() {
            names = FACTORY.captures_iter(&file.text).map(|factory| format!("{}()", &factory[1])).collect();
        }
        found.extend(names.into_iter().map(|name| App {
            name: format!("{module}:{name}"),
            routes: routes.clone(),
            path: file.path.clone(),
        }));
    }
    found.sort_by_key(|app| (!near.contains(&app.path), app.name.ends_with("()")));
    found
}

/// A program that can be started by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Arguments for Python.
    pub arguments: Vec<String>,
    /// Its file.
    pub path: String,
    /// It serves until it is stopped.
    pub serves: bool,
}

/// The programs of a tree; those of files that `near` names come first.
pub fn scripts(life: &Lifecycle, tree: &Tree, near: &[String]) -> Vec<Script> {
    let mut found: Vec<Script> = tree
        .files
        .iter()
        .filter(|file| !is_test(&file.path) && starts(file))
        .filter_map(|file| {
            let whole = file.path.ends_with("/__main__.py")
                || tree.file(&format!("{}__init__.py", folder(&file.path))).is_some();
            let arguments = if whole && !folder(&file.path).is_empty() {
                let module = module(tree, &file.path)?;
                vec!["-m".to_owned(), module.strip_suffix(".__main__").unwrap_or(&module).to_owned()]
            } else {
                vec![file.path.clone()]
            };
            Some(Script { arguments, serves: serves(life, file), path: file.path.clone() })
        })
        .collect();
    found.sort_by_key(|script| near.iter().position(|near| *near == script.path).unwrap_or(usize::MAX));
    found
}

/// Whether the file does something when it is run.
fn starts(file: &SourceFile) -> bool {
    file.path.ends_with("__main__.py")
        || GUARD.is_match(&file.text)
        || file.text.lines().any(|line| line.starts_with("asyncio.run(") || line.starts_with("main()"))
}

/// Whether it runs a server or a loop that only a signal ends.
fn serves(life: &Lifecycle, file: &SourceFile) -> bool {
    let Some(id) = life.file(&file.path) else { return false };
    let forever = |text: &str| text.contains(".run_forever(") || text.contains(".serve_forever(");
    forever(&file.text)
        || life.runs().iter().any(|run| run.call.file == id && run.kind == RunKind::Serve)
        || (file.text.contains("while True:")
            && !file.text.contains("break")
            && !file.text.contains("return"))
}

/// Synchronous functions without required parameters that run a fresh loop, as `MODULE:FUNCTION`.
pub fn bridges(life: &Lifecycle, tree: &Tree, near: &[String]) -> Vec<String> {
    let mut found: Vec<(bool, String)> = Vec::new();
    for run in life.runs() {
        let facts = life.facts(run.call.file);
        let function = facts.function(run.function.id);
        let plain = run.function.id != MODULE
            && matches!(run.kind, RunKind::Fresh | RunKind::OnLoop)
            && !function.is_async
            && function.parent == Some(MODULE)
            && function.class.is_none()
            && function.params.iter().all(|parameter| {
                parameter.default.is_some()
                    || matches!(parameter.kind, ParameterKind::Args | ParameterKind::Kwargs)
            });
        if !plain || is_test(&facts.path) || matches!(&*function.name, "main" | "cli" | "run") {
            continue;
        }
        if let Some(module) = module(tree, &facts.path) {
            let name = format!("{module}:{}", function.name);
            if !found.iter().any(|(_, known)| *known == name) {
                found.push((!near.contains(&facts.path), name));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

/// The dotted name under which a file is imported from the tree's root; `src/` without a package is a root of its own.
pub fn module(tree: &Tree, path: &str) -> Option<String> {
    let stem = path.strip_suffix(".py")?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    let plain = stem.split('/').all(|part| {
        !part.is_empty()
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !part.starts_with(|c: char| c.is_ascii_digit())
    });
    let stem = match stem.strip_prefix("src/") {
        Some(rest) if tree.file("src/__init__.py").is_none() && rest.contains('/') => rest,
        _ => stem,
    };
    plain.then(|| stem.replace('/', "."))
}

fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// Whether a file belongs to the suite.
pub fn is_test(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    name.starts_with("test_")
        || name.ends_with("_test.py")
        || name == "conftest.py"
        || folder.split('/').any(|part| part == "tests" || part == "test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).into() })
            .collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Tree { files, ..Tree::default() }
    }

    #[test]
    fn applications_and_their_plain_routes() {
        let tree = tree(&[
            ("app/__init__.py", ""),
            ("app/main.py", "app = FastAPI()\n@app.get('/items/{id}')\n@app.get(\"/health\")\n"),
            ("tests/test_main.py", "app = FastAPI()\n"),
            ("web.py", "def create_app():\n    pass\n"),
        ]);
        let apps = apps(&tree, &[]);
        assert_eq!(
            apps.iter().map(|app| app.name.as_str()).collect::<Vec<_>>(),
            ["app.main:app", "web:create_app()"]
        );
        assert_eq!(apps[0].routes, ["/health"]);
    }

    #[test]
    fn programs_are_started_as_their_users_do() {
        let tree = tree(&[
            ("one.py", "if __name__ == '__main__':\n    main()\n"),
            ("pkg/__init__.py", ""),
            ("pkg/__main__.py", "main()\n"),
            ("pkg/tool.py", "if __name__ == \"__main__\":\n    main()\n"),
            ("lib.py", "x = 1\n"),
        ]);
        let life = Lifecycle::read(&tree);
        let found = scripts(&life, &tree, &["pkg/tool.py".to_owned()]);
        let shown: Vec<String> = found.iter().map(|script| script.arguments.join(" ")).collect();
        assert_eq!(shown, ["-m pkg.tool", "one.py", "-m pkg"]);
    }

    #[test]
    fn functions_that_need_nothing_can_be_called_twice() {
        let tree = tree(&[(
            "jobs.py",
            "import asyncio\nasync def go(): pass\ndef sync(limit=3):\n    return asyncio.run(go())\n\
             def other(name):\n    return asyncio.run(go())\n",
        )]);
        let life = Lifecycle::read(&tree);
        assert_eq!(bridges(&life, &tree, &[]), ["jobs:sync"]);
    }
}
