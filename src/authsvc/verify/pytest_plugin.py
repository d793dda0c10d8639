"""pytest plugin: ``authsvc_tokens`` makes access tokens that the code under test accepts."""

from collections.abc import Iterator

import pytest

from authsvc.verify.testing import TestTokens


@pytest.fixture
def authsvc_tokens() -> Iterator[TestTokens]:
    """Makes tokens with a local key; during the test all verifiers trust it, and it alone.

    ``authsvc_tokens(sub="usr_1", roles=["support"], acr="aal2").headers`` goes into a request.
    Nothing touches the network.
    """
    with TestTokens().trusted() as tokens:
        yield tokens
