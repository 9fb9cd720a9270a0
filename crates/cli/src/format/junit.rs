//! `JUnit` XML: a suite a file, a failed test a finding.

use loopmend_model::Finding;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::tree::Opened;

pub fn junit(findings: &[Finding], opened: &Opened) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("loopmend");
    for group in findings.chunk_by(|one, other| one.path == other.path) {
        let path = opened.shown(&group[0].path);
        let mut suite = TestSuite::new(path.as_str());
        for finding in group {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(finding.message.as_str()).set_type(finding.cause.as_str()).set_description(
                format!("{path}:{}:{}: {} {}", finding.line, finding.column, finding.cause, finding.message),
            );
            let mut case =
                TestCase::new(format!("{} {}:{}", finding.cause, finding.line, finding.column), status);
            case.set_classname(path.as_str());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    if findings.is_empty() {
        let mut suite = TestSuite::new("loopmend");
        suite.add_test_case(TestCase::new("no findings", TestCaseStatus::success()));
        report.add_test_suite(suite);
    }
    let mut text = report.to_string()?;
    text.push('\n');
    Ok(text)
}
