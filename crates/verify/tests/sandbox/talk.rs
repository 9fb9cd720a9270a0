//! Services, signals and connections.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use loopmend_verify::{Exit, Service, Signal};

use crate::{python, sandbox, shell, text, workspace};

/// A server on the host that answers each connection with what it was sent, in capitals.
fn shouter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            stream.write_all(said.to_uppercase().as_bytes()).unwrap();
        }
    });
    port
}

const ASK: &str = "
import socket, sys
def ask(host, port, word):
    try: s = socket.create_connection((host, port), 5)
    except OSError as error: return type(error).__name__
    s.sendall(word); s.shutdown(socket.SHUT_WR)
    answer = b''
    while part := s.recv(65536): answer += part
    return answer
";

#[test]
fn a_service_that_is_opened_is_reached_and_no_other() {
    let Some(mut sandbox) = sandbox() else { return };
    let (open, closed) = (shouter(), shouter());
    sandbox.services = vec![Service { host: "localhost".to_owned(), port: open }];
    let (_tree, workspace) = workspace(&sandbox);
    let script = format!(
        "{ASK}\nprint(ask('127.0.0.1', {open}, b'hello'), ask('localhost', {closed}, b'hello'))\n\
         print(ask('127.0.0.1', {open}, b'x' * 3_000_000) == b'X' * 3_000_000)"
    );
    let ran = workspace.run(&python(&script)).unwrap();
    assert_eq!(text(&ran.output), "b'HELLO' ConnectionRefusedError\nTrue\n");
    // A second run has its own way to it.
    assert_eq!(
        text(&workspace.run(&python(&script)).unwrap().output),
        "b'HELLO' ConnectionRefusedError\nTrue\n"
    );
}

#[test]
fn statuses_and_signals_pass_through() {
    let Some(mut sandbox) = sandbox() else { return };
    for services in [vec![], vec![Service { host: "localhost".to_owned(), port: 5999 }]] {
        sandbox.services = services;
        let (_tree, workspace) = workspace(&sandbox);
        assert_eq!(workspace.run(&shell("exit 7")).unwrap().exit, Exit::Code(7));
        assert_eq!(workspace.run(&shell("kill -SEGV $$")).unwrap().exit, Exit::Signal(11));
        assert_eq!(workspace.run(&shell("trap '' TERM; kill -TERM 0; exit 3")).unwrap().exit, Exit::Code(3));
    }
}

#[test]
fn a_program_that_runs_is_sent_signals_itself() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let script = "import os, signal, time, sys\n\
        def stop(*_): os.write(1, b'stopping\\n'); sys.exit(5)\n\
        signal.signal(signal.SIGTERM, stop)\nprint('up', flush=True)\ntime.sleep(30)";
    let running = workspace.start(&python(script)).unwrap();
    assert!(running.wait_for(Duration::from_secs(10), |said| said == b"up\n"), "{}", text(&running.output()));
    running.signal(Signal::Terminate).unwrap();
    let ran = running.wait().unwrap();
    assert_eq!((ran.exit, text(&ran.output)), (Exit::Code(5), "up\nstopping\n".to_owned()));
}

#[test]
fn a_time_out_gives_the_program_its_sigterm() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let mut slow = shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done");
    slow.limits.time = Duration::from_millis(700);
    let ran = workspace.run(&slow).unwrap();
    assert_eq!(ran.exit, Exit::TimedOut);
    assert!(text(&ran.stdout).contains("bye"), "{}", text(&ran.output));
}

#[test]
fn a_port_of_the_program_is_reached_from_outside() {
    let Some(sandbox) = sandbox() else { return };
    let (_tree, workspace) = workspace(&sandbox);
    let running = workspace
        .start(&crate::command([
            "/usr/bin/python3",
            "-u",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "8123",
        ]))
        .unwrap();
    assert!(
        running.wait_for(Duration::from_secs(20), |said| text(said).contains("port 8123")),
        "{}",
        text(&running.output())
    );
    for _ in 0..3 {
        let mut link = running.connect(8123).unwrap();
        link.set_timeout(Some(Duration::from_secs(10))).unwrap();
        link.write_all(b"GET /app.py HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        link.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("print('app')\n"), "{answer}");
    }
    assert_eq!(running.connect(8124).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let ran = running.stop().unwrap();
    assert_eq!(ran.exit, Exit::Stopped);
}
