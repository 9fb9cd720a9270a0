"""Calls synchronous functions that run a loop of their own twice each: `MODULE:FUNCTION…`."""

import importlib
import os
import sys
import traceback

sys.path.insert(0, os.getcwd())


def main():
    failed = False
    for name in sys.argv[1:]:
        module, _, function = name.partition(":")
        found = importlib.import_module(module)
        for part in function.split("."):
            found = getattr(found, part)
        for number in (1, 2):
            try:
                print("call", number, "of", name, "->", found(), flush=True)
            except Exception:
                failed = True
                traceback.print_exc()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
