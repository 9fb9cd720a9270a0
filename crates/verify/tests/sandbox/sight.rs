//! What a program sees.

use loopmend_verify::{Exit, Place};

use crate::{python, said, sandbox, shell, text, workspace};

#[test]
fn the_copy_is_where_the_tree_is_and_can_be_written() {
    let Some(sandbox) = sandbox() else { return };
    let (tree, workspace) = workspace(&sandbox);
    let ran = workspace.run(&shell("pwd; cat app.py; echo 'changed' > app.py; cat app.py")).unwrap();
    let root = tree.path().canonicalize().unwrap();
    assert_eq!(text(&ran.output), format!("{}\nprint('app')\nchanged\n", root.display()));
    assert_eq!(workspace.root(), root);
    assert_eq!(std::fs::read_to_string(tree.path().join("app.py")).unwrap(), "print('app')\n");
    assert_eq!(workspace.read("app.py", 100).unwrap(), b"changed\n");
}

#[test]
fn what_is_lent_is_read_and_what_is_left_comes_back() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let lent = workspace
        .lend("harness.py", b"import sys; open(sys.argv[1], 'w').write('left'); open(__file__, 'w')")
        .unwrap();
    let left = workspace.leave("report");
    let ran = workspace
        .run(&crate::command(["/usr/bin/python3", lent.to_str().unwrap(), left.to_str().unwrap()]))
        .unwrap();
    assert_eq!(ran.exit, Exit::Code(1));
    assert!(text(&ran.stderr).contains("Read-only file system"), "{}", text(&ran.stderr));
    assert_eq!(workspace.left("report", 100).unwrap(), b"left");
    assert!(workspace.left("../copy/app.py", 100).is_err());
}

#[test]
fn a_link_left_for_us_is_not_followed() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let left = workspace.leave("report").display().to_string();
    workspace
        .run(&shell(&format!(
            "ln -s /etc/passwd {left}; mkfifo {left}2; rm app.py; ln -s /etc/hostname app.py"
        )))
        .unwrap();
    assert!(workspace.left("report", 100).is_err());
    assert!(workspace.left("report2", 100).is_err());
    assert!(workspace.read("app.py", 100).is_err());
    workspace.write("app.py", b"ours").unwrap();
    assert_eq!(workspace.read("app.py", 100).unwrap(), b"ours");
}

#[test]
fn it_is_an_ordinary_user_with_a_name_and_an_empty_home() {
    let script = "import os, pwd, pathlib\n\
        print(os.getuid() != 0, pwd.getpwuid(os.getuid()).pw_name, pathlib.Path.home(), os.listdir(pathlib.Path.home()))\n\
        print([line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')])";
    let Some(said) = said(&python(script)) else { return };
    let as_root = "True loopmend /home/loopmend []\n['0000000000000000']\n";
    assert_eq!(said, as_root);
}

#[test]
fn memory_that_is_shared_loopback_and_the_private_tmp_work() {
    let script = "import multiprocessing, socket, tempfile\n\
        pool = multiprocessing.get_context('fork').Pool(2)\n\
        print(pool.map(abs, [-1, -2]))\n\
        pool.close(); pool.join()\n\
        server = socket.create_server(('localhost', 0)); client = socket.create_connection(server.getsockname())\n\
        print(tempfile.NamedTemporaryFile().name.startswith('/tmp/'))";
    let Some(said) = said(&python(script)) else { return };
    assert_eq!(said, "[1, 2]\nTrue\n");
}

#[test]
fn git_is_there_without_anything_of_the_users() {
    let Some(sandbox) = sandbox() else { return };
    let tree = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(tree.path()).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        assert!(command.status().unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["config", "remote.origin.url", "https://token@example.org/secret"]);
    git(&["config", "filter.evil.smudge", "touch /tmp/smudged"]);
    std::fs::write(tree.path().join(".gitattributes"), "* filter=evil\n").unwrap();
    let hook = tree.path().join(".git/hooks/post-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\ntouch hooked\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let workspace = sandbox.prepare(tree.path(), None).unwrap();
    let ran = workspace.run(&shell(
        "git log --format=%s; git status --short; git config --get-regexp 'remote|filter'; ls .git/hooks; ls",
    ));
    assert_eq!(
        text(&ran.unwrap().output),
        "copy\nls: cannot access '.git/hooks': No such file or directory\n"
    );
}
