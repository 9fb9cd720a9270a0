//! The ways to make the error happen, in the order they are tried.

use std::collections::BTreeSet;

use loopmend_model::{Frame, Incident, Way};

use super::attempt::Attempt;
use super::entry::{self, is_test};
use super::sign::own_path;
use super::words;
use crate::Case;

/// How many entries of one kind are tried.
const MOST: usize = 3;

/// All attempts: the given command, the configured one, the one that stands in the log, the named test, the suite, and the
/// entries of the source. Where a command is given, nothing else is tried.
pub fn plan(case: &Case<'_>, given: Option<&str>) -> Vec<Attempt> {
    if let Some(given) = given {
        return words::parse(given, Way::Given).into_iter().collect();
    }
    let mut attempts: Vec<Attempt> = case
        .tree
        .settings
        .run
        .as_deref()
        .and_then(|run| words::parse(run, Way::Configured))
        .into_iter()
        .collect();
    attempts.extend(told(case.text));
    attempts.extend(named_test(case));
    attempts.extend(suite(case));
    let near = near(case);
    let failing = failing(case);
    let mut entries = Vec::new();
    for app in entry::apps(case.tree, &near).into_iter().take(MOST) {
        let mut arguments = vec![app.name];
        arguments.extend(asked(case.text, &app.routes));
        entries.push(Attempt::harness(Way::App, "loopmend_app.py", arguments));
    }
    let mut scripts = entry::scripts(case.life, case.tree, &near);
    scripts.truncate(MOST);
    for script in &scripts {
        let mut argv = vec!["python".to_owned()];
        argv.extend(script.arguments.clone());
        if script.serves {
            entries.push(Attempt::harness(Way::Worker, "loopmend_worker.py", argv));
        } else {
            entries.push(Attempt::new(Way::Script, argv));
        }
    }
    // A log that starts in a program's own first line came from that program.
    let started = first_files(case);
    entries
        .sort_by_key(|attempt| !started.iter().any(|file| attempt.argv.iter().any(|word| names(word, file))));
    let bridges: Vec<String> = entry::bridges(case.life, case.tree, &near).into_iter().take(MOST).collect();
    if !bridges.is_empty() {
        entries.push(Attempt::harness(Way::Bridge, "loopmend_bridge.py", bridges));
    }
    attempts.extend(entries.iter().cloned());
    if let Some(failing) = failing {
        attempts.extend(
            entries
                .into_iter()
                .filter(|attempt| matches!(attempt.way, Way::App | Way::Script | Way::Worker))
                .map(|attempt| Attempt { failing: Some(failing.clone()), ..attempt }),
        );
    }
    let mut seen = BTreeSet::new();
    attempts
        .retain(|attempt| seen.insert((attempt.argv.clone(), attempt.env.clone(), attempt.failing.clone())));
    attempts
}

fn names(word: &str, file: &str) -> bool {
    let module = file.strip_suffix(".py").unwrap_or(file).trim_end_matches("/__main__").replace('/', ".");
    word == file || word == module
}

/// Commands at a prompt in the log, where they start Python or a tool of its own.
fn told(text: &str) -> Vec<Attempt> {
    const PROGRAMS: [&str; 6] = ["python", "python3", "pytest", "uvicorn", "hypercorn", "gunicorn"];
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("$ "))
        .filter_map(|line| words::parse(line, Way::Script))
        .filter(|attempt| PROGRAMS.contains(&attempt.argv[0].rsplit('/').next().unwrap_or_default()))
        .map(|attempt| {
            let name = attempt.argv[0].rsplit('/').next().unwrap_or_default().to_owned();
            let mut argv = attempt.argv.clone();
            let pytest = name == "pytest" || argv.windows(2).any(|pair| pair == ["-m", "pytest"]);
            argv[0] = if name == "python3" { "python".to_owned() } else { name.clone() };
            if matches!(name.as_str(), "uvicorn" | "hypercorn" | "gunicorn") {
                return Attempt {
                    env: attempt.env,
                    ..Attempt::harness(Way::Worker, "loopmend_worker.py", argv)
                };
            }
            Attempt { way: if pytest { Way::Suite } else { Way::Script }, argv, ..attempt }
        })
        .take(MOST)
        .collect()
}

/// The test that the log names, where the tree has it once.
fn named_test(case: &Case<'_>) -> Option<Attempt> {
    let name = case.incidents.iter().find_map(|incident| incident.test.as_deref())?;
    let bare = name.rsplit("::").next().unwrap_or(name);
    let (function, parameters) = bare.split_once('[').map_or((bare, ""), |(function, rest)| (function, rest));
    let last = function.rsplit('.').next().unwrap_or(function);
    let mut found = case.life.suite().tests.iter().filter(|test| {
        let facts = case.life.facts(test.function.file);
        &*facts.function(test.function.id).name == last
    });
    let test = found.next()?;
    if found.next().is_some() || !has_pytest(case) {
        return None;
    }
    let facts = case.life.facts(test.function.file);
    let mut id = facts.path.clone();
    for part in facts.function(test.function.id).qualname.split('.') {
        id.push_str("::");
        id.push_str(part);
    }
    if !parameters.is_empty() {
        id.push('[');
        id.push_str(parameters);
    }
    let argv = ["python", "-m", "pytest", "-q", &id].map(str::to_owned).to_vec();
    Some(Attempt::new(Way::Test, argv))
}

