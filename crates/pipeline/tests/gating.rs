//! The mends of this program pass its own gate: those of the acceptance cases, where `LOOPMEND_CASES` names them.

use std::path::PathBuf;
use std::{env, fs};

use loopmend_pipeline::{FixOptions, fix};
use loopmend_project::{ReadOptions, read_tree};
use loopmend_verify::gate::{changes_of, suppressions};

#[test]
fn own_mends_of_the_cases_pass() {
    let Some(cases) = env::var_os("LOOPMEND_CASES").map(PathBuf::from) else { return };
    let mut wrong = Vec::new();
    let mut mended = 0;
    for entry in fs::read_dir(cases).expect("the cases") {
        let case = entry.expect("an entry").path();
        let Ok(log) = fs::read(case.join("evidence.log")) else { continue };
        let tree = read_tree(&case.join("project"), &ReadOptions::default()).expect("a project");
        let Some(patch) = fix(&tree, Some(&log), FixOptions::default()).patch else { continue };
        mended += 1;
        for found in suppressions(&changes_of(&patch)) {
            wrong.push(format!("{}: {found}", case.display()));
        }
    }
    assert!(mended > 40, "{mended} mended");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
