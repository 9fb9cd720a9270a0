//! Environments made from projects' files, with the real uv and the real package index.
//!
//! Where there is no index or no sandbox the tests are skipped with a word; `LOOPMEND_REQUIRE_ALL` makes that a failure.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests, which tell what they skip")]

use std::cell::RefCell;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use loopmend_verify::{Builds, Command, Environment, MakeError, Maker, Place, Sandbox};

/// The sandbox, where there is also an index.
fn sandbox() -> Option<Sandbox> {
    let reached = || {
        let mut addresses = ("pypi.org", 443).to_socket_addrs().ok()?;
        addresses.find_map(|address| TcpStream::connect_timeout(&address, Duration::from_secs(10)).ok())
    };
    let found = Sandbox::new().map_err(|error| error.to_string());
    let found =
        found.and_then(|sandbox| reached().map(|_| sandbox).ok_or("pypi.org is out of reach".to_owned()));
    match found {
        Ok(mut sandbox) => {
            sandbox.program = Some(env!("CARGO_BIN_EXE_loopmend-inside").into());
            Some(sandbox)
        }
        Err(lack) => {
            assert!(std::env::var_os("LOOPMEND_REQUIRE_ALL").is_none(), "{lack}");
            eprintln!("skipped: {lack}");
            None
        }
    }
}

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = tree.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    tree
}

/// Makes an environment in a cache that all tests share; gives what was said too.
fn make(sandbox: &Sandbox, tree: &Path, builds: Builds) -> (Result<Environment, MakeError>, Vec<String>) {
    let said = RefCell::new(Vec::new());
    let say = |text: &str| said.borrow_mut().push(text.to_owned());
    let mut maker = Maker::new(Some(sandbox.clone()), &say).unwrap();
    maker.cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    maker.builds = builds;
    let made = maker.make(tree);
    drop(maker);
    (made, said.into_inner())
}

fn run(sandbox: &Sandbox, environment: &Environment, tree: &Path, argv: &[&str]) -> String {
    let mut sandbox = sandbox.clone();
    sandbox.environment = Some(environment.clone());
    let workspace = sandbox.prepare(tree, None).unwrap();
    String::from_utf8_lossy(&workspace.run(&Command::new(argv.iter().copied())).unwrap().output).into_owned()
}

#[test]
fn it_is_made_from_a_list_and_kept() {
    let Some(sandbox) = sandbox() else { return };
    let tree = tree(&[("requirements.txt", "iniconfig==2.0.0\n"), ("app.py", "")]);
    let (made, _) = make(&sandbox, tree.path(), Builds::Allowed);
    let environment = made.unwrap();
    assert_eq!(environment.origin, "made from requirements.txt");
    let script = "import iniconfig, importlib.metadata as m, sys; print(m.version('iniconfig'), sys.prefix != sys.base_prefix)";
    assert_eq!(run(&sandbox, &environment, tree.path(), &["python", "-c", script]), "2.0.0 True\n");

    let started = Instant::now();
    let (again, said) = make(&sandbox, tree.path(), Builds::Allowed);
    assert_eq!((again.unwrap().python, said), (environment.python.clone(), Vec::new()));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());

    std::fs::write(tree.path().join("requirements.txt"), "iniconfig==2.0.0\n# changed\n").unwrap();
    let (other, _) = make(&sandbox, tree.path(), Builds::Allowed);
    assert_ne!(other.unwrap().python, environment.python);
}

#[test]
fn a_package_that_is_not_to_be_had_is_named() {
    let Some(sandbox) = sandbox() else { return };
    let tree = tree(&[("requirements.txt", "iniconfig==99.9\n"), (".python-version", "3")]);
    let (made, _) = make(&sandbox, tree.path(), Builds::Allowed);
    let Err(MakeError::Step { package, said, .. }) = made else { panic!("{made:?}") };
    assert!(package.as_deref().is_some_and(|name| name.starts_with("iniconfig")), "{package:?}: {said}");
}

#[test]
fn a_project_is_installed_by_a_link_to_its_copy() {
    let Some(sandbox) = sandbox() else { return };
    let project = "[project]\nname='shop'\nversion='1.2'\nrequires-python='>=3.8'\ndependencies=['iniconfig']\n\
        [build-system]\nrequires=['hatchling']\nbuild-backend='hatchling.build'\n\
        [tool.hatch.build.targets.wheel]\npackages=['src/shop']\n";
    let tree = tree(&[("pyproject.toml", project), ("src/shop/__init__.py", "WHERE = 'tree'\n")]);
    let script = "import shop, iniconfig, importlib.metadata as m; print(shop.WHERE, m.version('shop'))";
    let (made, said) = make(&sandbox, tree.path(), Builds::Allowed);
    let environment = made.unwrap_or_else(|error| panic!("{error} {said:?}"));
    assert_eq!(run(&sandbox, &environment, tree.path(), &["python", "-c", script]), "tree 1.2\n");

    // Without builds the project is found where it is.
    let (made, _) = make(&sandbox, tree.path(), Builds::Never);
    let script = "import shop, iniconfig; print(shop.WHERE)";
    assert_eq!(run(&sandbox, &made.unwrap(), tree.path(), &["python", "-c", script]), "tree\n");
}

