"""Orders: a service that takes authsvc's tokens. Start: uvicorn main:app --port 8001"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware

from authsvc.verify.fastapi import Principal, Verifier

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
SPA = os.environ.get("SPA", "http://localhost:5173")

auth = Verifier(issuer=ISSUER, audience="orders-api")
app = FastAPI(title="Orders", lifespan=auth.lifespan)
auth.install(app)
app.add_middleware(
    CORSMiddleware,
    allow_origins=[SPA],
    allow_methods=["GET", "DELETE"],
    allow_headers=["Authorization"],
    expose_headers=["WWW-Authenticate"],
)

SignedIn = Annotated[Principal, Depends(auth.require_auth())]
Confirmed = Annotated[Principal, Depends(auth.require_auth(mfa=True, max_age=600))]

ORDERS = {
    "1001": {"number": "1001", "what": "Two pounds of coffee", "state": "on its way"},
    "1002": {"number": "1002", "what": "A blue bicycle bell", "state": "being packed"},
}


@app.get("/api/catalogue")
async def catalogue() -> dict[str, list[str]]:
    """What can be bought: open to everybody."""
    return {"items": ["Coffee", "Bicycle bells", "Umbrellas"]}


@app.get("/api/orders")
async def list_orders(me: SignedIn) -> dict[str, object]:
    """The orders: for anybody who is signed in."""
    return {"for": me.sub, "items": list(ORDERS.values())}


@app.delete("/api/orders/{number}")
async def cancel_order(number: str, me: Confirmed) -> dict[str, str]:
    """Cancel an order: only after a second step not older than ten minutes."""
    if number not in ORDERS:
        raise HTTPException(404)
    return ORDERS[number] | {"state": "cancelled", "by": me.sub}
