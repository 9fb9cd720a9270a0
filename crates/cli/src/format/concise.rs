//! `path:line:column: cause message`, one line a finding.

use std::fmt::Write as _;

use loopmend_model::Finding;

use crate::printable::printable_line;
use crate::style::{self, paint};
use crate::tree::Opened;

pub fn concise(findings: &[Finding], opened: &Opened) -> String {
    let mut out = String::new();
    for finding in findings {
        let _ = writeln!(
            out,
            "{}:{}:{}: {} {}",
            paint(style::HEADING, printable_line(&opened.shown(&finding.path))),
            finding.line,
            finding.column,
            paint(style::ERROR, &finding.cause),
            printable_line(&finding.message)
        );
    }
    out
}
