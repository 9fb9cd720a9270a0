from till import create_app
from till.counter import SOLD
from till.receipts import PRINTED

client = create_app().test_client()
for number in range(3):
    assert client.post(f"/sell/{number}").status_code == 200
print("sold:", len(SOLD))
print(f"receipts printed: {len(PRINTED)} of 3")
print("till closed")