#[test]
fn a_lock_of_uv_is_followed() {
    let Some(sandbox) = sandbox() else { return };
    let project = "[project]\nname='app'\nversion='0'\nrequires-python='>=3.8'\ndependencies=['iniconfig==2.0.0']\n[dependency-groups]\ndev=['pluggy']\n";
    let lock = include_str!("locks/uv.lock");
    let tree = tree(&[("pyproject.toml", project), ("uv.lock", lock)]);
    let (made, said) = make(&sandbox, tree.path(), Builds::Allowed);
    let environment = made.unwrap_or_else(|error| panic!("{error} {said:?}"));
    let found = environment.distributions();
    assert_eq!(found.get("iniconfig").map(String::as_str), Some("2.0.0"));
    assert!(found.contains_key("pluggy"));
}

#[test]
fn locks_of_other_tools_are_exported_by_them() {
    let Some(sandbox) = sandbox() else { return };
    let poetry = [
        ("pyproject.toml", include_str!("locks/poetry.toml")),
        ("poetry.lock", include_str!("locks/poetry.lock")),
        ("shop/__init__.py", ""),
    ];
    let pdm =
        [("pyproject.toml", include_str!("locks/pdm.toml")), ("pdm.lock", include_str!("locks/pdm.lock"))];
    let pipenv =
        [("Pipfile", include_str!("locks/Pipfile")), ("Pipfile.lock", include_str!("locks/Pipfile.lock"))];
    for files in [poetry.as_slice(), &pdm, &pipenv] {
        let tree = tree(files);
        let (made, said) = make(&sandbox, tree.path(), Builds::Allowed);
        let environment = made.unwrap_or_else(|error| panic!("{error} {said:?}"));
        let found = environment.distributions();
        let version = |name: &str| found.get(name).map(String::as_str);
        assert_eq!(version("iniconfig"), Some("2.0.0"), "{}", environment.origin);
        assert_eq!(version("typing-extensions"), Some("4.12.2"), "{}", environment.origin);
    }
}

#[test]
fn what_is_lacking_comes_in_a_layer_that_keeps_versions() {
    let Some(sandbox) = sandbox() else { return };
    let tree = tree(&[("requirements.txt", "iniconfig==2.0.0\npluggy==1.5.0\n")]);
    let (made, _) = make(&sandbox, tree.path(), Builds::Allowed);
    let environment = made.unwrap();
    let mut maker = Maker::new(Some(sandbox.clone()), &|_| {}).unwrap();
    maker.cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let layered = maker.with(&environment, &["pytest", "iniconfig"]).unwrap();
    assert_ne!(layered.python, environment.python);
    assert_eq!(layered.distributions().get("pluggy").map(String::as_str), Some("1.5.0"));
    std::fs::write(tree.path().join("test_it.py"), "def test_it():\n    import iniconfig, pluggy\n").unwrap();
    let said = run(&sandbox, &layered, tree.path(), &["python", "-m", "pytest", "-q"]);
    assert!(said.contains("1 passed"), "{said}");
    assert_eq!(maker.with(&layered, &["pytest"]).unwrap().python, layered.python);
}

#[test]
fn building_sees_no_home_no_secret_and_not_this_host() {
    let Some(sandbox) = sandbox() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let setup = format!(
        "import os, socket, urllib.request\n\
        seen = [name for name in os.environ if name.startswith('CARGO_') or 'SECRET' in name]\n\
        for address in (('127.0.0.1', {port}), ('169.254.169.254', 80)):\n\
        \x20   try: socket.create_connection(address, 3); seen.append(address)\n\
        \x20   except OSError: pass\n\
        for url in ('http://127.0.0.1:{port}/', 'http://localhost:{port}/', 'http://169.254.169.254/'):\n\
        \x20   try: urllib.request.urlopen(url, timeout=5); seen.append(url)\n\
        \x20   except OSError: pass\n\
        if os.path.exists({home:?}): seen += os.listdir({home:?})\n\
        if seen: raise SystemExit('seen: %r' % seen)\n\
        from setuptools import setup\nsetup(name='nosy', version='1', py_modules=['nosy'])\n",
        home = format!("{}/.ssh", std::env::var("HOME").unwrap()),
    );
    let tree = tree(&[("setup.py", &setup), ("nosy.py", "")]);
    let (made, said) = make(&sandbox, tree.path(), Builds::Allowed);
    made.unwrap_or_else(|error| panic!("{error} {said:?}"));
    assert!(listener.accept().is_err());
}
