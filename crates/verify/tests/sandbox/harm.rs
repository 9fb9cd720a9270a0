//! Programs that mean harm.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use loopmend_verify::{Exit, Place};

use crate::{command, lives, python, said, sandbox, shell, text, workspace};

#[test]
fn the_users_keys_are_not_to_be_read() {
    let Some(sandbox) = sandbox() else { return };
    // A home with a tree in it, as most have.
    let home = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::create_dir_all(home.path().join(".ssh")).unwrap();
    std::fs::write(home.path().join(".ssh/id_ed25519"), "planted-key").unwrap();
    let tree = home.path().join("project");
    std::fs::create_dir(&tree).unwrap();
    symlink("../.ssh", tree.join("keys")).unwrap();
    symlink(home.path().join(".ssh/id_ed25519"), tree.join("key")).unwrap();
    let workspace = sandbox.prepare(&tree, None).unwrap();
    assert_eq!(workspace.left_out().len(), 2);
    let ran = workspace
        .run(&shell("cat ../.ssh/* key keys/*; ls -A .. ~ /root; grep -rs planted-key /home /root /tmp /var /run /opt; true"))
        .unwrap();
    assert!(!text(&ran.output).contains("planted-key"), "{}", text(&ran.output));
    assert!(text(&ran.stdout).contains("project"));
    assert!(!text(&ran.stdout).contains(".ssh"), "{}", text(&ran.stdout));
}

#[test]
fn links_made_inside_lead_nowhere() {
    let Some(sandbox) = sandbox() else { return };
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    let (_tree, workspace) = workspace(&sandbox);
    let script = format!(
        "ln -s {0} out; ln -s / root; touch out/escaped root/{0}/escaped ../escaped /escaped /usr/escaped; true",
        outside.path().display()
    );
    workspace.run(&shell(&script)).unwrap();
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(!std::path::Path::new("/usr/escaped").exists());
    assert!(!std::path::Path::new("/escaped").exists());
}

#[test]
fn hooks_and_filters_planted_inside_stay_there() {
    let Some(sandbox) = sandbox() else { return };
    let tree = tempfile::tempdir().unwrap();
    let git =
        std::process::Command::new("git").args(["init", "-q"]).current_dir(tree.path()).status().unwrap();
    assert!(git.success());
    let before = std::fs::read(tree.path().join(".git/config")).unwrap();
    let workspace = sandbox.prepare(tree.path(), None).unwrap();
    let script = "mkdir -p .git/hooks; printf '#!/bin/sh\\ntouch /tmp/pwned\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/*\n\
        git config core.fsmonitor 'touch /tmp/pwned'; git config filter.x.clean 'touch /tmp/pwned'; echo '* filter=x' > .gitattributes";
    assert_eq!(workspace.run(&shell(script)).unwrap().exit, Exit::Code(0));
    drop(workspace);
    assert_eq!(std::fs::read(tree.path().join(".git/config")).unwrap(), before);
    assert!(!tree.path().join(".gitattributes").exists());
    assert!(!tree.path().join(".git/hooks/post-checkout").exists());
}

#[test]
fn the_environment_has_no_secrets() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let mut env = shell("env; cat /proc/*/environ | tr '\\0' '\\n'");
    env.env.push(("GIVEN".to_owned(), "yes".to_owned()));
    let ran = workspace.run(&env).unwrap();
    let said = text(&ran.stdout);
    assert!(said.contains("GIVEN=yes"));
    // Every test has these in its own environment.
    assert!(!said.contains("CARGO_"), "{said}");
    let allowed = [
        "LANG", "LANGUAGE", "TZ", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "GIVEN", "PWD",
        "OLDPWD", "SHLVL", "_",
    ];
    for line in said.lines().filter(|line| !line.is_empty()) {
        let name = line.split('=').next().unwrap();
        assert!(allowed.contains(&name) || name.starts_with("LC_"), "{line}");
    }
}

#[test]
fn the_hosts_loopback_and_network_are_out_of_reach() {
    let Some(sandbox) = sandbox() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (_tree, workspace) = workspace(&sandbox);
    let script = format!(
        "import socket\n\
         for address in [('127.0.0.1', {port}), ('169.254.169.254', 80), ('192.0.2.1', 80)]:\n\
         \x20   try: socket.create_connection(address, 3); print('reached')\n\
         \x20   except OSError as error: print(type(error).__name__)"
    );
    let ran = workspace.run(&python(&script)).unwrap();
    assert_eq!(text(&ran.output), "ConnectionRefusedError\nOSError\nOSError\n");
    assert!(listener.accept().is_err());
}

