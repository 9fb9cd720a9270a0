from asgiref.sync import async_to_sync

from .stock import count_loaves


def shelf_line(kind):
    return f"{kind}: {async_to_sync(count_loaves)(kind)}"
