//! Tests that are skipped, expected to fail, kept from being collected, or run again until they pass.

use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

use super::code::{last, string, truth};
use super::filters::site;
use super::reading::{At, Reading};
use super::rule::Rule;
use super::site::Site;
use super::suite::{Test, is_test_path};

/// Tests that are skipped, expected to fail, kept from being collected, or run again until they pass.
pub(super) fn sites(reading: &Reading<'_>, out: &mut Vec<Site>) {
    for call in &reading.calls {
        let name = call.dotted.as_str();
        let own = last(name);
        let from_pytest =
            name.starts_with("pytest.") || name.starts_with("unittest.") || name.starts_with("self.");
        let found = match own {
            "skip" | "skipif" | "xfail" | "skipIf" | "skipUnless"
                if from_pytest || name.contains("mark.") =>
            {
                Some((Rule::SkippedTest, format!("`{name}`: what it would have shown is not seen")))
            }
            "importorskip" | "skipTest" | "expectedFailure" => {
                Some((Rule::SkippedTest, format!("`{own}`: what it would have shown is not seen")))
            }
            "flaky" | "rerun" | "repeat" if name.contains("mark.") || own == "flaky" => {
                Some((Rule::RetriedTest, "a test that is run again until it passes".to_owned()))
            }
            "filterwarnings" if name.contains("mark.") => {
                let hides = call.node.arguments.args.first().and_then(string);
                hides
                    .is_some_and(|filter| filter.trim_start().starts_with("ignore"))
                    .then(|| (Rule::WarningFilter, "a filter that keeps warnings from being seen".to_owned()))
            }
            _ => None,
        };
        if let Some((rule, message)) = found {
            // Of a new test, a condition on the platform takes nothing away: what is new is told by its name.
            let subject = subject(reading, call.at, call.node.range());
            out.push(Site { key: format!("{own}|{subject}"), ..site(reading, rule, call.node, &message) });
        }
    }
    // `@pytest.mark.skip`, `pytestmark = pytest.mark.xfail`: not called.
    let bare = |expr: &Expr| -> Option<String> {
        let name = reading.dotted(expr);
        let marked = name.contains("mark.") && matches!(last(&name), "skip" | "xfail")
            || last(&name) == "expectedFailure"
            || name == "unittest.skip";
        (marked && (expr.is_attribute_expr() || expr.is_name_expr())).then_some(name)
    };
    for (decorator, at) in &reading.decorators {
        if let Some(name) = bare(&decorator.expression) {
            let subject = subject(reading, *at, decorator.range);
            let message = format!("`{name}`: what the test would have shown is not seen");
            out.push(Site {
                key: format!("{}|{subject}", last(&name)),
                ..site(reading, Rule::SkippedTest, &decorator.expression, &message)
            });
        }
    }
    for (raised, at) in &reading.raises {
        let class = match raised {
            Expr::Call(call) => reading.dotted(&call.func),
            other => reading.dotted(other),
        };
        if matches!(last(&class), "SkipTest" | "Skipped") {
            let subject = subject(reading, *at, raised.range());
            out.push(Site {
                key: format!("{class}|{subject}"),
                ..site(reading, Rule::SkippedTest, *raised, "the test ends as skipped")
            });
        }
    }
    for assigned in &reading.assigned {
        let target = reading.dotted(assigned.target);
        let listed: Vec<&Expr> = match assigned.value {
            Expr::List(list) => list.elts.iter().collect(),
            Expr::Tuple(tuple) => tuple.elts.iter().collect(),
            other => vec![other],
        };
        match last(&target) {
            "pytestmark" => {
                for mark in listed {
                    if let Some(name) = bare(mark) {
                        out.push(Site {
                            key: format!("pytestmark|{name}"),
                            ..site(
                                reading,
                                Rule::SkippedTest,
                                mark,
                                &format!("`{name}` for a whole module or class"),
                            )
                        });
                    }
                }
            }
            "collect_ignore" | "collect_ignore_glob" => {
                for entry in listed {
                    if string(entry).is_some() {
                        out.push(site(
                            reading,
                            Rule::SkippedTest,
                            entry,
                            "files that are no longer looked into for tests",
                        ));
                    }
                }
            }
            "__test__" if truth(assigned.value) == Some(false) => {
                out.push(site(
                    reading,
                    Rule::SkippedTest,
                    assigned.target,
                    "what is here is no longer collected",
                ));
            }
            _ => {}
        }
    }
    // `if CI: return` at the start of a test.
    for (stmt, at) in &reading.returns {
        let name = reading.function_name(*at);
        if at.guards > 0 && last(name).starts_with("test") {
            let message = "a test that ends here has asserted nothing of what follows";
            out.push(Site {
                key: format!("return|{name}"),
                ..site(reading, Rule::SkippedTest, *stmt, message)
            });
        }
    }
    for function in &reading.functions {
        let name = function.node.name.as_str();
        let drops = match name {
            "pytest_ignore_collect" => true,
            "pytest_collection_modifyitems" => {
                let body = &function.body;
                body.contains("items[:]=")
                    || body.contains("items.remove")
                    || body.contains("del items")
                    || body.contains("items.clear")
                    || body.contains("deselected")
            }
            "pytest_runtest_makereport" | "pytest_sessionfinish" => {
                let body = &function.body;
                body.contains(".outcome=") || body.contains("exitstatus=")
            }
            _ => false,
        };
        if drops {
            out.push(Site {
                key: format!("{name}|{}", function.body),
                ..site(
                    reading,
                    Rule::SkippedTest,
                    &function.node.name,
                    &format!("`{name}` takes tests or their results away"),
                )
            });
        }
        // A test under a condition, where it stood without one.
        if name.starts_with("test") && function.at.guards > 0 && is_test_path(reading.path) {
            out.push(Site {
                key: format!("conditional|{}|{}", function.name, function.at.guards),
                ..site(
                    reading,
                    Rule::SkippedTest,
                    &function.node.name,
                    &format!("`{name}` is only there under a condition"),
                )
            });
        }
    }
}

/// What a mark or skip is about: the test it stands in or above.
fn subject(reading: &Reading<'_>, at: At, range: ruff_text_size::TextRange) -> String {
    let decorated = reading.functions.iter().find(|function| {
        function.node.decorator_list.iter().any(|decorator| decorator.range.contains_range(range))
    });
    let class = || {
        reading
            .classes
            .iter()
            .find(|class| {
                class.node.decorator_list.iter().any(|decorator| decorator.range.contains_range(range))
            })
            .map(|class| class.name.clone())
    };
    decorated
        .map(|function| function.name.clone())
        .or_else(class)
        .unwrap_or_else(|| reading.function_name(at).to_owned())
}

/// Whether a skip's site stands for a test that is new, on a condition: nothing that was seen is lost.
pub(super) fn is_of_new_test(site: &Site, before: &[Test], after: &[Test]) -> bool {
    let Some((own, subject)) = site.key.split_once('|') else { return false };
    matches!(own, "skipif" | "skipIf" | "skipUnless" | "importorskip" | "conditional" | "return")
        && after.iter().any(|test| test.name == subject || subject.starts_with(&test.name))
        && !before.iter().any(|test| test.name == subject || last(&test.name) == last(subject))
}
