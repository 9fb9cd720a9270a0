//! Configuration, CI files, shell scripts: what in them hides warnings, tests, output or failures.

use super::rule::Rule;
use super::site::Site;

/// The variables that make Python tell more.
const DEBUG: [&str; 3] = ["PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONTRACEMALLOC"];

/// The key of the mode in which every coroutine function is run as a test.
pub(super) const MODE: &str = "asyncio_mode";

/// One setting: what it belongs to, its text, its line.
struct Setting {
    key: String,
    text: String,
    line: u32,
}

/// Every such place of a file that is not Python.
pub(super) fn sites(path: &str, text: &str, out: &mut Vec<Site>) {
    for setting in settings(text) {
        for (rule, message) in suppressed(path, &setting) {
            out.push(Site {
                rule,
                key: format!("{}|{}", last_key(&setting.key), word(rule, &setting.text)),
                extent: None,
                path: path.to_owned(),
                line: setting.line,
                message: format!("{message}: `{}`", setting.text),
            });
        }
    }
}

/// What was a strict setting and is gone: warnings as errors, debug modes.
pub(super) fn strict(path: &str, text: &str) -> Vec<Site> {
    let site = |setting: &Setting, rule: Rule, key: &str, message: &str| Site {
        rule,
        key: key.to_owned(),
        extent: None,
        path: path.to_owned(),
        line: setting.line,
        message: format!("{message}: `{}`", setting.text),
    };
    let mut out = Vec::new();
    for setting in settings(text) {
        let value = &setting.text;
        if last_key(&setting.key) == "filterwarnings" && value.starts_with("error")
            || value.contains("-W error")
            || value.contains("-Werror")
        {
            out.push(site(
                &setting,
                Rule::WarningFilter,
                "errors",
                "warnings were errors here and are no longer",
            ));
        }
        let on = |variable: &&str| {
            let key = last_key(&setting.key) == *variable
                && value.starts_with(|c: char| c.is_ascii_digit() && c != '0');
            key || is_on(value, variable)
        };
        if value.contains("-X dev") || DEBUG.iter().any(on) {
            out.push(site(
                &setting,
                Rule::DebugOff,
                "debug",
                "what makes Python tell of trouble was on here and is no longer",
            ));
        }
        let mode = matches!(last_key(&setting.key), "asyncio_mode" | "anyio_mode") && value == "auto";
        if mode || value.contains("--asyncio-mode=auto") || value.contains("--asyncio-mode auto") {
            out.push(site(
                &setting,
                Rule::SkippedTest,
                MODE,
                "coroutine functions were run as tests without a mark, and no longer are",
            ));
        }
        if last_key(&setting.key) == "xfail_strict" && value.contains("true") {
            out.push(site(
                &setting,
                Rule::SkippedTest,
                "xfail_strict",
                "an unexpected success no longer fails",
            ));
        }
    }
    out
}

fn is_on(text: &str, variable: &str) -> bool {
    text.split_once(variable).is_some_and(|(_, rest)| {
        let value = rest.trim_start_matches(['=', ':', ' ', '"', '\'']);
        value.starts_with(|c: char| c.is_ascii_digit() && c != '0')
    })
}

/// The lines of a file with what they belong to: `key = value`, `key:`, and the items of a list below a key.
fn settings(text: &str) -> Vec<Setting> {
    let mut out = Vec::new();
    let mut section = String::new();
    let mut key = String::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let bare = without_comment(line).trim_end();
        let trimmed = bare.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with('[')
            && trimmed.ends_with(']')
            && !trimmed.contains('"')
            && !bare.starts_with(' ')
        {
            section = trimmed.to_owned();
            key.clear();
            continue;
        }
        let mut value = trimmed;
        if let Some((name, rest)) = split_key(trimmed) {
            key = name.to_owned();
            value = rest.trim();
        }
        for part in parts(value) {
            out.push(Setting { key: format!("{section}.{key}"), text: part, line: line_number });
        }
    }
    out
}

/// `name = value` or `name: value`.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches("- ").trim_start_matches("export ").trim_start_matches("ENV ");
    let end = line.find(['=', ':'])?;
    let name = line[..end].trim();
    let plain =
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"'));
    // `error::ResourceWarning` is no key, and neither is `error:a message:…`.
    let warning =
        ["error", "ignore", "default", "always", "once", "module"].contains(&name.trim_matches('"'));
    (plain && !warning && !line[end..].starts_with("::")).then(|| (name, &line[end + 1..]))
}

/// The items of a list in one line, without their quotes; anything else is one.
fn parts(value: &str) -> Vec<String> {
    let clean = |text: &str| {
        text.trim().trim_matches(|c| matches!(c, '"' | '\'' | ',' | '[' | ']')).trim().to_owned()
    };
    let items: Vec<String> = if value.starts_with('[') && value.contains(',') {
        value.split("\",").flat_map(|part| part.split("',")).map(clean).collect()
    } else {
        vec![clean(value)]
    };
    items.into_iter().filter(|item| !item.is_empty()).collect()
}

fn without_comment(line: &str) -> &str {
    let start = line.trim_start();
    if start.starts_with('#') || start.starts_with(';') || start.starts_with("//") {
        return "";
    }
    match line.find(" #") {
        Some(at) if !line[..at].contains('"') || line[..at].matches('"').count().is_multiple_of(2) => {
            &line[..at]
        }
        _ => line,
    }
}

fn last_key(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key).trim_matches('"')
}

