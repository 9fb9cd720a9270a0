//! What a program may take.

use std::time::Duration;

use loopmend_verify::Exit;

use crate::{python, sandbox, shell, text, workspace};

#[test]
fn a_fork_bomb_is_held() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let script = "import os, time\n\
        made = 0\n\
        try:\n\
        \x20   while made < 5000:\n\
        \x20       if os.fork() == 0: time.sleep(60); os._exit(0)\n\
        \x20       made += 1\n\
        except OSError as error: print(type(error).__name__, 20 <= made <= 64)";
    let mut bomb = python(script);
    bomb.limits.processes = 64;
    let ran = workspace.run(&bomb).unwrap();
    assert_eq!(text(&ran.output), "BlockingIOError True\n");
    let mut bomb = shell(":(){ :|:& };:; sleep 1");
    bomb.limits.processes = 64;
    bomb.limits.time = Duration::from_secs(3);
    bomb.limits.grace = Duration::from_millis(100);
    bomb.limits.output = 1 << 20;
    let ran = workspace.run(&bomb).unwrap();
    assert!(ran.duration < Duration::from_secs(10), "{:?}", ran.duration);
    // The next run is not hindered by it.
    assert_eq!(text(&workspace.run(&shell("echo fine")).unwrap().output), "fine\n");
}

#[test]
fn memory_is_held_in_one_process_and_in_many() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let mut hungry = python("b = bytearray(400 << 20); print('had it')");
    hungry.limits.memory = 200 << 20;
    let ran = workspace.run(&hungry).unwrap();
    assert!(!ran.exit.success(), "{:?}", ran.exit);
    assert!(!text(&ran.output).contains("had it"));

    let script = "import os, time\n\
        for _ in range(8):\n\
        \x20   if os.fork() == 0:\n\
        \x20       b = bytearray(b'x') * (100 << 20); time.sleep(20); os._exit(0)\n\
        time.sleep(20); print('had it')";
    let mut hungry = python(script);
    hungry.limits.memory = 300 << 20;
    let ran = workspace.run(&hungry).unwrap();
    assert!(matches!(ran.exit, Exit::TooMuchMemory | Exit::Signal(9)), "{:?}", ran.exit);
    assert!(ran.duration < Duration::from_secs(15), "{:?}", ran.duration);
}

#[test]
fn endless_output_is_cut() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let mut talker = shell("yes");
    talker.limits.output = 1 << 20;
    let ran = workspace.run(&talker).unwrap();
    assert_eq!((ran.exit, ran.cut, ran.output.len()), (Exit::TooMuchOutput, true, 1 << 20));
}

#[test]
fn a_file_has_its_largest_size() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let script = "try: open('huge', 'wb').write(bytes(20 << 20))\nexcept OSError as error: print(error.strerror)\n\
        import os; print(os.path.getsize('huge') <= 8 << 20)";
    let mut writer = python(script);
    writer.limits.file = 8 << 20;
    assert_eq!(text(&workspace.run(&writer).unwrap().output), "File too large\nTrue\n");
}

#[test]
fn the_disk_is_not_filled() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let script = "import os\n\
        for i in range(1000):\n\
        \x20   f = open(f'{i}.bin', 'wb'); f.write(os.urandom(1 << 20)); f.flush(); os.fsync(f.fileno())\n\
        print('filled')";
    let mut writer = python(script);
    writer.limits.disk = 50 << 20;
    let ran = workspace.run(&writer).unwrap();
    assert_eq!((ran.exit, text(&ran.output)), (Exit::TooMuchDisk, String::new()));
}

#[test]
fn folders_in_memory_are_small_and_nothing_else_is_writable() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let script = "import os\n\
        for folder in ('/tmp', '/dev/shm', os.environ['HOME']):\n\
        \x20   try:\n\
        \x20       with open(folder + '/fill', 'wb') as f:\n\
        \x20           for _ in range(300): f.write(bytes(1 << 20))\n\
        \x20       print('filled', folder)\n\
        \x20   except OSError as error: print(error.strerror)\n\
        \x20   os.unlink(folder + '/fill')\n\
        def writable(folder):\n\
        \x20   try: open(folder + '/x', 'w').close(); return True\n\
        \x20   except OSError: return False\n\
        print([f for f in ('/', '/dev', '/run', '/run/loopmend', '/home', '/var', '/sys', '/proc', '/etc', '/usr') if writable(f)])";
    let mut writer = python(script);
    writer.limits.memory = 256 << 20;
    let said = text(&workspace.run(&writer).unwrap().output);
    assert_eq!(said, "No space left on device\nNo space left on device\nNo space left on device\n[]\n");
}
