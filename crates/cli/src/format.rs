//! The ways to print findings: for people, for programs, and for the forges.
//!
//! Each format is a pure function of the findings; none prints.

mod concise;
mod full;
mod github;
mod gitlab;
mod json;
mod junit;
mod sarif;

use clap::ValueEnum;
use loopmend_model::Finding;

use crate::tree::Opened;

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FindingFormat {
    /// Annotated source.
    Full,
    /// One line a finding.
    Concise,
    /// A list for programs.
    Json,
    /// Annotations of a GitHub Actions run.
    Github,
    /// A GitLab code quality report.
    Gitlab,
    /// SARIF 2.1.0.
    Sarif,
    /// `JUnit` XML.
    Junit,
}

/// How an explanation or a fix is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// The whole story, with annotated source.
    Full,
    /// One line for each thing said.
    Concise,
    /// An object for programs.
    Json,
}

/// The findings in a format.
pub fn findings(format: FindingFormat, findings: &[Finding], opened: &Opened) -> anyhow::Result<String> {
    Ok(match format {
        FindingFormat::Full => full::full(findings, opened),
        FindingFormat::Concise => concise::concise(findings, opened),
        FindingFormat::Json => json::json(findings)?,
        FindingFormat::Github => github::github(findings, opened),
        FindingFormat::Gitlab => gitlab::gitlab(findings, opened)?,
        FindingFormat::Sarif => sarif::sarif(findings, opened)?,
        FindingFormat::Junit => junit::junit(findings, opened)?,
    })
}
