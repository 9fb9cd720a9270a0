import aiohttp
import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def catalogue_session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.asyncio
async def test_catalogue(catalogue_session):
    async with catalogue_session.get("http://catalogue.test/") as response:
        assert response.status == 200
