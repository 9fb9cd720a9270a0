//! A cause's page, and what to say of a cause that is not on the shelf.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use loopmend_causes::Cause;
use loopmend_project::test_runs;
use serde_json::json;

use crate::answer;
use crate::failure::Failure;
use crate::format::AnswerFormat;
use crate::markdown;

/// The cause of this name.
pub fn cause(slug: &str) -> Option<&'static dyn Cause> {
    loopmend_causes::cause(slug)
}

/// The page that is no cause's: habits that keep all of them away.
pub const PREVENTION: &str = "prevention";

const PAGE: &str = include_str!("../../../../docs/prevention.md");

/// The page, and the lines of this folder's own CI files that it asks to change.
fn whole() -> String {
    let mut page = PAGE.to_owned();
    let runs = test_runs(Path::new("."));
    if !runs.is_empty() {
        page.push_str("\n## In this folder\n\nThese lines run the tests; changed so, they fail on event-loop trouble too:\n");
    }
    for run in runs {
        let _ =
            write!(page, "\n{}:{}\n\n```text\n-{}\n+{}\n```\n", run.path, run.line, run.before, run.after);
    }
    page
}

/// Prints that page.
pub fn print_prevention(format: AnswerFormat) -> anyhow::Result<()> {
    let title = PAGE.lines().next().unwrap_or_default().trim_start_matches("# ");
    match format {
        AnswerFormat::Json => {
            let runs: Vec<_> = test_runs(Path::new("."))
                .into_iter()
                .map(|run| json!({"path": run.path, "line": run.line, "before": run.before, "after": run.after}))
                .collect();
            answer::json(&json!({"title": title, "page": PAGE, "runs": runs}))?;
        }
        AnswerFormat::Concise => answer::text(&format!("{title}\n"))?,
        AnswerFormat::Full if io::stdout().is_terminal() => answer::text(&markdown::pleasant(&whole()))?,
        AnswerFormat::Full => answer::data(&markdown::ended(&whole()))?,
    }
    Ok(())
}

/// Fails where there is no cause of this name.
pub fn known(slug: &str) -> Result<(), Failure> {
    if cause(slug).is_some() { Ok(()) } else { Err(unknown(slug)) }
}

/// Whether it can only be a cause's name, not a path.
pub fn is_word(subject: &str) -> bool {
    subject != "-" && !subject.contains(['/', '\\', '.']) && !subject.contains(char::is_whitespace)
}

/// Prints the page: pleasant on a terminal, as written in a pipe.
pub fn print(cause: &dyn Cause, format: AnswerFormat) -> anyhow::Result<()> {
    match format {
        AnswerFormat::Json => {
            answer::json(
                &json!({"cause": cause.slug(), "title": cause.page().title, "page": cause.page().markdown(cause.slug())}),
            )?;
        }
        AnswerFormat::Concise => answer::text(&format!("{}: {}\n", cause.slug(), cause.page().title))?,
        AnswerFormat::Full if io::stdout().is_terminal() => {
            answer::text(&markdown::pleasant(&cause.page().markdown(cause.slug())))?;
        }
        AnswerFormat::Full => answer::data(&markdown::ended(&cause.page().markdown(cause.slug())))?,
    }
    Ok(())
}

/// The failure for a name that no cause has, with the nearest names.
pub fn unknown(slug: &str) -> Failure {
    let mut near: Vec<(&str, &str, f64)> = loopmend_causes::shelf()
        .iter()
        .map(|cause| (cause.slug(), cause.page().title, likeness(slug, cause.slug())))
        .filter(|(_, _, likeness)| *likeness > 0.72)
        .collect();
    near.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(other.0)));
    let failure = Failure::new(format!("there is no cause named {slug}, and no such file"));
    if near.is_empty() {
        let all: Vec<&str> = loopmend_causes::shelf().iter().map(|cause| cause.slug()).collect();
        return failure.hint(format!("the causes are: {}", all.join(", ")));
    }
    let near: Vec<String> =
        near.iter().take(3).map(|(slug, title, _)| format!("{slug}  ({title})")).collect();
    failure.hint(format!("did you mean\n    {}", near.join("\n    ")))
}

fn likeness(typed: &str, slug: &str) -> f64 {
    let typed = typed.to_lowercase().replace('_', "-");
    if slug.contains(&typed) && typed.len() > 3 {
        return 1.0;
    }
    strsim::jaro_winkler(&typed, slug)
}
