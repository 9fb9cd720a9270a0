//! The rules of the ranking, each with findings and an incident made for it.

use loopmend_causes::{Found, Spot};
use loopmend_diagnose::{Match, Symptoms, diagnose, locate, rank};
use loopmend_model::{Frame, Incident, Link, Raised, RefusalCode, SourceFile, Subject, SubjectKind, Tree};
use loopmend_python::facts::{FunctionId, TextRange};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

/// A few symptoms, as a catalogue has them.
struct Known;

impl Symptoms for Known {
    fn causes(&self, symptom: &str) -> &'static [&'static str] {
        match symptom {
            "unclosed" => &["resource-never-closed", "close-not-awaited"],
            "closed-loop" => &["second-run", "loop-reuse-after-close", "resource-never-closed"],
            "destroyed" => &["dropped-task", "close-with-pending-tasks"],
            _ => &[],
        }
    }

    fn means(&self, _: &str) -> &'static str {
        "it means something"
    }

    fn general(&self, _: &str) -> bool {
        false
    }
}

const CLIENT: &str = "\
import aiohttp


class Client:
    def __init__(self):
        self.session = aiohttp.ClientSession()

    async def fetch(self, url):
        async with self.session.get(url) as answer:
            return await answer.text()


async def make():
    return Client()
";

fn tree(files: &[(&str, &str)]) -> Lifecycle {
    let mut files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).into() })
        .collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Lifecycle::read(&Tree { files, ..Tree::default() })
}

/// Two modules with the same code.
fn twins() -> Lifecycle {
    tree(&[("shop/orders.py", CLIENT), ("shop/stock.py", CLIENT)])
}

fn function(life: &Lifecycle, path: &str, qualname: &str) -> FunctionRef {
    let file = life.file(path).expect("the file is there");
    let functions = &life.facts(file).functions;
    let index = functions.iter().position(|of| of.qualname == qualname).expect("the function is there");
    FunctionRef { file, id: FunctionId::new(index) }
}

/// A finding at the first place of some words in a file.
fn finding(life: &Lifecycle, cause: &'static str, path: &str, words: &str) -> Found {
    let file = life.file(path).expect("the file is there");
    let at = life.text(file).find(words).expect("the words are there");
    let range = TextRange::new((at as u32).into(), ((at + words.len()) as u32).into());
    let spot = Spot { file, range };
    let mut found = Found::new(cause, spot, format!("{cause} in {path}"));
    found.functions = vec![FunctionRef { file, id: life.facts(file).function_at(range.start()) }];
    found
}

fn both(life: &Lifecycle, cause: &'static str) -> Vec<Found> {
    ["shop/orders.py", "shop/stock.py"]
        .into_iter()
        .map(|path| finding(life, cause, path, "aiohttp.ClientSession()"))
        .collect()
}

fn frame(path: &str, line: u32, function: &str) -> Frame {
    Frame { path: path.to_owned(), line, function: function.to_owned(), source: None }
}

fn incident(symptom: &str) -> Incident {
    Incident {
        count: 1,
        symptoms: vec![symptom.to_owned()],
        messages: vec!["RuntimeError: what is printed".to_owned()],
        ..Incident::default()
    }
}

fn raised(frames: Vec<Frame>) -> Raised {
    Raised {
        kind: "RuntimeError".to_owned(),
        message: "what is printed".to_owned(),
        frames,
        ..Raised::default()
    }
}

/// The cause and path that come first.
fn first(life: &Lifecycle, incident: &Incident, found: &[Found]) -> (String, String) {
    let ranked = rank(life, &[incident], found, &Known);
    let first = &found[ranked.first().expect("something is ranked").index];
    (first.cause.to_owned(), life.facts(first.spot.file).path.clone())
}

fn path_of_first(life: &Lifecycle, incident: &Incident, found: &[Found]) -> String {
    first(life, incident, found).1
}

#[test]
fn the_frame_picks_the_module() {
    let life = twins();
    let mut told = incident("closed-loop");
    told.exceptions = vec![raised(vec![
        frame("/srv/app/shop/stock.py", 6, "__init__"),
        frame("/usr/lib/python3.12/asyncio/base_events.py", 1, "_check_closed"),
    ])];
    assert_eq!(path_of_first(&life, &told, &both(&life, "second-run")), "shop/stock.py");
}

#[test]
fn a_subject_with_a_place_picks_the_module() {
    let life = twins();
    let mut told = incident("destroyed");
    told.subjects = vec![Subject {
        kind: SubjectKind::Task,
        name: "make".to_owned(),
        place: Some(frame("/app/shop/stock.py", 14, "make")),
    }];
    let mut found = both(&life, "dropped-task");
    for (found, path) in found.iter_mut().zip(["shop/orders.py", "shop/stock.py"]) {
        found.functions.push(function(&life, path, "make"));
    }
    assert_eq!(path_of_first(&life, &told, &found), "shop/stock.py");
}

