use super::super::{apply, requirements};

fn raised(path: &str, text: &str, name: &str, lowest: &str) -> Result<String, String> {
    let mut edits = Vec::new();
    for requirement in requirements(path, text, name) {
        edits.extend(requirement.raised(lowest).map_err(|refused| refused.to_string())?);
    }
    Ok(apply(text, &edits).expect("edits fit"))
}

fn line(text: &str, lowest: &str) -> Result<String, String> {
    raised("requirements-dev.txt", text, "pytest-asyncio", lowest)
}

#[test]
fn lines_of_requirements() {
    let text = "# tests\npytest==8.2.0\nPytest_AsyncIO[testing] == 0.21.1 ; python_version >= '3.9'  # pinned\n-r base.txt\n";
    assert_eq!(line(text, "0.21.2"), Ok(text.replace("0.21.1", "0.21.2")));
    assert_eq!(line("pytest-asyncio\n", "0.21.2"), Ok("pytest-asyncio>=0.21.2\n".to_owned()));
    assert_eq!(
        line("pytest-asyncio>=0.20,<0.22\n", "0.21.2"),
        Ok("pytest-asyncio>=0.21.2,<0.22\n".to_owned())
    );
    assert_eq!(line("pytest-asyncio<1\n", "0.21.2"), Ok("pytest-asyncio>=0.21.2,<1\n".to_owned()));
    assert_eq!(line("pytest-asyncio~=0.21.1\n", "0.21.2"), Ok("pytest-asyncio~=0.21.2\n".to_owned()));
    for enough in
        ["pytest-asyncio>=0.22\n", "pytest-asyncio == 0.21.2\n", "pytest-asyncio-cooperative==0.21\n"]
    {
        assert_eq!(line(enough, "0.21.2"), Ok(enough.to_owned()));
    }
    for tight in ["pytest-asyncio<0.21.2\n", "pytest-asyncio~=0.20.1\n", "pytest-asyncio==0.21.*\n"] {
        assert!(line(tight, "0.21.2").is_err(), "{tight}");
    }
    let elsewhere = "pytest-asyncio @ https://example.org/a-1.0.zip\n";
    assert_eq!(line(elsewhere, "0.21.2"), Ok(elsewhere.to_owned()));
    let hashed = "pytest-asyncio==0.21.1 \\\n    --hash=sha256:00\n";
    assert_eq!(line(hashed, "0.21.2"), Ok(hashed.to_owned()));
}

#[test]
fn arrays_of_pyproject() {
    let text = "[project]\nname = \"x\"\ndependencies = [\n    \"httpx>=0.24\",  # why\n    'redis[hiredis] >= 4.2, < 6',\n]\n\n\
                [dependency-groups]\ndev = [\"redis==4.5.0\", { include-group = \"a\" }]\n";
    let after = raised("pyproject.toml", text, "redis", "4.5.5").expect("there is room");
    assert_eq!(after, text.replace(">= 4.2, < 6", ">= 4.5.5, < 6").replace("==4.5.0", "==4.5.5"));
}

#[test]
fn tables_of_poetry() {
    let text = "[tool.poetry.dependencies]\npython = \"^3.11\"\nredis = {version = \"^4.2\", extras = [\"hiredis\"]}\n\
                httpx = \"*\"\n\n[tool.poetry.group.dev.dependencies]\npytest-asyncio = \"0.21.1\"\n";
    let path = "pyproject.toml";
    assert_eq!(raised(path, text, "redis", "4.5.5"), Ok(text.replace("^4.2", "^4.5.5")));
    assert_eq!(raised(path, text, "httpx", "0.27.1"), Ok(text.replace("\"*\"", "\">=0.27.1\"")));
    assert_eq!(raised(path, text, "pytest-asyncio", "0.21.2"), Ok(text.replace("0.21.1", "0.21.2")));
    assert!(raised(path, text, "redis", "5.0.1").is_err());
}

#[test]
fn options_of_setup_cfg() {
    let text = "[metadata]\nname = x\n\n[options]\ninstall_requires =\n    redis>=4.2\n    httpx\npython_requires = >=3.9\n\n\
                [options.extras_require]\ntests =\n    redis==4.2.0\n\n[flake8]\nignore =\n    redis\n";
    let after = raised("setup.cfg", text, "redis", "4.5.5").expect("there is room");
    assert_eq!(after, text.replace(">=4.2\n", ">=4.5.5\n").replace("==4.2.0", "==4.5.5"));
}
