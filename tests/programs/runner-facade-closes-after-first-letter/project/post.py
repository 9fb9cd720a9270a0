from desk import Desk

desk = Desk()
sent = 0
for letter in ("rent", "tax", "aunt"):
    sent = desk.send(letter)
print("sent:", sent)
print("desk shut")
