//! What runs leave behind in this process; alone in its program, since it counts all threads and files.

use loopmend_verify::{Command, Place, Unconfined};

#[test]
fn no_threads_and_no_zombies_are_left() {
    let tree = tempfile::tempdir().unwrap();
    let workspace = Unconfined::default().prepare(tree.path(), None).unwrap();
    let shell = |script: &str| Command::new(["sh", "-c", script]);
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    workspace.run(&shell("true")).unwrap();
    let (threads, files) = (count("/proc/self/task"), count("/proc/self/fd"));
    for _ in 0..20 {
        workspace.run(&shell("sleep 30 & true")).unwrap();
    }
    assert!(count("/proc/self/task") <= threads);
    assert!(count("/proc/self/fd") <= files);
    let own = std::process::id().to_string();
    let zombies = std::process::Command::new("ps").args(["--ppid", &own, "-o", "stat="]).output().unwrap();
    assert!(!String::from_utf8_lossy(&zombies.stdout).lines().any(|line| line.starts_with('Z')));
}
