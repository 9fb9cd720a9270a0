//! Turns `symptoms/*.toml` into a static table, with the literals that each pattern cannot match without.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use regex_syntax::hir::{Hir, HirKind};
use serde::Deserialize;

/// The order of the areas is the order of the table.
const AREAS: [&str; 8] = ["loops", "asyncio", "pytest", "anyio", "web", "clients", "storage", "messaging"];

#[derive(Deserialize)]
struct Area {
    symptom: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    pattern: String,
    #[serde(default)]
    general: bool,
    #[serde(default)]
    needles: Vec<String>,
    channel: String,
    emitter: String,
    versions: String,
    example: String,
    means: String,
    causes: Vec<String>,
    discriminators: String,
}

fn main() {
    println!("cargo::rerun-if-changed=symptoms");
    let mut table = String::from("/// Every symptom.\npub(crate) static TABLE: &[Symptom] = &[\n");
    let mut needles = String::from("pub(crate) static NEEDLES: &[(&str, u16)] = &[\n");
    let mut index = 0;
    for area in AREAS {
        let path = Path::new("symptoms").join(format!("{area}.toml"));
        let text = fs::read_to_string(&path).expect("the table of symptoms is part of the crate");
        let area: Area = toml::from_str(&text).expect("the table of symptoms is well-formed");
        for entry in area.symptom {
            for needle in needles_of(&entry) {
                writeln!(needles, "    ({needle:?}, {index}),").expect("writing to a string");
            }
            writeln!(
                table,
                "    Symptom {{ id: {:?}, pattern: {:?}, general: {}, channel: {:?}, emitter: {:?}, versions: {:?}, \
                 example: {:?}, means: {:?}, causes: &{:?}, discriminators: {:?} }},",
                entry.id,
                entry.pattern,
                entry.general,
                entry.channel,
                entry.emitter,
                entry.versions,
                entry.example,
                entry.means,
                entry.causes,
                entry.discriminators
            )
            .expect("writing to a string");
            index += 1;
        }
    }
    table.push_str("];\n");
    needles.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("symptoms.rs");
    fs::write(out, table + &needles).expect("cargo's folder can be written");
}

fn needles_of(entry: &Entry) -> Vec<String> {
    if !entry.needles.is_empty() {
        return entry.needles.clone();
    }
    let hir = regex_syntax::parse(&entry.pattern).expect("the pattern is a regular expression");
    let set = required(&hir).unwrap_or_default();
    assert!(
        set.iter().all(|needle| needle.len() > 3) && !set.is_empty(),
        "{}: a pattern needs a literal of four letters: {set:?}",
        entry.id
    );
    set
}

/// Literals of which every match holds at least one; the longest such set.
fn required(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(required(branch)?);
            }
            all.sort();
            all.dedup();
            Some(all)
        }
        HirKind::Concat(parts) => {
            parts.iter().filter_map(required).max_by_key(|set| set.iter().map(String::len).min().unwrap_or(0))
        }
        _ => None,
    }
}
