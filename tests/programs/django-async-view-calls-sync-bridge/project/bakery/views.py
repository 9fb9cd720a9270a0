from django.http import HttpResponse
from django.urls import path

from .bridge import shelf_line


def shelf(request, kind):
    return HttpResponse(shelf_line(kind))


async def live_shelf(request, kind):
    return HttpResponse(shelf_line(kind))


urlpatterns = [path("sync/<kind>", shelf), path("async/<kind>", live_shelf)]
