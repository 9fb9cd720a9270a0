//! Texts of tests.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use loopmend_model::Way;
use regex::Regex;

use super::Candidate;
use super::style::{Async, Runner, Style};
use crate::case::Case;
use crate::reproduce::{Attempt, Sign, apps, module, own_path};

static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"<[^>]*>?|0x[0-9a-f]+|(?:[\w.]*/)+[^\s:]*:?|\d+:?|["\\{}\[\]]"#).expect("it is tested")
});
static AWAITED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"await\s+([A-Za-z_][\w.]*)\(").expect("it is tested"));

/// Tests that may show the error, the most telling first.
pub(super) fn candidates(
    case: &Case<'_>,
    style: &Style,
    attempt: &Attempt,
    seen: &BTreeSet<Sign>,
    services: bool,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let near: Vec<String> = case
        .diagnoses
        .iter()
        .flat_map(|diagnosis| &diagnosis.locations)
        .map(|place| place.path.clone())
        .collect();
    if let Some(app) = apps(case.tree, &near).into_iter().find(|app| is_asgi(case, &app.path))
        && (attempt.way == Way::App || near.contains(&app.path))
        && !app.name.ends_with("()")
    {
        found.extend(failed_start(case, style, &app.name));
        if !services {
            let route = app.routes.first().map_or("/", String::as_str);
            found.push(start_and_stop(style, &app.name, route));
        }
    }
    if !services {
        match attempt.way {
            Way::Bridge => {
                found.extend(attempt.argv.iter().skip(2).filter_map(|name| called_twice(style, name)));
            }
            Way::Given | Way::Configured | Way::Script => found.extend(run_whole(style, attempt, seen)),
            _ => {}
        }
    }
    found
}

fn is_asgi(case: &Case<'_>, path: &str) -> bool {
    case.tree.file(path).is_some_and(|file| file.text.contains("FastAPI") || file.text.contains("Starlette"))
}

/// The application is started, asked and stopped.
fn start_and_stop(style: &Style, app: &str, route: &str) -> Candidate {
    let (module, name) = app.split_once(':').unwrap_or((app, "app"));
    let body = format!(
        "    async with {name}.router.lifespan_context({name}):\n\
         \x20       transport = httpx.ASGITransport(app={name})\n\
         \x20       async with httpx.AsyncClient(transport=transport, base_url=\"http://test\") as client:\n\
         \x20           response = await client.get(\"{route}\")\n\
         \x20   assert response.status_code < 500\n"
    );
    let imports = Imports {
        standard: vec![],
        other: vec!["import httpx"],
        own: vec![format!("from {module} import {name}")],
    };
    asynchronous(style, "startup", "test_application_starts_and_stops", "", imports, &body)
}

/// The step that the log says had failed fails, and nothing of the steps before it stays open.
fn failed_start(case: &Case<'_>, style: &Style, app: &str) -> Option<Candidate> {
    if matches!(style.runner, Runner::Unittest) {
        return None;
    }
    let frame = case
        .incidents
        .iter()
        .flat_map(|incident| &incident.exceptions)
        .flat_map(|raised| raised.frames.iter().rev())
        .find(|frame| {
            own_path(case.tree, &frame.path).is_some()
                && frame.source.as_ref().is_some_and(|source| AWAITED.is_match(source))
        })?;
    let step = AWAITED.captures(frame.source.as_deref()?)?.get(1)?.as_str();
    let place = module(case.tree, own_path(case.tree, &frame.path)?)?;
    let (target, name) = app.split_once(':')?;
    let body = format!(
        "    async def refused(*args, **kwargs):\n\
         \x20       raise ConnectionRefusedError(\"refused\")\n\n\
         \x20   monkeypatch.setattr(\"{place}.{step}\", refused)\n\
         \x20   with warnings.catch_warnings(record=True) as caught:\n\
         \x20       warnings.simplefilter(\"always\")\n\
         \x20       with contextlib.suppress(ConnectionRefusedError):\n\
         \x20           async with {name}.router.lifespan_context({name}):\n\
         \x20               pass\n\
         \x20       gc.collect()\n\
         \x20   assert [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)] == []\n"
    );
    let imports = Imports {
        standard: vec!["import contextlib", "import gc", "import warnings"],
        other: vec![],
        own: vec![format!("from {target} import {name}")],
    };
    Some(asynchronous(
        style,
        "startup",
        "test_failed_start_leaves_nothing_open",
        "monkeypatch",
        imports,
        &body,
    ))
}

