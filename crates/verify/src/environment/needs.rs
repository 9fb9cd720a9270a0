//! What a project's suite needs to be run, by the words in its own files: pytest and its plugins.

use loopmend_model::Tree;

use super::Environment;

/// Words that only a plugin gives a meaning, and its distribution. Those of fixtures count in tests, the others in settings.
const IN_TESTS: [(&str, &str); 14] = [
    ("pytest.mark.asyncio", "pytest-asyncio"),
    ("pytest_asyncio", "pytest-asyncio"),
    ("pytest.mark.anyio", "anyio"),
    ("pytest.mark.trio", "pytest-trio"),
    ("pytest.mark.django_db", "pytest-django"),
    ("pytest.mark.timeout", "pytest-timeout"),
    ("pytest.mark.flaky", "pytest-rerunfailures"),
    ("aiohttp_client", "pytest-aiohttp"),
    ("httpx_mock", "pytest-httpx"),
    ("respx_mock", "respx"),
    ("requests_mock", "requests-mock"),
    ("aioresponses", "aioresponses"),
    ("freezer", "pytest-freezer"),
    ("(mocker", "pytest-mock"),
];
const IN_SETTINGS: [(&str, &str); 10] = [
    ("asyncio_mode", "pytest-asyncio"),
    ("asyncio_default_fixture_loop_scope", "pytest-asyncio"),
    ("--cov", "pytest-cov"),
    ("--numprocesses", "pytest-xdist"),
    ("-n auto", "pytest-xdist"),
    ("--timeout", "pytest-timeout"),
    ("--reruns", "pytest-rerunfailures"),
    ("--randomly", "pytest-randomly"),
    ("DJANGO_SETTINGS_MODULE", "pytest-django"),
    ("--benchmark", "pytest-benchmark"),
];

/// Frameworks whose applications are started with a server of its own distribution.
const SERVED: [&str; 4] = ["starlette", "fastapi", "litestar", "quart"];

/// What the suite and our harnesses need of an environment; what is there already counts as needed too.
pub fn needs(tree: &Tree, environment: &Environment) -> Vec<&'static str> {
    let mut needed = suite_needs(tree);
    let there = environment.distributions();
    if SERVED.iter().any(|name| there.contains_key(*name)) {
        needed.push("uvicorn");
    }
    needed
}

/// The distributions that the suite needs, pytest first; none where no file has a test that pytest alone runs.
pub fn suite_needs(tree: &Tree) -> Vec<&'static str> {
    let is_test = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with("test_") || name.ends_with("_test.py") || name == "conftest.py"
    };
    let tests: Vec<_> = tree.files.iter().filter(|file| is_test(&file.path)).collect();
    // The standard library runs its own kind of test.
    let is_pytests = |text: &str| {
        let plain = |line: &str| line.starts_with("def test_") || line.starts_with("async def test_");
        text.contains("import pytest") || text.lines().any(plain)
    };
    if !tests.iter().any(|file| is_pytests(&file.text)) {
        return Vec::new();
    }
    let mut found = vec!["pytest"];
    let mut add = |name: &'static str| {
        if !found.contains(&name) {
            found.push(name);
        }
    };
    for file in tests {
        for (word, name) in IN_TESTS {
            if file.text.contains(word) {
                add(name);
            }
        }
    }
    let settings = tree.settings.pytest.file.as_deref().and_then(|path| tree.config(path));
    for (word, name) in IN_SETTINGS {
        if settings.is_some_and(|config| config.text.contains(word)) {
            add(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use loopmend_model::{ConfigFile, SourceFile};

    use super::*;

    #[test]
    fn plugins_are_known_by_what_only_they_give_a_meaning() {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.into() };
        let mut tree = Tree::default();
        tree.files.push(file("app.py", "import pytest_asyncio"));
        assert_eq!(suite_needs(&tree), Vec::<&str>::new());
        tree.files.push(file(
            "test_old.py",
            "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): ...\n",
        ));
        assert_eq!(suite_needs(&tree), Vec::<&str>::new());
        tree.files.push(file(
            "tests/test_app.py",
            "@pytest.mark.anyio\nasync def test_it(mocker): ...\ndef test_b(mocker): ...",
        ));
        tree.configs.push(ConfigFile {
            path: "pytest.ini".to_owned(),
            text: "[pytest]\naddopts = --cov=app\n".into(),
        });
        assert_eq!(suite_needs(&tree), ["pytest", "anyio", "pytest-mock"]);
        tree.settings.pytest.file = Some("pytest.ini".to_owned());
        assert_eq!(suite_needs(&tree), ["pytest", "anyio", "pytest-mock", "pytest-cov"]);
    }
}