/// What in a setting matters for its rule, so that a command that only gained another word is the same.
fn word(rule: Rule, text: &str) -> String {
    match rule {
        Rule::WarningFilter | Rule::SkippedTest => text.to_owned(),
        _ => rule.name().to_owned(),
    }
}

fn suppressed(path: &str, setting: &Setting) -> Vec<(Rule, &'static str)> {
    let text = setting.text.as_str();
    let key = last_key(&setting.key);
    let mut found = Vec::new();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let filters = key == "filterwarnings" && text.starts_with("ignore")
        || has(&[
            "-W ignore",
            "-Wignore",
            "-W \"ignore",
            "-W 'ignore",
            "-p no:warnings",
            "--disable-warnings",
            "--disable-pytest-warnings",
            "-p no:unraisableexception",
            "-p no:threadexception",
            "-p no:unraisable",
        ])
        || key == "PYTHONWARNINGS" && text.contains("ignore")
        || text.contains("PYTHONWARNINGS") && text.contains("ignore");
    if filters {
        found.push((Rule::WarningFilter, "warnings are kept from being seen"));
    }
    let pytest = key == "addopts" || text.contains("pytest") || key == "PYTEST_ADDOPTS";
    let deselects = has(&[
        "--deselect",
        "-p no:asyncio",
        "-p no:anyio",
        "--ignore=",
        "--ignore ",
        "--ignore-glob",
        "-k \"not ",
        "-k 'not ",
        "-k not ",
        "-m \"not ",
        "-m 'not ",
        "-m not ",
    ]);
    if pytest && deselects
        || matches!(key, "collect_ignore" | "norecursedirs") && setting.key.contains("pytest")
    {
        found.push((Rule::SkippedTest, "tests are no longer run"));
    }
    if pytest && has(&["--reruns", "--flaky", "--force-flaky", "--lf-only"]) || key == "reruns" {
        found.push((Rule::RetriedTest, "tests are run again until they pass"));
    }
    let runs = has(&["pytest", "python", "unittest", "tox", "nox", "coverage", "make ", "loopmend"]);
    if runs && has(&["2>/dev/null", "2> /dev/null", "&>/dev/null", "&> /dev/null", ">/dev/null 2>&1", "2>&-"])
    {
        found.push((Rule::HiddenOutput, "what is said on standard error is thrown away"));
    }
    let shell = !path.ends_with(".toml") && !path.ends_with(".ini") && !path.ends_with(".cfg")
        || path.ends_with("tox.ini");
    if shell && runs && (has(&["|| true", "||true", "|| :", "|| exit 0", "; true", "; exit 0"]))
        || matches!(key, "continue-on-error" | "allow_failure" | "ignore_errors" | "ignore_outcome")
            && text.starts_with("true")
        || path.ends_with("Makefile") && text.starts_with("-pytest")
    {
        found.push((Rule::HiddenOutput, "a failure no longer fails the run"));
    }
    for variable in DEBUG {
        let off = key == variable && matches!(text, "0" | "")
            || has(&[&format!("{variable}=0"), &format!("{variable}: 0"), &format!("{variable}: \"0\"")]);
        if off {
            found.push((Rule::DebugOff, "what makes Python tell of trouble is switched off"));
        }
    }
    if has(&["--lifespan off", "--lifespan=off"]) {
        found.push((
            Rule::ErrorsNotRaised,
            "the server no longer runs the application's start-up and shutdown",
        ));
    }
    if has(&["--log-level critical", "--log-level=critical", "--log-level error", "--log-level=error"]) {
        found.push((Rule::LogFilter, "the server's log level is raised above WARNING"));
    }
    if setting.key.contains("tool.loopmend") && key == "ignore" || has(&["--ignore-cause"]) {
        found.push((Rule::SilencedFinding, "a finding of loopmend is silenced"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Rule> {
        let mut out = Vec::new();
        sites(path, text, &mut out);
        out.into_iter().map(|site| site.rule).collect()
    }

    #[test]
    fn lists_and_lines_are_read() {
        let toml = "[tool.pytest.ini_options]\nfilterwarnings = [\n  \"error\",\n  \"ignore::ResourceWarning\",\n]\n";
        assert_eq!(found("pyproject.toml", toml), [Rule::WarningFilter]);
        assert_eq!(
            found("pytest.ini", "[pytest]\nfilterwarnings =\n    error\n    ignore::DeprecationWarning\n"),
            [Rule::WarningFilter]
        );
        assert_eq!(
            found("setup.cfg", "[tool:pytest]\naddopts = -q --deselect tests/test_a.py::test_b\n"),
            [Rule::SkippedTest]
        );
        assert_eq!(found(".github/workflows/ci.yml", "    - run: pytest -q || true\n"), [Rule::HiddenOutput]);
        assert_eq!(found("ci.yml", "      continue-on-error: true\n"), [Rule::HiddenOutput]);
        assert_eq!(found("Dockerfile", "ENV PYTHONASYNCIODEBUG=0\n"), [Rule::DebugOff]);
        assert_eq!(found("pytest.ini", "[pytest]\nasyncio_mode = auto\nfilterwarnings =\n    error\n"), []);
    }

    #[test]
    fn strict_settings_are_known() {
        assert_eq!(strict("pytest.ini", "[pytest]\nfilterwarnings =\n    error::ResourceWarning\n").len(), 1);
        assert_eq!(strict("ci.yml", "env:\n  PYTHONASYNCIODEBUG: \"1\"\n").len(), 1);
        assert_eq!(strict("ci.yml", "env:\n  PYTHONASYNCIODEBUG: \"0\"\n").len(), 0);
    }
}