#[test]
fn a_creation_stack_outranks_the_innermost_frame() {
    let life = twins();
    let mut told = incident("unclosed");
    told.exceptions = vec![raised(vec![frame("/app/shop/orders.py", 6, "__init__")])];
    told.created = vec![frame("/app/shop/stock.py", 6, "__init__")];
    assert_eq!(path_of_first(&life, &told, &both(&life, "resource-never-closed")), "shop/stock.py");
}

#[test]
fn names_pick_the_finding() {
    let life = twins();
    let cases = [
        (SubjectKind::Resource, "StockSession", "StockSession"),
        (SubjectKind::Attribute, "stock_pool", "stock_pool"),
        (SubjectKind::Coroutine, "Stock.close", "Stock.close"),
        (SubjectKind::Fixture, "stock", "stock"),
    ];
    for (kind, said, known) in cases {
        let mut told = incident("unclosed");
        told.subjects = vec![Subject { kind, name: said.to_owned(), place: None }];
        let mut found = both(&life, "resource-never-closed");
        found[1].names = vec![known.to_owned()];
        assert_eq!(path_of_first(&life, &told, &found), "shop/stock.py", "{kind:?}");
    }
}

#[test]
fn two_classes_that_close_are_told_apart() {
    let life = twins();
    let mut told = incident("unclosed");
    told.subjects =
        vec![Subject { kind: SubjectKind::Coroutine, name: "Pool.close".to_owned(), place: None }];
    let mut found = both(&life, "close-not-awaited");
    found[0].names = vec!["ClientSession.close".to_owned()];
    found[1].names = vec!["asyncpg.Pool.close".to_owned()];
    assert_eq!(path_of_first(&life, &told, &found), "shop/stock.py");
}

#[test]
fn what_a_class_prints_picks_the_finding() {
    let life = twins();
    let mut told = incident("unclosed");
    told.messages = vec!["Unclosed client session".to_owned()];
    let mut found = both(&life, "resource-never-closed");
    found[0].names = vec!["sqlalchemy.ext.asyncio.AsyncEngine".to_owned()];
    found[1].names = vec!["aiohttp.ClientSession".to_owned()];
    assert_eq!(path_of_first(&life, &told, &found), "shop/stock.py");
}

#[test]
fn the_test_picks_the_finding() {
    let test = "async def test_get():\n    pass\n\n\nasync def test_put():\n    pass\n";
    let life = tree(&[("tests/test_shop.py", test)]);
    let found = ["test_get", "test_put"].map(|name| {
        let mut found = finding(&life, "second-run", "tests/test_shop.py", name);
        found.functions = vec![function(&life, "tests/test_shop.py", name)];
        found
    });
    let mut told = incident("closed-loop");
    told.test = Some("tests/test_shop.py::test_put[redis]".to_owned());
    let ranked = rank(&life, &[&told], &found, &Known);
    assert_eq!(ranked.first().map(|first| first.index), Some(1));
}

#[test]
fn the_first_exception_of_a_chain_names_the_cause() {
    let life = twins();
    let mut told = incident("closed-loop");
    told.exceptions = vec![
        raised(vec![frame("/app/shop/stock.py", 6, "__init__")]),
        Raised { link: Link::DuringHandling, ..raised(vec![frame("/app/shop/orders.py", 6, "__init__")]) },
    ];
    assert_eq!(path_of_first(&life, &told, &both(&life, "second-run")), "shop/stock.py");
}

#[test]
fn the_likelier_cause_of_a_symptom_comes_first() {
    let life = twins();
    let found = [
        finding(&life, "resource-never-closed", "shop/orders.py", "aiohttp.ClientSession()"),
        finding(&life, "second-run", "shop/stock.py", "aiohttp.ClientSession()"),
    ];
    assert_eq!(first(&life, &incident("closed-loop"), &found).0, "second-run");
    assert_eq!(first(&life, &incident("unclosed"), &found).0, "resource-never-closed");
}

#[test]
fn a_defect_in_another_part_of_the_tree_is_not_named() {
    let life = twins();
    let mut told = incident("closed-loop");
    told.exceptions = vec![raised(vec![frame("/app/shop/stock.py", 8, "fetch")])];
    let found = both(&life, "second-run");
    assert!(rank(&life, &[&told], &found[..1], &Known).is_empty());
    assert_eq!(path_of_first(&life, &told, &found[1..]), "shop/stock.py");
}

#[test]
fn what_cannot_print_the_symptom_is_not_named() {
    let life = twins();
    let found = both(&life, "get-event-loop");
    let mut told = incident("unclosed");
    told.exceptions = vec![raised(vec![frame("/app/shop/stock.py", 6, "__init__")])];
    assert!(rank(&life, &[&told], &found, &Known).is_empty());
}

#[test]
fn doubt_counts_only_where_the_evidence_names_the_place() {
    let life = twins();
    let mut found = both(&life, "resource-never-closed");
    found[0].doubtful = true;
    found[1].unwinding = true;
    assert!(rank(&life, &[&incident("unclosed")], &found, &Known).is_empty());
    let mut told = incident("unclosed");
    told.created = vec![frame("/app/shop/orders.py", 6, "__init__")];
    assert_eq!(path_of_first(&life, &told, &found), "shop/orders.py");
}

