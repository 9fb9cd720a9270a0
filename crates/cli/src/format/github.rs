//! Workflow commands of GitHub Actions: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use std::fmt::Write as _;

use loopmend_model::{Applicability, Finding};

use crate::tree::Opened;

pub fn github(findings: &[Finding], opened: &Opened) -> String {
    let mut out = String::new();
    for finding in findings {
        let command = if finding.applicability == Applicability::Advice { "warning" } else { "error" };
        let path = opened.shown(&finding.path);
        let _ = write!(
            out,
            "::{command} title={},file={},line={},endLine={}",
            property(&format!("loopmend ({})", finding.cause)),
            property(&path),
            finding.line,
            finding.end_line
        );
        // Columns are only understood within one line.
        if finding.line == finding.end_line {
            let _ = write!(out, ",col={},endColumn={}", finding.column, finding.end_column);
        }
        let _ = writeln!(
            out,
            "::{}",
            data(&format!(
                "{path}:{}:{}: {} {}",
                finding.line, finding.column, finding.cause, finding.message
            ))
        );
    }
    out
}

/// Text after `::`: line ends and `%` would end it or be read as escapes.
fn data(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            '\t' => out.push('\t'),
            c => crate::printable::push_printable(&mut out, c),
        }
    }
    out
}

/// A property's value: `:` and `,` would end it too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_command_early() {
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
        assert_eq!(data("\x1b[2J"), "\\x1b[2J");
    }
}
