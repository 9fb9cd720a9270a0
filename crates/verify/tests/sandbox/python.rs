//! The Python that runs inside.

use std::os::unix::fs::symlink;

use loopmend_verify::{Environment, Place, Unconfined, own};

use crate::{command, sandbox, text};

/// A project that is installed by a link to it in an environment of its own, which lies in its tree.
fn project() -> tempfile::TempDir {
    let tree = tempfile::tempdir_in("/var/tmp").unwrap();
    let root = tree.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("src/shop")).unwrap();
    std::fs::write(root.join("src/shop/__init__.py"), "WHERE = 'tree'\n").unwrap();
    let venv = root.join(".venv");
    let made = std::process::Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status();
    assert!(made.unwrap().success());
    let library = std::fs::read_dir(venv.join("lib")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(library.join("site-packages/shop.pth"), format!("{}/src\n", root.display())).unwrap();
    tree
}

const SAY: &str = "import shop, sys; print(shop.WHERE, sys.prefix != sys.base_prefix, sys.prefix)";

#[test]
fn an_environment_in_the_tree_runs_the_copy() {
    let Some(mut sandbox) = sandbox() else { return };
    let tree = project();
    let root = tree.path().canonicalize().unwrap();
    sandbox.environment = own(&root, None, None).unwrap();
    let workspace = sandbox.prepare(&root, None).unwrap();
    workspace.write("src/shop/__init__.py", b"WHERE = 'copy'\n").unwrap();
    for python in ["python", ".venv/bin/python"] {
        let ran = workspace.run(&command([python, "-c", SAY])).unwrap();
        assert_eq!(text(&ran.output), format!("copy True {}/.venv\n", root.display()));
    }
    let ran = workspace.run(&command(["sh", "-c", "echo $VIRTUAL_ENV; touch .venv/x"])).unwrap();
    assert_eq!(text(&ran.stdout), format!("{}/.venv\n", root.display()));
    assert!(!root.join(".venv/x").exists());
    assert_ne!(ran.exit, loopmend_verify::Exit::Code(0));

    let unconfined = Unconfined { environment: sandbox.environment.clone(), ..Unconfined::default() };
    let workspace = unconfined.prepare(&root, None).unwrap();
    workspace.write("src/shop/__init__.py", b"WHERE = 'copy'\n").unwrap();
    let ran = workspace.run(&command(["python", "-c", SAY])).unwrap();
    assert_eq!(text(&ran.output), format!("copy True {}/.venv\n", root.display()));
}

#[test]
fn an_interpreter_behind_links_in_a_home_is_seen_without_the_home() {
    let Some(mut sandbox) = sandbox() else { return };
    let home = tempfile::tempdir_in("/var/tmp").unwrap();
    let home = home.path().canonicalize().unwrap();
    std::fs::create_dir_all(home.join("bin")).unwrap();
    std::fs::write(home.join("secret"), "planted").unwrap();
    symlink("/usr/bin/python3", home.join("bin/python3.99")).unwrap();
    let made = std::process::Command::new(home.join("bin/python3.99"))
        .args(["-m", "venv", "--without-pip"])
        .arg(home.join("venv"))
        .status();
    assert!(made.unwrap().success());
    sandbox.environment = Some(Environment::of(&home.join("venv/bin/python"), "named").unwrap());
    let (_tree, workspace) = crate::workspace(&sandbox);
    let ran = workspace.run(&command(["python", "-c", "import sys, json; print(sys.prefix)"])).unwrap();
    assert_eq!(text(&ran.output), format!("{}/venv\n", home.display()));
    let ran = workspace.run(&command(["ls", home.to_str().unwrap()])).unwrap();
    assert!(!text(&ran.output).contains("secret"), "{}", text(&ran.output));
}
