from celery import Celery

app = Celery("scales", broker="memory://", include=["scales.tasks"])
app.conf.task_always_eager = True
app.conf.task_eager_propagates = True
