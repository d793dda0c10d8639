"""The worker: relays events, sends mail, rotates keys and sweeps; beside the api or alone."""

from authsvc.bootstrap.services import Services
from authsvc.platform.loops import Job, Loop

_KEYS_EVERY, _RELOAD_EVERY, _SWEEP_EVERY, _SAMPLE_EVERY = 60.0, 30.0, 600.0, 1.0


def worker_of(services: Services) -> Loop:
    """The loop over everything that happens after the fact."""
    return Loop(
        services.ground.uow,
        jobs=(
            Job("relay", 0.0, services.relay.run_once),
            Job("mail", 0.0, services.dispatch.run_once),
            Job("keys", _KEYS_EVERY, services.keys.run_due),
            Job("sweep", _SWEEP_EVERY, services.sweeps.run_once),
        ),
    )


def reloader_of(services: Services) -> Loop:
    """The loop that every serving process needs, also when a worker runs apart."""
    return Loop(
        services.ground.uow,
        jobs=(
            Job("signing keys", _RELOAD_EVERY, services.signing.load),
            Job("pool", _SAMPLE_EVERY, services.ground.sample_pool),
        ),
    )
