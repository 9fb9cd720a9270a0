import logging

from till import create_app
from till.receipts import PRINTED

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
client = create_app().test_client()
print("answers:", *(client.post(f"/sell/{number}").status_code for number in range(3)))
print(f"receipts printed: {len(PRINTED)} of 3")
print("till closed")
