//! A message counts where a message can stand, and nowhere else.

use loopmend_capture::capture;

fn symptoms(text: &str) -> Vec<String> {
    capture(text.as_bytes()).incidents.into_iter().flat_map(|incident| incident.symptoms).collect()
}

#[test]
fn quotations_and_code_are_not_messages() {
    for text in [
        "    raise RuntimeError('Event loop is closed')",
        "        assert \"RuntimeError: Event loop is closed\" in out",
        "    with pytest.raises(RuntimeError, match='RuntimeError: no running event loop'):",
        "        raise asyncio.CancelledError",
        "from asyncio import CancelledError",
        "grep 'Task was destroyed but it is pending!' app.log",
        "WARNING:pool:late work refused: Event loop is closed",
    ] {
        assert_eq!(symptoms(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_logged_exception_is_a_message() {
    let found = capture(b"2026-11-21 10:45:31 ERROR metrics: flush failed: asyncpg.exceptions._base.InterfaceError: connection is closed");
    assert_eq!(found.incidents.len(), 1);
    let incident = &found.incidents[0];
    assert_eq!(incident.symptoms, ["asyncpg-connection-closed"]);
    assert_eq!(incident.exceptions[0].kind, "asyncpg.exceptions._base.InterfaceError");
    assert_eq!(incident.exceptions[0].message, "connection is closed");
}

#[test]
fn equal_incidents_are_counted_whatever_their_addresses_and_task_names() {
    let mut text = String::new();
    for number in 0..5 {
        let more = format!(
            "Task was destroyed but it is pending!\ntask: <Task pending name='Task-{number}' coro=<bg() done, defined at /app/x.py:2> wait_for=<Future pending cb=[f() at 0x7f{number}]>>\n"
        );
        text.push_str(&more);
    }
    let found = capture(text.as_bytes());
    assert_eq!(found.incidents.len(), 1);
    assert_eq!(found.incidents[0].count, 5);
    assert_eq!(found.incidents[0].lines, (1, 2));
}

#[test]
fn the_first_of_a_chain_is_the_first_symptom() {
    let found = capture(
        b"Traceback (most recent call last):\n  File \"/a.py\", line 1, in f\n    x()\nRuntimeError: Event loop is closed\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/a.py\", line 3, in f\n    y()\nasyncpg.exceptions._base.InterfaceError: cannot perform operation: another operation is in progress\n",
    );
    assert_eq!(found.incidents[0].symptoms, ["event-loop-closed", "asyncpg-another-operation"]);
}

#[test]
fn a_redirection_of_windows_is_read() {
    let text: Vec<u8> =
        "\u{feff}RuntimeError: no running event loop\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(capture(&text).incidents[0].symptoms, ["no-running-loop"]);
}
