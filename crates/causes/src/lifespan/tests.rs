use std::sync::Arc;

use loopmend_model::{Settings, SourceFile, Tree};
use loopmend_python::lifecycle::Lifecycle;

use super::{App, Phase, apps};

fn life(files: &[(&str, &str)]) -> Lifecycle {
    let mut files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: Arc::from(*text) })
        .collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Lifecycle::read(&Tree { files, settings: Settings::default(), ..Tree::default() })
}

fn told(life: &Lifecycle, app: &App) -> Vec<String> {
    app.handlers
        .iter()
        .map(|handler| {
            let name = handler.function().map_or("?".to_owned(), |function| {
                life.facts(function.file).function(function.id).name.to_string()
            });
            let phase = match handler.phase {
                Phase::Startup => "+",
                Phase::Shutdown => "-",
                Phase::Cleanup => "--",
                Phase::Context => "±",
            };
            format!("{phase}{name}")
        })
        .collect()
}

#[test]
fn decorators_calls_parameters_and_lists() {
    let life = life(&[(
        "main.py",
        "from fastapi import FastAPI\nfrom starlette.applications import Starlette\nfrom aiohttp import web\n\
         def a(): ...\ndef b(): ...\n\
         app = FastAPI(on_startup=[a])\n\
         app.add_event_handler('startup', b)\n\
         @app.router.on_event('shutdown')\nasync def c(): ...\n\
         app.router.on_shutdown.append(a)\n\
         star = Starlette(on_startup=[a, b], on_shutdown=[lambda: None])\n\
         def make():\n    site = web.Application()\n    site.on_startup.append(a)\n    site.cleanup_ctx.extend([b])\n    site.on_cleanup.append(a)\n    return site\n",
    )]);
    let apps = apps(&life);
    assert_eq!(apps.len(), 3);
    assert_eq!(told(&life, &apps[0]), ["+a", "+b", "-c", "-a"]);
    assert_eq!(told(&life, &apps[1]), ["+a", "-<lambda>", "+b"]);
    assert_eq!(told(&life, &apps[2]), ["+a", "±b", "--a"]);
}

#[test]
fn a_function_that_registers_in_another_module() {
    let life = life(&[
        (
            "app/events.py",
            "from fastapi import FastAPI\n\
             def register(app: FastAPI) -> None:\n    @app.on_event('startup')\n    async def up():\n        pass\n    @app.on_event('shutdown')\n    async def down():\n        pass\n",
        ),
        (
            "app/main.py",
            "from fastapi import FastAPI\nfrom app.events import register\nfrom app.routes import router\n\
             def create():\n    app = FastAPI(title='x')\n    app.include_router(router)\n    register(app)\n    @app.on_event('startup')\n    def last(): ...\n    return app\napp = create()\n",
        ),
        (
            "app/routes.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.on_event('startup')\ndef warm(): ...\n",
        ),
        ("app/late.py", "from app.main import app\n@app.on_event('startup')\ndef late(): ...\n"),
    ]);
    let apps = apps(&life);
    assert_eq!(apps.len(), 2);
    assert_eq!(told(&life, &apps[0]), ["+up", "-down", "+last", "+late"]);
    assert_eq!(apps[0].included.len(), 1);
    assert_eq!(told(&life, &apps[1]), ["+warm"]);
}

#[test]
fn lifespans() {
    let life = life(&[(
        "main.py",
        "import contextlib\nfrom fastapi import FastAPI\n\
         @contextlib.asynccontextmanager\nasync def life(app):\n    yield\n\
         class Life:\n    def __init__(self, app): ...\n    async def __aenter__(self): ...\n    async def __aexit__(self, *exc): ...\n\
         one = FastAPI(lifespan=life)\ntwo = FastAPI(lifespan=Life)\nthree = FastAPI(lifespan=None)\n\
         four = FastAPI()\nfour.router.lifespan_context = life\n",
    )]);
    let apps = apps(&life);
    assert!(apps[0].lifespan.as_ref().is_some_and(|life| life.generator().is_some()));
    assert_eq!(apps[0].lifespan.as_ref().map(|given| given.yields(&life).len()), Some(1));
    assert!(matches!(
        apps[1].lifespan.as_ref().map(|given| given.kind),
        Some(super::app::LifespanKind::Class(_))
    ));
    assert!(apps[2].lifespan.is_none());
    assert!(apps[3].lifespan.is_some());
}

#[test]
fn an_application_under_an_annotation_and_an_alias() {
    let life = life(&[(
        "main.py",
        "from fastapi import FastAPI as F\ndef a(): ...\n\
         def make():\n    application: F = F()\n    application.add_event_handler('startup', a)\n    return application\n",
    )]);
    let apps = apps(&life);
    assert_eq!(told(&life, &apps[0]), ["+a"]);
    assert_eq!(apps[0].name.as_deref(), Some("application"));
}