#[test]
fn sockets_of_the_host_are_out_of_reach() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let path = folder.path().join("s.PGSQL.5432");
    let _listener = UnixListener::bind(&path).unwrap();
    let (_tree, workspace) = workspace(&sandbox);
    let script = format!(
        "import socket, os\n\
         s = socket.socket(socket.AF_UNIX)\n\
         try: s.connect('{}'); print('reached')\n\
         except OSError as error: print(type(error).__name__, flush=True)\n\
         print(os.listdir('/run'), os.listdir('/var/run'))",
        path.display()
    );
    let ran = workspace.run(&python(&script)).unwrap();
    assert_eq!(text(&ran.output), "FileNotFoundError\n['loopmend'] ['loopmend']\n");
}

#[test]
fn our_own_process_and_others_are_not_seen() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let own = std::process::id();
    let script = format!(
        "import os, signal\nprint(sorted(p for p in os.listdir('/proc') if p.isdigit() and int(p) > 12), flush=True)\n\
        try: os.kill({own}, signal.SIGKILL)\nexcept OSError as error: print(type(error).__name__, flush=True)\n\
        for pid in (1, 2):\n    try: os.kill(pid, 9)\n    except OSError: pass\n\
        os.kill(-1, signal.SIGKILL)"
    );
    let ran = workspace.run(&python(&script)).unwrap();
    assert!(text(&ran.output).starts_with("[]\nProcessLookupError\n"), "{}", text(&ran.output));
}

#[test]
fn daemons_end_with_the_run() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let started = Instant::now();
    let ran = workspace
        .run(&shell("setsid sh -c 'trap \"\" TERM HUP INT; sleep 71.125' & sleep 0.2; echo done"))
        .unwrap();
    assert_eq!((ran.exit, text(&ran.output)), (Exit::Code(0), "done\n".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!lives("71.125"));
}

#[test]
fn one_that_ignores_sigterm_is_killed() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let mut stubborn = shell("trap '' TERM INT HUP; while :; do sleep 71.25; done");
    stubborn.limits.time = Duration::from_millis(500);
    stubborn.limits.grace = Duration::from_millis(200);
    let ran = workspace.run(&stubborn).unwrap();
    assert_eq!(ran.exit, Exit::TimedOut);
    assert!(ran.duration < Duration::from_secs(5), "{:?}", ran.duration);
    assert!(!lives("71.25"));
}

#[test]
fn namespaces_and_mounts_are_refused() {
    let Some(said) = said(&shell(
        "unshare -U true && echo made; mount -t tmpfs none /tmp && echo mounted; umount /proc && echo unmounted; true",
    )) else {
        return;
    };
    assert!(!said.contains("made") && !said.contains("mounted"), "{said}");
}

#[test]
fn a_terminal_is_not_to_be_typed_into() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let ran = workspace.run(&command(["sh", "-c", "cat; exec 3<>/dev/tty"])).unwrap();
    assert_ne!(ran.exit, Exit::Code(0));
    let mut none = String::new();
    ran.stdout.as_slice().read_to_string(&mut none).unwrap();
    assert_eq!(none, "");
}

#[test]
fn killed_we_take_everything_with_us() {
    let Some(_) = sandbox() else { return };
    let cache = tempfile::tempdir().unwrap();
    let tree = tempfile::tempdir().unwrap();
    let runs = cache.path().join("loopmend/runs");
    let inside =
        std::env::var_os("LOOPMEND_INSIDE").unwrap_or_else(|| env!("CARGO_BIN_EXE_loopmend-inside").into());
    let hold = || {
        let mut holding = std::process::Command::new(&inside);
        holding.arg("hold").arg(tree.path()).env("XDG_CACHE_HOME", cache.path()).spawn().unwrap()
    };
    let wait = |what: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        what()
    };
    let mut holding = hold();
    assert!(wait(&|| lives("83.375")));
    holding.kill().unwrap();
    holding.wait().unwrap();
    assert!(wait(&|| !lives("83.375")), "the program outlived us");
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 1);

    // The next one cleans up.
    let mut holding = hold();
    assert!(wait(&|| lives("83.375")));
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 1);
    holding.kill().unwrap();
    holding.wait().unwrap();
}