/// A synchronous function is called a second time.
fn called_twice(style: &Style, function: &str) -> Option<Candidate> {
    let (module, name) = function.split_once(':')?;
    let imports =
        Imports { standard: vec![], other: vec![], own: vec![format!("from {module} import {name}")] };
    let test = format!("test_{name}_can_be_called_twice");
    let body = format!("    first = {name}()\n    assert type({name}()) is type(first)\n");
    Some(synchronous(style, name, &test, imports, &body))
}

/// The program is run as its users run it.
fn run_whole(style: &Style, attempt: &Attempt, seen: &BTreeSet<Sign>) -> Option<Candidate> {
    let (program, arguments) = attempt.argv.split_first()?;
    if program != "python" || arguments.iter().any(|word| word == "pytest" || word == "unittest") {
        return None;
    }
    let words = seen
        .iter()
        .map(|sign| telling(&sign.words))
        .max_by_key(String::len)
        .filter(|words| words.len() >= 10)?;
    let subject =
        arguments.iter().find(|word| !word.starts_with('-') && *word != "default" && *word != "dev")?;
    let subject = subject.trim_end_matches(".py").replace(|c: char| !c.is_alphanumeric(), "_");
    let listed: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    let depth = style.folder.matches('/').count();
    let mut body = format!("    command = [sys.executable, {}]\n", listed.join(", "));
    let mut standard = vec!["import subprocess", "import sys", "from pathlib import Path"];
    let mut environment = String::new();
    if !attempt.env.is_empty() {
        standard.insert(0, "import os");
        let pairs: Vec<String> =
            attempt.env.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
        let _ = writeln!(body, "    variables = os.environ | {{{}}}", pairs.join(", "));
        environment.push_str(", env=variables");
    }
    let _ = write!(
        body,
        "    root = Path(__file__).resolve().parents[{depth}]\n\
         \x20   ran = subprocess.run(command, cwd=root{environment}, capture_output=True, text=True, timeout=120)\n\
         \x20   assert {} not in ran.stdout + ran.stderr\n",
        quoted(&words)
    );
    let imports = Imports { standard, other: vec![], own: vec![] };
    Some(synchronous(style, &format!("{subject}_run"), &format!("test_{subject}_runs_clean"), imports, &body))
}

