import asyncio

from .printer import print_label


def label_job(url, text):
    return asyncio.run(print_label(url, text))