/// The project's whole suite; `None` where it has none.
pub fn suite(case: &Case<'_>) -> Option<Attempt> {
    let files: Vec<&str> =
        case.tree.files.iter().map(|file| file.path.as_str()).filter(|path| is_test(path)).collect();
    let tests = files.iter().any(|path| !path.ends_with("conftest.py") && !path.ends_with("__init__.py"));
    if !tests {
        return None;
    }
    let text = |path: &str| case.tree.file(path).map(|file| file.text.clone()).unwrap_or_default();
    if has_pytest(case) {
        return Some(Attempt::new(Way::Suite, ["python", "-m", "pytest", "-q"].map(str::to_owned).to_vec()));
    }
    if !files.iter().any(|path| text(path).contains("unittest")) {
        return None;
    }
    let mut argv = ["python", "-m", "unittest", "discover"].map(str::to_owned).to_vec();
    let folder = files.iter().filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).min();
    if let Some(folder) = folder {
        argv.extend(["-s".to_owned(), folder.to_owned(), "-t".to_owned(), ".".to_owned()]);
    }
    Some(Attempt::new(Way::Suite, argv))
}

/// Whether pytest can be run: it is installed, or the tree is written for it and nothing says that it is not there.
pub fn has_pytest(case: &Case<'_>) -> bool {
    let settings = &case.tree.settings;
    settings.version("pytest").is_some()
        || (settings.versions.is_empty()
            && case.tree.files.iter().any(|file| is_test(&file.path) && file.text.contains("pytest")))
}

/// Files of the project that the diagnosis and the log name, the nearest first.
fn near(case: &Case<'_>) -> Vec<String> {
    let mut files = first_files(case);
    let located =
        case.diagnoses.iter().flat_map(|diagnosis| &diagnosis.locations).map(|place| place.path.clone());
    files.extend(located);
    for frame in case.incidents.iter().flat_map(frames) {
        files.extend(own_path(case.tree, &frame.path).map(str::to_owned));
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    files
}

/// Files whose top level the tracebacks start in.
fn first_files(case: &Case<'_>) -> Vec<String> {
    let mut files = Vec::new();
    for frame in case.incidents.iter().flat_map(frames).filter(|frame| frame.function == "<module>") {
        if let Some(path) = own_path(case.tree, &frame.path)
            && !files.iter().any(|known| known == path)
        {
            files.push(path.to_owned());
        }
    }
    files
}

fn frames(incident: &Incident) -> impl Iterator<Item = &Frame> {
    incident.exceptions.iter().flat_map(|raised| &raised.frames).chain(&incident.created)
}

/// Paths to ask for: those that the log has first.
fn asked(text: &str, routes: &[String]) -> Vec<String> {
    let mut paths: Vec<String> = routes.to_vec();
    paths.sort_by_key(|path| !(path.len() > 1 && text.contains(path.as_str())));
    paths.truncate(2);
    if paths.is_empty() { vec!["/".to_owned()] } else { paths }
}

/// The step below the project's own innermost frame that the log says had failed, in the form that the prelude reads.
fn failing(case: &Case<'_>) -> Option<String> {
    case.incidents.iter().flat_map(|incident| &incident.exceptions).find_map(|raised| {
        let outside = ["OSError", "ConnectionRefusedError", "ConnectionError", "TimeoutError", "gaierror"];
        let last = raised.kind.rsplit('.').next().unwrap_or(&raised.kind);
        if !outside.contains(&last) && !last.ends_with("ConnectionError") {
            return None;
        }
        let index = raised.frames.iter().rposition(|frame| own_path(case.tree, &frame.path).is_some())?;
        let (own, library) = (&raised.frames[index], raised.frames.get(index + 1)?);
        let path = own_path(case.tree, &own.path)?;
        let module = library.path.rsplit_once("site-packages/").map(|(_, rest)| rest)?;
        let module = module.strip_suffix(".py")?.trim_end_matches("/__init__").replace('/', ".");
        let name = |function: &str| function.rsplit('.').next().unwrap_or(function).to_owned();
        let message = raised.message.replace(['|', '\n'], " ");
        let (step, caller) = (name(&library.function), name(&own.function));
        Some([module.as_str(), &step, &raised.kind, &message, path, &caller].join("|"))
    })
}