/// The longest part of a message that is the same each time.
fn telling(words: &str) -> String {
    LOOSE.split(words).map(str::trim).max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

struct Imports {
    standard: Vec<&'static str>,
    other: Vec<&'static str>,
    own: Vec<String>,
}

impl Imports {
    fn text(mut self) -> String {
        let key = |line: &str| (line.starts_with("from "), line.to_owned());
        self.standard.sort_by_key(|line| key(line));
        self.other.sort_unstable();
        let groups = [self.standard.join("\n"), self.other.join("\n"), self.own.join("\n")];
        groups.into_iter().filter(|group| !group.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

fn synchronous(style: &Style, about: &str, name: &str, mut imports: Imports, body: &str) -> Candidate {
    let text = match style.runner {
        Runner::Pytest(_) => format!("{}\n\n\ndef {name}():\n{body}", imports.text()),
        Runner::Unittest => {
            imports.standard.push("import unittest");
            let class = camel(about);
            format!(
                "{}\n\n\nclass {class}Tests(unittest.TestCase):\n    def {name}(self):\n{}",
                imports.text(),
                indented(body)
            )
        }
    };
    Candidate { path: style.path(about), name: name.to_owned(), text }
}

fn asynchronous(
    style: &Style,
    about: &str,
    name: &str,
    fixtures: &str,
    mut imports: Imports,
    body: &str,
) -> Candidate {
    let mark = |imports: &mut Imports, mark: &str| {
        imports.other.push("import pytest");
        format!("@pytest.mark.{mark}\n")
    };
    let text = match style.runner {
        Runner::Pytest(Async::Auto) => {
            format!("{}\n\n\nasync def {name}({fixtures}):\n{body}", imports.text())
        }
        Runner::Pytest(Async::Marked) => {
            let mark = mark(&mut imports, "asyncio");
            format!("{}\n\n\n{mark}async def {name}({fixtures}):\n{body}", imports.text())
        }
        Runner::Pytest(Async::Anyio) => {
            let mark = mark(&mut imports, "anyio");
            format!("{}\n\n\n{mark}async def {name}({fixtures}):\n{body}", imports.text())
        }
        Runner::Pytest(Async::None) => {
            imports.standard.push("import asyncio");
            let inner = indented(body);
            format!(
                "{}\n\n\ndef {name}({fixtures}):\n    async def run():\n{inner}\n    asyncio.run(run())\n",
                imports.text()
            )
        }
        Runner::Unittest => {
            imports.standard.push("import unittest");
            let (class, inner) = (camel(about), indented(body));
            format!(
                "{}\n\n\nclass {class}Tests(unittest.IsolatedAsyncioTestCase):\n    async def {name}(self):\n{inner}",
                imports.text()
            )
        }
    };
    Candidate { path: style.path(about), name: name.to_owned(), text }
}

fn indented(body: &str) -> String {
    body.split_inclusive('\n')
        .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("    {line}") })
        .collect()
}

fn camel(words: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    };
    words.split('_').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(runner: Runner) -> Style {
        Style { runner, folder: "tests/".to_owned(), suffixed: false }
    }

    #[test]
    fn the_telling_part_of_a_message_is_the_same_each_time() {
        for (words, part) in [
            ("RuntimeError: Event loop is closed", "RuntimeError: Event loop is closed"),
            (
                "RuntimeError: Task <Task pending name='Task-3'> got Future <Future pending> attached to a different loop",
                "attached to a different loop",
            ),
            (
                "/usr/lib/python3.11/asyncio/events.py:80: RuntimeWarning: coroutine 'A.b' was never awaited",
                "RuntimeWarning: coroutine 'A.b' was never awaited",
            ),
        ] {
            assert_eq!(telling(words), part);
        }
    }

    #[test]
    fn tests_are_written_as_the_project_writes_its_own() {
        let auto = start_and_stop(&style(Runner::Pytest(Async::Auto)), "app.main:app", "/health");
        assert_eq!(auto.path, "tests/test_startup.py");
        assert_eq!(
            auto.text,
            "import httpx\n\nfrom app.main import app\n\n\nasync def test_application_starts_and_stops():\n    \
             async with app.router.lifespan_context(app):\n        transport = httpx.ASGITransport(app=app)\n        \
             async with httpx.AsyncClient(transport=transport, base_url=\"http://test\") as client:\n            \
             response = await client.get(\"/health\")\n    assert response.status_code < 500\n"
        );
        let marked = start_and_stop(&style(Runner::Pytest(Async::Marked)), "app.main:app", "/health");
        assert!(
            marked.text.starts_with("import httpx\nimport pytest\n")
                && marked.text.contains("@pytest.mark.asyncio\nasync def")
        );
        let none = start_and_stop(&style(Runner::Pytest(Async::None)), "app.main:app", "/health");
        assert!(
            none.text.contains("    async def run():\n        async with")
                && none.text.ends_with("    asyncio.run(run())\n")
        );
        let unittest = start_and_stop(&style(Runner::Unittest), "app.main:app", "/health");
        assert!(
            unittest
                .text
                .contains("class StartupTests(unittest.IsolatedAsyncioTestCase):\n    async def test_")
        );
    }

    #[test]
    fn a_program_is_run_as_its_users_run_it() {
        let argv = ["python", "-m", "shop.report"].map(str::to_owned).to_vec();
        let attempt = Attempt::new(Way::Script, argv);
        let sign = Sign { words: "RuntimeError: Event loop is closed".to_owned(), ..Sign::default() };
        let test = run_whole(&style(Runner::Pytest(Async::None)), &attempt, &BTreeSet::from([sign])).unwrap();
        assert_eq!(
            (test.path.as_str(), test.name.as_str()),
            ("tests/test_shop_report_run.py", "test_shop_report_runs_clean")
        );
        assert!(test.text.contains("command = [sys.executable, \"-m\", \"shop.report\"]"), "{}", test.text);
    }
}
