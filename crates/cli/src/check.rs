//! `loopmend check`: findings without a log.

use std::path::PathBuf;

use clap::Args;
use loopmend_model::Finding;

use crate::answer;
use crate::explain::page;
use crate::format::{self, FindingFormat};
use crate::program::Outcome;
use crate::style::{self, paint};
use crate::talk::Talk;
use crate::tree::Opened;

const EXAMPLES: &str = "\
Examples:
  loopmend check                                the project in this folder
  loopmend check app/jobs.py                    only what is found in one file
  loopmend check --output-format sarif > loopmend.sarif

A finding is left out where a comment `# loopmend: ignore[CAUSE]` stands on its line, or where
`[tool.loopmend] ignore = [\"CAUSE\"]` stands in pyproject.toml. Exit status 1 where there are findings.";

/// Look for event-loop defects in a project, without any log.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The project's folder, or files and folders in it [default: this folder].
    paths: Vec<PathBuf>,
    /// Show findings in which there is a guess, too.
    #[arg(long)]
    pedantic: bool,
    /// Show only these causes.
    #[arg(long, value_name = "CAUSE", value_delimiter = ',')]
    select: Vec<String>,
    /// Leave these causes out.
    #[arg(long, value_name = "CAUSE", value_delimiter = ',')]
    ignore: Vec<String>,
    /// How to print findings.
    #[arg(long, value_name = "FORMAT", default_value = "full")]
    output_format: FindingFormat,
}

impl Check {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        for slug in self.select.iter().chain(&self.ignore) {
            page::known(slug)?;
        }
        let opened = Opened::of_paths(&self.paths, talk)?;
        if opened.tree.files.is_empty() {
            talk.warn(&format!("there is no Python file in {}: nothing to check", opened.title()));
        }
        let progress = talk.progress("checking");
        let checked = loopmend_pipeline::check(&opened.tree);
        progress.finish_and_clear();
        // The program is about to end.
        std::mem::forget(checked.life);
        talk.notes(&checked.notes);
        let findings: Vec<Finding> = checked
            .findings
            .into_iter()
            .filter(|finding| self.wanted(finding) && opened.asked(&finding.path))
            .collect();

        let text = format::findings(self.output_format, &findings, &opened)?;
        if matches!(self.output_format, FindingFormat::Full | FindingFormat::Concise) {
            answer::text(&text)?;
            talk.say(summary(&findings, opened.tree.files.len()));
        } else {
            answer::data(&text)?;
        }
        Ok(if findings.is_empty() { Outcome::Done } else { Outcome::Left })
    }

    fn wanted(&self, finding: &Finding) -> bool {
        (self.pedantic || !finding.doubtful)
            && (self.select.is_empty() || self.select.contains(&finding.cause))
            && !self.ignore.contains(&finding.cause)
    }
}

fn summary(findings: &[Finding], files: usize) -> String {
    let files = counted(files, "file");
    if findings.is_empty() {
        return format!("{} in {files}", paint(style::GOOD, "Nothing found"));
    }
    let mendable = findings
        .iter()
        .filter(|finding| finding.applicability == loopmend_model::Applicability::Safe)
        .count();
    let next =
        if mendable > 0 { format!("; `loopmend fix` mends {mendable} of them") } else { String::new() };
    format!(
        "{} in {files}{next}",
        paint(style::ERROR, format!("Found {}", counted(findings.len(), "defect")))
    )
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
