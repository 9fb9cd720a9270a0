"""Proves the mend of each case with `fix --verify`, and compares what the proof says with what the case says must hold.

With --wrong, changes that are known to be wrong are given to `verify` instead: none may be proved. A line of JSON for each
proof. Standard library only; the cases and their environments are those of run_cases.py.
"""
import argparse
import ast
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path


def load(root):
    spec = importlib.util.spec_from_file_location("run_cases", root / "run_cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(case):
    variables = [f"{name}={shlex.quote(value)}" for name, value in case.get("env", {}).items()]
    return " ".join([*variables, shlex.join(case["run"])])


def prove(cases, folder, case, python, tool, given, more):
    result = {"case": folder.name, "given": given, "refuse": bool(case.get("refuse")), "skipped": None, "faults": []}
    with tempfile.TemporaryDirectory(prefix="proof-") as scratch:
        project = Path(scratch) / "project"
        shutil.copytree(folder / "project", project)
        subprocess.run(["chmod", "-R", "u+w", str(project)], check=True)
        original = cases.tree(project)
        started = time.monotonic()
        cases.run(case["run"], python, project, case)
        result["own"] = round(time.monotonic() - started, 3)
        shutil.rmtree(project)
        shutil.copytree(folder / "project", project)
        subprocess.run(["chmod", "-R", "u+w", str(project)], check=True)
        words = [tool, "fix", "--verify", "--log", str(folder / "evidence.log"), "--output-format", "json", *more]
        if given:
            words += ["--run", command(case)]
        env = dict(os.environ, VIRTUAL_ENV=str(python.parent.parent), XDG_STATE_HOME=str(Path(scratch) / "state"))
        started = time.monotonic()
        ran = subprocess.run([*words, str(project)], capture_output=True, text=True, errors="replace", timeout=1200, env=env)
        result["seconds"] = round(time.monotonic() - started, 3)
        result["status"] = ran.returncode
        try:
            report = json.loads(ran.stdout)
        except ValueError:
            return result | {"faults": ["report"], "detail": (ran.stdout + ran.stderr)[-1500:]}
        proof = report.get("proof") or {}
        result["level"] = proof.get("level")
        result["reasons"] = proof.get("reasons", [])
        result["failures"] = proof.get("failures", [])
        result["way"] = (proof.get("reproduction") or {}).get("way")
        runs = proof.get("runs", [])
        result["runs"] = len(runs)
        result["ran"] = round(sum(run["milliseconds"] for run in runs) / 1000, 3)
        result["test"] = (proof.get("regression_test") or {}).get("path")
        result["cause"] = (report.get("diagnosis") or {}).get("cause")
        now = cases.tree(project)
        applied = bool((report.get("patch") or {}).get("applied"))
        if result["refuse"] or not applied:
            if now != original:
                result["faults"].append("touched")
            return result
        failed, after = cases.hold_after(case, python, project)
        result["holds"] = not failed
        if failed and result["level"] == "proved":
            result["faults"].append("proved, and does not hold: " + " ".join(failed))
            result["detail"] = after[-1500:]
        if result["test"]:
            result["test_text"] = (project / result["test"]).read_text() if (project / result["test"]).exists() else None
    return result


def statement_at(tree, line):
    """The innermost simple statement at a line."""
    found = None
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno and not hasattr(node, "body"):
            found = node
    return found


def wrong_changes(case, project):
    """Name and files of each change that mends nothing or loses something."""
    for number, place in enumerate(case.get("locate", [])[:2]):
        path = project / place["path"]
        if path.suffix != ".py":
            continue
        text = path.read_text()
        lines = text.splitlines(keepends=True)
        tree = ast.parse(text)
        statement = next(filter(None, (statement_at(tree, line) for line in range(place["lines"][0], place["lines"][1] + 1))), None)
        if statement is None or isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        first, last = statement.lineno - 1, statement.end_lineno
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        inner = ["    " + line for line in lines[first:last]]
        swallowed = [f"{indent}try:\n", *inner, f"{indent}except Exception:\n", f"{indent}    pass\n"]
        told = [f"{indent}try:\n", *inner, f"{indent}except Exception as error:\n", f"{indent}    print('ignored', error)\n"]
        for name, instead in [("drop", [f"{indent}pass\n"]), ("swallow", swallowed), ("print", told)]:
            yield f"{name}-{number}", {place["path"]: "".join(lines[:first] + instead + lines[last:])}
    quiet = "import os, sys\nsys.stderr = open(os.devnull, 'w')\nos.dup2(sys.stderr.fileno(), 2)\n"
    ended = "import sys\nsys.exit(0)\n"
    for word in case["run"][1:]:
        names = [word, word.replace(".", "/") + ".py", word.replace(".", "/") + "/__main__.py"]
        entry = next((name for name in names if name.endswith(".py") and (project / name).is_file()), None)
        if entry:
            text = (project / entry).read_text()
            yield "quiet", {entry: quiet + text}
            yield "exit", {entry: ended + text}
            break
    for path in sorted(project.glob("**/test_*.py")):
        tree = ast.parse(path.read_text())
        tests = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")]
        lines = path.read_text().splitlines(keepends=True)
        relative = str(path.relative_to(project))
        for test in tests[:3]:
            first = min([test.lineno, *[decorator.lineno for decorator in test.decorator_list]]) - 1
            yield f"no-{test.name}", {relative: "".join(lines[:first] + lines[test.end_lineno:])}
            indent = " " * test.body[0].col_offset
            yield f"idle-{test.name}", {relative: "".join(lines[: test.body[0].lineno - 1] + [f"{indent}pass\n"] + lines[test.end_lineno:])}


def disprove(cases, folder, case, python, tool, more):
    """Gives wrong changes to `verify`."""
    with tempfile.TemporaryDirectory(prefix="proof-") as scratch:
        project = Path(scratch) / "project"
        git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", str(project)]
        shutil.copytree(folder / "project", project)
        subprocess.run(["chmod", "-R", "u+w", str(project)], check=True)
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
            subprocess.run([*git, *arguments], check=True)
        for name, files in list(wrong_changes(case, project)):
            for path, text in files.items():
                (project / path).write_text(text)
            words = [tool, "verify", "--log", str(folder / "evidence.log"), "--output-format", "json", "--run", command(case), *more]
            env = dict(os.environ, VIRTUAL_ENV=str(python.parent.parent), XDG_STATE_HOME=str(Path(scratch) / "state"))
            ran = subprocess.run([*words, str(project)], capture_output=True, text=True, errors="replace", timeout=1200, env=env)
            result = {"case": folder.name, "wrong": name, "skipped": None, "faults": []}
            try:
                proof = json.loads(ran.stdout)["proof"]
            except (ValueError, KeyError):
                result |= {"faults": ["report"], "detail": (ran.stdout + ran.stderr)[-800:]}
            else:
                result |= {"level": proof["level"], "reasons": proof["reasons"], "failures": proof["failures"]}
                if proof["level"] == "proved":
                    failed, _ = cases.hold_after(case, python, project)
                    result["holds"] = not failed
                    if failed or name.startswith(("no-", "idle-", "quiet", "exit")):
                        result["faults"].append("a wrong change is proved")
            yield result
            subprocess.run([*git, "checkout", "-q", "--", "."], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--only", choices=["given", "found"])
    parser.add_argument("--wrong", action="store_true", help="changes that must not be proved")
    parser.add_argument("--more", default="", help="more arguments for the tool")
    args = parser.parse_args()
    module = load(args.root)
    folders = sorted(p.parent for p in args.root.glob("*/case.toml") if not args.cases or p.parent.name in args.cases)
    for folder in folders:
        case = tomllib.loads((folder / "case.toml").read_text())
        absent = [name for name in case.get("services", []) if not module.service_up(name)]
        python = None if absent else module.environment_for(case)
        if args.wrong:
            if python is not None and not case.get("refuse"):
                for result in disprove(module, folder, case, python, args.tool, shlex.split(args.more)):
                    print(json.dumps(result), flush=True)
            continue
        for given in [True, False]:
            if args.only and (args.only == "given") != given:
                continue
            if python is None:
                why = f"no {', '.join(absent)} on loopback" if absent else f"no Python {case['python']} here"
                result = {"case": folder.name, "given": given, "skipped": why, "faults": []}
            else:
                result = prove(module, folder, case, python, args.tool, given, shlex.split(args.more))
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
