import logging

from desk import Desk, DeskShut

logging.basicConfig(format="%(levelname)s %(message)s")
with Desk() as desk:
    for letter in ("rent", "tax", "aunt"):
        sent = desk.send(letter)
print("sent:", sent)
try:
    desk.send("late")
except DeskShut:
    logging.exception("late letter turned away")
print("over")
