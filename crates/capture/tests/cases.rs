//! The logs of the acceptance cases, where they are at hand: what they name of the project is in the incidents.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says what it skips")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use loopmend_capture::{Capture, capture, recognise};
use regex::Regex;

fn folder() -> Option<PathBuf> {
    let folder = env::var_os("LOOPMEND_CASES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no cases at {}", folder.display());
    None
}

fn cases() -> Vec<(String, PathBuf)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("evidence.log").is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    cases.sort();
    cases
}

fn files(folder: &Path, base: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, base, into);
        } else if path.extension().is_some_and(|end| end == "py") {
            into.push(path.strip_prefix(base).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Every place of the capture.
fn places(capture: &Capture) -> Vec<(String, u32)> {
    let mut places = Vec::new();
    for incident in &capture.incidents {
        let frames = incident.exceptions.iter().flat_map(|raised| &raised.frames);
        let subjects = incident.subjects.iter().filter_map(|subject| subject.place.as_ref());
        for frame in frames.chain(&incident.created).chain(subjects) {
            places.push((frame.path.clone(), frame.line));
        }
    }
    places
}

#[test]
fn places_in_the_project_become_frames() {
    let place = Regex::new(r#"File "([^"]+\.py)", line (\d+)|(?:^|[\s'])([\w./\\-]+\.py):(\d+)"#).unwrap();
    let mut missing = Vec::new();
    for (name, path) in cases() {
        let project = path.join("project");
        let mut own = Vec::new();
        files(&project, &project, &mut own);
        let log = fs::read(path.join("evidence.log")).unwrap();
        let places = places(&capture(&log));
        let log = String::from_utf8_lossy(&log).into_owned();
        for line in
            log.lines().filter(|line| !line.starts_with(char::is_alphanumeric) || line.contains(": in "))
        {
            for found in place.captures_iter(line) {
                let file = found.get(1).or(found.get(3)).unwrap().as_str();
                let number: u32 = found.get(2).or(found.get(4)).unwrap().as_str().parse().unwrap();
                let ours = own.iter().any(|path| file == path || file.ends_with(&format!("/{path}")));
                if ours && !places.iter().any(|(path, line)| path == file && *line == number) {
                    missing.push(format!("{name}: {file}:{number}"));
                }
            }
        }
    }
    missing.dedup();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A line of a log that is a symptom by itself is a symptom of an incident.
#[test]
fn what_a_case_shows_is_a_symptom_of_it() {
    let mut missing = Vec::new();
    for (name, path) in cases() {
        let case: toml::Table = fs::read_to_string(path.join("case.toml")).unwrap().parse().unwrap();
        let log = fs::read(path.join("evidence.log")).unwrap();
        let found = capture(&log);
        let messages: Vec<&str> = found
            .incidents
            .iter()
            .flat_map(|incident| {
                incident
                    .messages
                    .iter()
                    .map(String::as_str)
                    .chain(incident.exceptions.iter().map(|raised| raised.message.as_str()))
            })
            .collect();
        let text = String::from_utf8_lossy(&log).into_owned();
        for pattern in case.get("symptom").and_then(toml::Value::as_array).into_iter().flatten() {
            let pattern = Regex::new(&format!("(?m){}", pattern.as_str().unwrap())).unwrap();
            let known = text.lines().any(|line| pattern.is_match(line) && !recognise(line).is_empty());
            if known
                && !messages
                    .iter()
                    .any(|message| pattern.is_match(message) || pattern.as_str().contains("Error: "))
            {
                missing.push(format!("{name}: {pattern}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
