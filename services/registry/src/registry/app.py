"""The only place where the registry is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.external import ExternalStore
from modelyard_platform.http import create_app
from modelyard_platform.manifests import Signer, Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_platform.presigning import Presigner
from modelyard_platform.service import Running, background, running
from registry.api import assets, blobs, cards, datasets, explanations, governance, integrity, lineage, resources, scopes
from registry.api.parts import Parts
from registry.clients import HttpScheduler
from registry.settings import Settings
from registry.subscribers import subscribers
from registry.usecases import inspecting, profiles, signing, tokens
from registry.usecases import lineage as graph
from registry.usecases.datasets import Datasets
from registry.usecases.external import Outside
from registry.usecases.version_files import VersionFiles
from registry.usecases.version_tasks import settle_first, work


def build(settings: Settings) -> FastAPI:
    """The registry's application."""
    here: Running | None = None
    key = settings.identity_key.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(running(settings, service="registry", subscribers=subscribers))
            store = ObjectStore(settings)
            client = ServiceClient(settings.scheduler_url, service="registry", identity_key=key)
            stack.push_async_callback(client.close)
            signer = None if settings.signing_key is None else Signer.read(settings.signing_key)
            files = VersionFiles(here.pool, store, None if signer is None else Verifier(signer.public_key))
            presigner = Presigner(settings.s3_public_url, settings) if settings.s3_public_url else None
            outside = Outside(ExternalStore(settings))
            app.state.parts = Parts(
                here.pool,
                store,
                HttpScheduler(client),
                outside,
                Datasets(files, outside),
                files,
                signer,
                presigner,
            )
            if settings.owner_token_sha256:
                await tokens.ensure_owner(here.pool, settings.owner_token_sha256)
            await stack.enter_async_context(background(profiles.work(files, outside)))
            settle = partial(signing.settle, signing.Signing(store, signer))
            await settle_first(here.pool, signing.kinds(signer), settle)
            await stack.enter_async_context(background(work(here.pool, signing.kinds(signer), settle)))
            inspect = partial(inspecting.inspect_model, files)
            await stack.enter_async_context(background(work(here.pool, ("inspection",), inspect)))
            await stack.enter_async_context(background(graph.build_missing(here.pool)))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    routers = [
        *assets.routers(),
        *resources.routers(),
        blobs.router,
        datasets.router,
        datasets.internal,
        cards.router,
        explanations.router,
        lineage.router,
        governance.router,
        governance.internal,
        scopes.router,
        integrity.router,
    ]
    return create_app(service="registry", identity_key=key, routers=routers, lifespan=lifespan, ready=ready)