#[test]
fn every_answer_has_its_reasons() {
    let life = twins();
    let mut told = incident("closed-loop");
    told.exceptions = vec![raised(vec![frame("/app/shop/stock.py", 6, "__init__")])];
    let answer = diagnose(&life, &[told], &both(&life, "second-run"), &Known);
    let reasons = &answer.diagnoses[0].reasons;
    assert!(reasons.iter().any(|reason| reason.contains("it can print")), "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("`Client.__init__` in shop/stock.py")),
        "{reasons:?}"
    );
}

#[test]
fn production_paths_are_mapped() {
    let life = tree(&[("app/main.py", CLIENT), ("src/pkg/db.py", CLIENT), ("worker.py", CLIENT)]);
    let found = |path: &str| match locate(&life, &frame(path, 14, "make")) {
        Match::Function(function) => life.facts(function.file).path.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(found("/app/app/main.py"), "app/main.py");
    assert_eq!(found("/srv/releases/17/app/main.py"), "app/main.py");
    assert_eq!(found(r"C:\Users\ci\App\Main.py"), "app/main.py");
    assert_eq!(found("./app/main.py"), "app/main.py");
    assert_eq!(found("main.py"), "app/main.py");
    assert_eq!(found("/srv/worker.py"), "worker.py");
    assert_eq!(found("/srv/venv/lib/python3.12/site-packages/pkg/db.py"), "src/pkg/db.py");
    assert_eq!(found("/usr/lib/python3.12/asyncio/runners.py"), "Library");
    assert_eq!(found("/venv/bin/uvicorn"), "Library");
    assert_eq!(found(r"C:\Python39\lib\asyncio\runners.py"), "Library");
    assert_eq!(found("/srv/other/main.py"), "Elsewhere");
    let mut only_folder = frame("/code/db.py", 14, "make");
    only_folder.source = Some("return Client()".to_owned());
    let Match::Function(function) = locate(&life, &only_folder) else { panic!("one file has the line") };
    assert_eq!(life.facts(function.file).path, "src/pkg/db.py");
    assert!(matches!(locate(&life, &frame("/srv/worker.py", 3, "unheard_of")), Match::Changed(_)));
}

#[test]
fn a_bare_name_is_checked_by_its_source_line() {
    let life = tree(&[("worker.py", CLIENT)]);
    let mut at = frame("/opt/billing/worker.py", 14, "make");
    at.source = Some("return Client()".to_owned());
    assert!(matches!(locate(&life, &at), Match::Function(_)));
    at.source = Some("self.pool.close()".to_owned());
    assert_eq!(locate(&life, &at), Match::Elsewhere);
}

#[test]
fn the_source_line_tells_twins_apart() {
    let other = CLIENT.replace("return Client()", "return Client(), None");
    let life = tree(&[("api/app/main.py", CLIENT), ("jobs/app/main.py", &other)]);
    let mut at = frame("/srv/app/main.py", 14, "make");
    assert!(matches!(locate(&life, &at), Match::Ambiguous(files) if files.len() == 2));
    at.source = Some("return Client(), None".to_owned());
    let Match::Function(function) = locate(&life, &at) else { panic!("one file has the line") };
    assert_eq!(life.facts(function.file).path, "jobs/app/main.py");
}

#[test]
fn an_ambiguous_path_is_said() {
    let life = tree(&[("api/app/main.py", CLIENT), ("jobs/app/main.py", CLIENT)]);
    let mut told = incident("closed-loop");
    told.exceptions = vec![raised(vec![frame("/srv/app/main.py", 6, "__init__")])];
    let found: Vec<Found> = ["api/app/main.py", "jobs/app/main.py"]
        .into_iter()
        .map(|path| finding(&life, "second-run", path, "aiohttp.ClientSession()"))
        .collect();
    let refused = diagnose(&life, &[told], &found, &Known).refused.expect("it is refused");
    assert_eq!(refused.code, RefusalCode::Ambiguous);
    assert!(refused.message.contains("api/app/main.py, jobs/app/main.py"), "{}", refused.message);
}

#[test]
fn lines_of_another_service_are_not_the_trees() {
    let life = twins();
    let mut traceback = incident("closed-loop");
    traceback.service = Some("billing".to_owned());
    traceback.exceptions = vec![raised(vec![frame("/opt/billing/worker.py", 88, "shutdown")])];
    let mut alone = incident("unclosed");
    alone.service = Some("billing".to_owned());
    let found = both(&life, "resource-never-closed");
    let refused = diagnose(&life, &[traceback.clone(), alone.clone()], &found, &Known).refused;
    assert_eq!(refused.map(|refused| refused.code), Some(RefusalCode::NoSource));
    // The same line of a service whose other frames are in the tree is the tree's.
    traceback.exceptions = vec![raised(vec![frame("/opt/shop/stock.py", 8, "fetch")])];
    assert!(!diagnose(&life, &[traceback, alone], &found, &Known).diagnoses.is_empty());
}
