import logging

from asgiref.sync import sync_to_async
from django.http import Http404, HttpResponse
from django.urls import path

from .bridge import shelf_line

log = logging.getLogger("bakery")


async def live_shelf(request, kind):
    try:
        return HttpResponse(await sync_to_async(shelf_line)(kind))
    except LookupError as error:
        log.warning("asked for %s", kind, exc_info=True)
        raise Http404(kind) from error


urlpatterns = [path("async/<kind>", live_shelf)]
