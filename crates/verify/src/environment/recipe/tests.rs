//! What is read from the files of projects.

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    tree
}

fn recipe(files: &[(&str, &str)]) -> Recipe {
    Recipe::read(tree(files).path())
}

#[test]
fn a_lock_comes_before_all_else() {
    let project = ("pyproject.toml", "[project]\nname='a'\nversion='1'\ndependencies=['x']\n");
    let list = ("requirements.txt", "x\n");
    assert_eq!(recipe(&[project, list, ("uv.lock", "")]).kind, Kind::Uv);
    assert_eq!(recipe(&[project, list, ("poetry.lock", "")]).kind, Kind::Exported(Exporter::Poetry));
    assert_eq!(recipe(&[project, list, ("pdm.lock", "")]).kind, Kind::Exported(Exporter::Pdm));
    assert_eq!(recipe(&[list, ("Pipfile.lock", "")]).kind, Kind::Exported(Exporter::Pipenv));
    assert_eq!(recipe(&[project, list]).kind, Kind::Declared);
}

#[test]
fn lists_for_the_program_and_its_suite_are_taken() {
    let files = [
        ("requirements.txt", "-r requirements/base.txt\nx\n"),
        ("requirements-dev.txt", "-r requirements.txt\npytest\n"),
        ("requirements/base.txt", "-c constraints.txt\ny"),
        ("requirements/constraints.txt", "y==1"),
        ("requirements/docs.txt", "sphinx"),
        ("test-requirements.txt", "pytest"),
        ("robots.txt", ""),
    ];
    let recipe = recipe(&files);
    let lists =
        ["requirements-dev.txt", "requirements.txt", "requirements/base.txt", "test-requirements.txt"];
    assert_eq!(recipe.kind, Kind::Requirements(lists.map(str::to_owned).to_vec()));
    assert!(recipe.files.contains(&"requirements/constraints.txt".to_owned()));
    assert!(!recipe.files.contains(&"requirements/docs.txt".to_owned()));
}

#[test]
fn a_project_that_names_nothing_has_its_list() {
    let only_settings = ("pyproject.toml", "[project]\nname='a'\nversion='1'\n[tool.pytest.ini_options]\n");
    assert_eq!(
        recipe(&[only_settings, ("requirements.txt", "x")]).kind,
        Kind::Requirements(vec!["requirements.txt".to_owned()])
    );
    assert_eq!(recipe(&[("setup.py", "")]).kind, Kind::Built);
    assert_eq!(recipe(&[("pyproject.toml", "[tool.black]\n"), ("app.py", "")]).kind, Kind::Bare);
}

#[test]
fn extras_groups_and_the_range_are_read() {
    let project = "[project]\nname='a'\nversion='1'\nrequires-python='>=3.10'\n[project.optional-dependencies]\nredis=['redis']\ndocs=['sphinx']\n[dependency-groups]\ndev=['pytest']\nlint=['ruff']\n";
    let read = recipe(&[("pyproject.toml", project)]);
    assert_eq!((read.extras, read.groups), (vec!["redis".to_owned()], vec!["dev".to_owned()]));
    assert_eq!(read.asked.range.as_deref(), Some(">=3.10"));
    let cfg = "[options]\npython_requires = >=3.8\n[options.extras_require]\ntest =\n    pytest\ndocs = sphinx\n[flake8]\nmax = 1\n";
    let read = recipe(&[("setup.cfg", cfg), (".python-version", "3.11\n")]);
    assert_eq!((read.extras, read.kind), (vec!["test".to_owned()], Kind::Built));
    assert_eq!((read.asked.range.as_deref(), read.asked.pinned.as_deref()), (Some(">=3.8"), Some("3.11")));
    let poetry =
        "[tool.poetry]\nname='a'\n[tool.poetry.dependencies]\npython='^3.9'\n[build-system]\nrequires=[]\n";
    let read = recipe(&[("pyproject.toml", poetry)]);
    assert_eq!((read.kind, read.asked.range.as_deref(), read.installable), (Kind::Built, Some("^3.9"), true));
}
