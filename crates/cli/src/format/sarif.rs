//! SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use loopmend_model::{Applicability, Finding};
use serde::Serialize;

use super::gitlab::fingerprints;
use crate::tree::Opened;

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    information_uri: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message,
    help: Help,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message,
    locations: [Place; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Place>,
    partial_fingerprints: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
}

pub fn sarif(findings: &[Finding], opened: &Opened) -> serde_json::Result<String> {
    let shelf = loopmend_causes::shelf();
    let rules = shelf
        .iter()
        .map(|cause| Rule {
            id: cause.slug(),
            short_description: Message { text: cause.page().title.to_owned() },
            help: Help {
                text: cause.page().what.trim().to_owned(),
                markdown: cause.page().markdown(cause.slug()),
            },
        })
        .collect();
    let results = findings
        .iter()
        .zip(fingerprints(findings, opened))
        .map(|(finding, fingerprint)| Outcome {
            rule_id: &finding.cause,
            rule_index: shelf.iter().position(|cause| cause.slug() == finding.cause),
            level: if finding.applicability == Applicability::Advice { "warning" } else { "error" },
            message: Message { text: finding.message.clone() },
            locations: [place(
                opened,
                &finding.path,
                Region {
                    start_line: finding.line,
                    start_column: finding.column,
                    end_line: Some(finding.end_line),
                    end_column: Some(finding.end_column),
                },
            )],
            related_locations: finding
                .related
                .iter()
                .enumerate()
                .map(|(index, related)| Place {
                    id: Some(index + 1),
                    message: Some(Message { text: related.message.clone() }),
                    ..place(
                        opened,
                        &related.path,
                        Region {
                            start_line: related.line,
                            start_column: related.column,
                            end_line: None,
                            end_column: None,
                        },
                    )
                })
                .collect(),
            partial_fingerprints: BTreeMap::from([("loopmend/v1", fingerprint)]),
        })
        .collect();
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "loopmend",
                    version: env!("CARGO_PKG_VERSION"),
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules,
                },
            },
            column_kind: "unicodeCodePoints",
            results,
        }],
    };
    let mut text = serde_json::to_string_pretty(&log)?;
    text.push('\n');
    Ok(text)
}

fn place(opened: &Opened, path: &str, region: Region) -> Place {
    let uri = uri(&opened.shown(path));
    Place {
        id: None,
        physical_location: Physical { artifact_location: Artifact { uri }, region },
        message: None,
    }
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
