//! Where a project's tests are run by machines: the lines of its CI files, and the same lines with `loopmend watch`.

use std::fs;
use std::path::Path;

/// Files in which CI systems and task runners name commands.
const FILES: [&str; 15] = [
    ".gitlab-ci.yml",
    ".circleci/config.yml",
    ".travis.yml",
    ".woodpecker.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".drone.yml",
    "Jenkinsfile",
    "tox.ini",
    "noxfile.py",
    "Makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    ".pre-commit-config.yaml",
];
/// Folders in which every YAML file is one.
const FOLDERS: [&str; 2] = [".github/workflows", ".forgejo/workflows"];
/// A longer file is no CI file.
const MOST: u64 = 1 << 20;

/// A line that runs tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// Path in the project, with `/`.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// The line as it is, trimmed.
    pub before: String,
    /// The line with the command watched.
    pub after: String,
}

/// The lines of a project's CI files that run its tests unwatched; CI systems first, then what they call.
pub fn test_runs(root: &Path) -> Vec<TestRun> {
    let mut paths: Vec<String> = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"))
            .collect();
        names.sort();
        paths.extend(names.into_iter().map(|name| format!("{folder}/{name}")));
    }
    paths.extend(FILES.map(str::to_owned));
    let mut runs = Vec::new();
    for path in paths {
        let file = root.join(&path);
        if !file.metadata().is_ok_and(|data| data.is_file() && data.len() <= MOST) {
            continue;
        }
        let Ok(text) = fs::read_to_string(&file) else { continue };
        runs.extend(runs_in(&path, &text));
    }
    runs
}

/// The lines of one file that run tests; none where some are watched already.
fn runs_in(path: &str, text: &str) -> Vec<TestRun> {
    if text.contains("loopmend watch") || text.contains("\"loopmend\", \"watch\"") {
        return Vec::new();
    }
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let before = line.trim();
            let after = if path.ends_with(".py") { watched_session(before) } else { watched(before) }?;
            Some(TestRun { path: path.to_owned(), line: index + 1, before: before.to_owned(), after })
        })
        .collect()
}

/// nox: `session.run("pytest", …)`.
fn watched_session(line: &str) -> Option<String> {
    let at = ["session.run(\"pytest\"", "session.run(\"python\", \"-m\", \"pytest\""]
        .iter()
        .find_map(|call| line.find(call))?;
    let open = at + "session.run(".len();
    let (head, tail) = line.split_at(open);
    let tail = tail.strip_suffix(')').map_or_else(
        || tail.to_owned(),
        |tail| {
            if tail.contains("external=") { format!("{tail})") } else { format!("{tail}, external=True)") }
        },
    );
    Some(format!("{head}\"loopmend\", \"watch\", \"--\", {tail}"))
}

/// A shell command that begins with a test runner, wherever in the line it begins.
fn watched(line: &str) -> Option<String> {
    if line.starts_with(['#', ';']) && !line.starts_with(";;") {
        return None;
    }
    let mut from = 0;
    while let Some(at) = line[from..].find("test").map(|at| at + from) {
        from = at + 4;
        let Some((start, word)) = word_at(line, at) else { continue };
        if !matches!(word.trim_start_matches("./"), "pytest" | "py.test" | "unittest") {
            continue;
        }
        if let Some(start) = command_start(line, start) {
            return Some(format!("{}loopmend watch -- {}", &line[..start], &line[start..]));
        }
    }
    None
}

fn word_at(line: &str, at: usize) -> Option<(usize, &str)> {
    let apart = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')');
    let start = line[..at].rfind(apart).map_or(0, |space| space + 1);
    let end = line[at..].find(apart).map_or(line.len(), |space| at + space);
    let word = line.get(start..end)?;
    // make's `@`.
    let bare = word.trim_start_matches('@');
    Some((start + word.len() - bare.len(), bare))
}

/// Where the command begins whose runner stands at `runner`: before its launchers; none where it is an argument of
/// something else (`pip install pytest`).
fn command_start(line: &str, runner: usize) -> Option<usize> {
    let mut start = runner;
    loop {
        let before = line[..start].trim_end();
        if before.is_empty() {
            return Some(start);
        }
        let word_start = before.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let word = &before[word_start..];
        let bare = word.trim_start_matches(['"', '\'', '`', '(']);
        if is_launcher(bare) {
            start = word_start + (word.len() - bare.len());
            if bare.len() != word.len() {
                return Some(start);
            }
            continue;
        }
        // `run:`, `- `, `commands =`, `&&`, an opening quote, make's `@`.
        if word.ends_with([':', '=']) {
            return is_key(before).then_some(start);
        }
        let opens = word.ends_with(['"', '\'', '@'])
            || matches!(word, "-" | "&&" | "||" | ";" | "|" | "(" | "then" | "do" | "sh" | "bat")
            || word.ends_with(';')
            || is_assignment(word);
        return opens.then_some(start);
    }
}

/// Whether a text ends in a key whose value is a command: `run:`, `commands =`.
fn is_key(before: &str) -> bool {
    let name = before.trim_end_matches([':', '=']).trim_end();
    let name = name.rsplit(char::is_whitespace).next().unwrap_or(name);
    matches!(name, "run" | "script" | "entry" | "command" | "commands" | "cmd" | "test" | "tests" | "sh")
}

/// Words that start another program.
fn is_launcher(word: &str) -> bool {
    let python = word.starts_with("python") || word == "{envpython}" || word == "py";
    python
        || matches!(
            word,
            "uv" | "uvx"
                | "poetry"
                | "pdm"
                | "hatch"
                | "pipenv"
                | "rye"
                | "run"
                | "coverage"
                | "-m"
                | "--no-sync"
                | "--frozen"
                | "--locked"
                | "-X"
                | "dev"
                | "--"
                | "xvfb-run"
        )
}

/// `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(path: &str, text: &str) -> Vec<String> {
        runs_in(path, text).into_iter().map(|run| run.after).collect()
    }

    #[test]
    fn commands_are_found_where_they_begin() {
        for (line, expected) in [
            ("      - run: pytest -q", "- run: loopmend watch -- pytest -q"),
            ("        run: uv run pytest tests", "run: loopmend watch -- uv run pytest tests"),
            ("    - python -m pytest --cov=app", "- loopmend watch -- python -m pytest --cov=app"),
            ("          cd app && poetry run pytest", "cd app && loopmend watch -- poetry run pytest"),
            ("commands = pytest {posargs}", "commands = loopmend watch -- pytest {posargs}"),
            ("\tCI=1 pytest", "CI=1 loopmend watch -- pytest"),
            ("\t@pytest -q", "@loopmend watch -- pytest -q"),
            ("    python3 -m unittest discover", "loopmend watch -- python3 -m unittest discover"),
            ("        entry: pytest", "entry: loopmend watch -- pytest"),
        ] {
            assert_eq!(after("ci.yml", line), [expected], "{line}");
        }
    }

    #[test]
    fn what_only_names_them_is_left() {
        for line in [
            "      - run: pip install pytest pytest-asyncio",
            "      # - run: pytest",
            "    name: pytest",
            "deps = pytest",
            "      - run: loopmend watch -- pytest",
            "    pytest>=8",
            "      - uses: actions/pytest@v1",
        ] {
            assert_eq!(after("ci.yml", line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn nox_has_its_own_words() {
        assert_eq!(
            after("noxfile.py", "    session.run(\"pytest\", \"-q\", *session.posargs)\n"),
            [
                "session.run(\"loopmend\", \"watch\", \"--\", \"pytest\", \"-q\", *session.posargs, external=True)"
            ]
        );
    }
}
