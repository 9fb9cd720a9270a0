from asgiref.sync import async_to_sync

from .stock import count_loaves


def loaves(kind):
    """For views and commands that are not async."""
    return async_to_sync(count_loaves)(kind)


def shelf_line(kind):
    return f"{kind}: {loaves(kind)}"
