//! What is known of a project beside its source, and from where.
#![allow(clippy::unwrap_used)]

use std::fs;

use loopmend_model::{Settings, VersionSource};
use loopmend_project::{ReadOptions, read_tree};
use tempfile::{TempDir, tempdir};

fn tree_of(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (path, text) in files {
        let full = folder.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }
    folder
}

fn settings(folder: &TempDir, options: &ReadOptions) -> Settings {
    read_tree(folder.path(), options).unwrap().settings
}

fn versions(settings: &Settings) -> Vec<String> {
    let word = |source| match source {
        VersionSource::Installed => "installed",
        VersionSource::Locked => "locked",
        VersionSource::Pinned => "pinned",
    };
    let all = settings.versions.iter();
    all.map(|(name, (version, source))| format!("{name} {version} {}", word(*source))).collect()
}

#[test]
fn installed_beats_locked_beats_pinned() {
    let folder = tree_of(&[
        (
            "requirements.txt",
            "-r requirements/base.txt\nhttpx==0.26.0 \\\n    --hash=sha256:0\npytest==8.0.0 # why\nredis>=5\n",
        ),
        ("requirements/base.txt", "-r ../requirements.txt\nbase==1.0\n"),
        (
            "uv.lock",
            "[[package]]\nname = \"httpx\"\nversion = \"0.27.0\"\n\n[[package]]\nname = \"anyio\"\nversion = \"4.4.0\"\n",
        ),
        (".venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.12.4\n"),
        (".venv/lib/python3.12/site-packages/anyio-4.5.0.dist-info/METADATA", ""),
        (".venv/lib/python3.12/site-packages/pytest_asyncio-0.24.0.dist-info/METADATA", ""),
        (".venv/lib/python3.12/site-packages/old-1.0-py3.12.egg-info", ""),
        (".venv/lib/python3.12/site-packages/~nyio-4.4.0.dist-info/METADATA", ""),
    ]);
    let found = settings(&folder, &ReadOptions::default());
    assert_eq!(
        versions(&found),
        [
            "anyio 4.5.0 installed",
            "base 1.0 pinned",
            "httpx 0.27.0 locked",
            "old 1.0 installed",
            "pytest 8.0.0 pinned",
            "pytest-asyncio 0.24.0 installed",
        ]
    );
    assert_eq!(found.python.interpreter, Some((3, 12)));
    assert_eq!(found.python.min, Some((3, 12)));
    assert_eq!(found.python.max, None);
}

#[test]
fn the_given_environment_counts() {
    let folder = tree_of(&[
        ("pyproject.toml", "[project]\nrequires-python = '>=3.9,<3.13'\ndependencies = ['httpx==0.27.0']\n"),
        (".venv/pyvenv.cfg", "version = 3.12.4\n"),
    ]);
    let other = tree_of(&[
        ("pyvenv.cfg", "version_info = 3.11.2.final.0\n"),
        ("Lib/site-packages/httpx-0.28.1.dist-info/METADATA", ""),
    ]);
    let environment = Some(other.path().to_owned());
    let found = settings(&folder, &ReadOptions { environment, ..ReadOptions::default() });
    assert_eq!(versions(&found), ["httpx 0.28.1 installed"]);
    assert_eq!(found.python.min, Some((3, 9)));
    assert_eq!(found.python.max, Some((3, 12)));
    assert_eq!(found.python.interpreter, Some((3, 11)));
}

#[test]
fn pins_of_every_kind_of_project() {
    let folder = tree_of(&[
        (
            "pyproject.toml",
            "[project]\ndependencies = ['a==1', 'b>=1']\n[project.optional-dependencies]\ndev = ['c==1.1']\n\
             [dependency-groups]\ntest = ['d==2', {include-group = 'x'}]\n[tool.poetry.dependencies]\npython = '3.11'\n\
             e = '3.0'\nf = '^3'\ng = {version = '==4.1'}\n[tool.poetry.group.dev.dependencies]\nh = '5.1'\n\
             [tool.pdm.dev-dependencies]\nx = ['i==6']\n[tool.uv]\ndev-dependencies = ['j==7']\n",
        ),
        (
            "setup.cfg",
            "[options]\ninstall_requires =\n    k==8\n    l>1\n[options.extras_require]\nx = m==9\n",
        ),
        (".python-version", "3.12\n"),
    ]);
    let found = settings(&folder, &ReadOptions::default());
    let pinned: Vec<String> = versions(&found).iter().map(|line| line.replace(" pinned", "")).collect();
    assert_eq!(pinned, ["a 1", "c 1.1", "d 2", "e 3.0", "g 4.1", "h 5.1", "i 6", "j 7", "k 8", "m 9"]);
    assert_eq!(found.python.min, Some((3, 11)));
    assert_eq!(found.python.interpreter, Some((3, 12)));
}

#[test]
fn nothing_is_guessed() {
    let found = settings(&tree_of(&[("app.py", "")]), &ReadOptions::default());
    assert!(found.versions.is_empty());
    assert_eq!(found.python.min, None);
    assert_eq!(found.pytest.file, None);
}

#[test]
fn own_settings_exclude_and_complain() {
    let folder = tree_of(&[
        ("pyproject.toml", "[tool.loopmend]\nexclude = ['gen/', '*_pb2.py']\nignore = ['dropped-task']\n"),
        ("a.py", ""),
        ("gen/b.py", ""),
        ("c_pb2.py", ""),
        ("d.py", ""),
    ]);
    let options = ReadOptions { exclude: vec!["/d.py".to_owned()], ..ReadOptions::default() };
    let tree = read_tree(folder.path(), &options).unwrap();
    assert_eq!(tree.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a.py"]);
    assert_eq!(tree.settings.ignore, ["dropped-task"]);

    fs::write(folder.path().join("pyproject.toml"), "[tool.loopmend]\n\nverbose = 1\n").unwrap();
    assert_eq!(
        read_tree(folder.path(), &options).unwrap_err().to_string(),
        "read the settings: pyproject.toml:3: unknown key `verbose` in [tool.loopmend]; \
         known are `ignore`, `exclude`, `run`, `services`, `resources`"
    );
}

#[test]
fn broken_configuration_is_noted() {
    let folder = tree_of(&[("pyproject.toml", "[project]\nname =\n"), ("a.py", "")]);
    let tree = read_tree(folder.path(), &ReadOptions::default()).unwrap();
    assert_eq!(tree.files.len(), 1);
    assert_eq!(tree.notes[0].path.as_deref(), Some("pyproject.toml"));
    assert!(tree.notes[0].message.starts_with("not understood, line 2: "), "{}", tree.notes[0].message);
}
