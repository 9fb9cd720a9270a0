//! Every textual form in which a traceback or a warning reaches a user.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says what it skips")]

use std::fmt::Write as _;
use std::{fs, path::Path};

use loopmend_capture::{Capture, capture};

/// What was understood, one line a fact.
fn summary(capture: &Capture) -> String {
    let mut out = String::new();
    for incident in &capture.incidents {
        let (first, last) = incident.lines;
        writeln!(out, "{:?} x{} lines {first}-{last}", incident.channel, incident.count).unwrap();
        for (name, value) in
            [("thread", &incident.thread), ("test", &incident.test), ("service", &incident.service)]
        {
            if let Some(value) = value {
                writeln!(out, "  {name}: {value}").unwrap();
            }
        }
        for symptom in &incident.symptoms {
            writeln!(out, "  symptom: {symptom}").unwrap();
        }
        for raised in &incident.exceptions {
            writeln!(out, "  {:?} {}: {}", raised.link, raised.kind, raised.message).unwrap();
            for frame in &raised.frames {
                let source = frame.source.as_deref().unwrap_or("-");
                writeln!(out, "    {}:{} {} | {source}", frame.path, frame.line, frame.function).unwrap();
            }
            for note in &raised.notes {
                writeln!(out, "    note: {note}").unwrap();
            }
        }
        for frame in &incident.created {
            writeln!(out, "  created {}:{} {}", frame.path, frame.line, frame.function).unwrap();
        }
        for subject in &incident.subjects {
            write!(out, "  {:?} {}", subject.kind, subject.name).unwrap();
            if let Some(place) = &subject.place {
                write!(out, " at {}:{}", place.path, place.line).unwrap();
            }
            out.push('\n');
        }
    }
    out
}

#[test]
fn every_form_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in &names {
        let text = fs::read(folder.join(name)).unwrap();
        insta::with_settings!({ snapshot_suffix => name.trim_end_matches(".txt"), prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("form", summary(&capture(&text)));
        });
    }
}
