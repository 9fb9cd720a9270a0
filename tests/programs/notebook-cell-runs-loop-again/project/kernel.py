"""Runs the cells of an exported notebook as a kernel does: in one running loop, with top-level await."""
import ast
import asyncio
import inspect
import pathlib
import sys
import traceback


async def run_cell(path, scope):
    code = compile(path.read_text(), str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, scope)
    if inspect.isawaitable(result):
        await result


async def main(folder):
    scope = {"__name__": "__main__"}
    for number, path in enumerate(sorted(pathlib.Path(folder).glob("c*.py")), 1):
        print(f"In [{number}]: {path.stem}")
        try:
            await run_cell(path, scope)
        except Exception:
            traceback.print_exc()
            return 1
    return 0


status = asyncio.run(main(sys.argv[1]))
print("kernel idle")
sys.exit(status)
