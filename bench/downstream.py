"""A service behind authsvc, as its readers would write it: W1's own side."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse

from authsvc.verify.fastapi import Principal, Verifier

auth = Verifier(issuer=os.environ["BENCH_ISSUER"], audience="orders-api")
app = FastAPI(lifespan=auth.lifespan)
auth.install(app)


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
async def orders(who: Annotated[Principal, Depends(auth.require_auth())]) -> JSONResponse:
    return JSONResponse({"sub": who.sub})
