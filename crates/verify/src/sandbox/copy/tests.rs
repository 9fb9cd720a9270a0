//! What is copied of trees.

use std::os::unix::net::UnixListener;

use super::*;

/// What is in a folder, links with where they lead.
fn listing(folder: &Path) -> Vec<String> {
    let entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter().flatten();
    let shown = entries.map(|entry| {
        let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
        match fs::read_link(entry.path()) {
            Ok(target) => format!("{name} -> {}", target.display()),
            Err(_) => name,
        }
    });
    shown.collect()
}

#[test]
fn what_is_the_projects_own_is_copied_and_links_stay_inside() {
    let outside = tempfile::tempdir().unwrap();
    let (tree, into) = (outside.path().join("tree"), outside.path().join("into"));
    for folder in ["src/pkg/__pycache__", ".git/hooks", "env/bin", "node_modules/x", ".tox", ".ssh"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    fs::create_dir(&into).unwrap();
    fs::write(outside.path().join("secret"), "").unwrap();
    fs::write(tree.join("src/pkg/app.py"), "").unwrap();
    fs::write(tree.join("env/pyvenv.cfg"), "").unwrap();
    fs::write(tree.join("run.sh"), "").unwrap();
    fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o4555)).unwrap();
    let links = [
        ("src/inside", "pkg/app.py"),
        ("src/up", "../run.sh"),
        ("src/out", "../../secret"),
        ("absolute", "/etc/passwd"),
        ("dangling", "nowhere"),
        ("sly", "src/../../secret"),
    ];
    for (link, target) in links {
        symlink(target, tree.join(link)).unwrap();
    }
    let _socket = UnixListener::bind(tree.join("socket")).unwrap();
    let left_out = copy(&tree, &into, Cap::default(), None).unwrap();
    let expected = [
        "dangling -> nowhere",
        "run.sh",
        "src",
        "src/inside -> pkg/app.py",
        "src/pkg",
        "src/pkg/app.py",
        "src/up -> ../run.sh",
    ];
    assert_eq!(listing(&into), expected);
    assert_eq!(fs::metadata(into.join("run.sh")).unwrap().permissions().mode() & 0o7777, 0o755);
    let reasons: Vec<(&str, Reason)> =
        left_out.iter().map(|left| (left.path.to_str().unwrap(), left.reason)).collect();
    let expected = [
        (".git", Reason::NotOwn),
        (".ssh", Reason::Secret),
        (".tox", Reason::NotOwn),
        ("absolute", Reason::LeadsOut),
        ("env", Reason::NotOwn),
        ("node_modules", Reason::NotOwn),
        ("sly", Reason::LeadsOut),
        ("socket", Reason::Special),
        ("src/out", Reason::LeadsOut),
        ("src/pkg/__pycache__", Reason::NotOwn),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_tree_beyond_the_cap_is_refused_with_its_largest_part() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join("data")).unwrap();
    fs::write(tree.path().join("data/dump.bin"), vec![0; 3 << 20]).unwrap();
    fs::write(tree.path().join("app.py"), "").unwrap();
    let refused = |cap| {
        let into = tempfile::tempdir().unwrap();
        copy(tree.path(), into.path(), cap, None).unwrap_err().to_string()
    };
    let text = "copy the tree: it has more than 2 MiB; the largest part is `data`";
    assert_eq!(refused(Cap { bytes: 2 << 20, ..Cap::default() }), text);
    let text = "copy the tree: it has more than 2 files; the largest part is `data`";
    assert_eq!(refused(Cap { entries: 2, ..Cap::default() }), text);
}
