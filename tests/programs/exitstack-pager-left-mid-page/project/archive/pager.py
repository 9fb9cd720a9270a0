async def birds(vault):
    async with vault.cursor() as cursor:
        number = 0
        while rows := await cursor.page(number):
            for row in rows:
                yield row
            number += 1
