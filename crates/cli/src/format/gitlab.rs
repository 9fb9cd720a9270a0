//! GitLab's code quality report: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use loopmend_model::{Applicability, Finding};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::tree::Opened;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Place,
}

#[derive(Serialize)]
struct Place {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

pub fn gitlab(findings: &[Finding], opened: &Opened) -> serde_json::Result<String> {
    let fingerprints = fingerprints(findings, opened);
    let issues: Vec<Issue> = findings
        .iter()
        .zip(fingerprints)
        .map(|(finding, fingerprint)| Issue {
            description: format!("{}: {}", finding.cause, finding.message),
            check_name: &finding.cause,
            fingerprint,
            severity: if finding.applicability == Applicability::Advice { "minor" } else { "major" },
            location: Place {
                path: opened.shown(&finding.path),
                lines: Lines { begin: finding.line, end: finding.end_line },
            },
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&issues)?;
    text.push('\n');
    Ok(text)
}

/// A name for each finding that survives lines moving around it.
pub fn fingerprints(findings: &[Finding], opened: &Opened) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    findings
        .iter()
        .map(|finding| {
            let line = opened
                .file(&finding.path)
                .and_then(|file| file.text.lines().nth(finding.line.saturating_sub(1) as usize))
                .unwrap_or_default();
            let key = format!("{}\0{}\0{}", finding.cause, finding.path, line.trim());
            let nth = seen.entry(key.clone()).or_default();
            *nth += 1;
            let mut name = String::with_capacity(32);
            for byte in Sha256::digest(format!("{key}\0{nth}")).iter().take(16) {
                let _ = write!(name, "{byte:02x}");
            }
            name
        })
        .collect()
}
