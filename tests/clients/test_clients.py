"""Which client is calling, and what it may ask for."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from authsvc.clients.service import Client, Clients
from authsvc.clients.settings import ClientSettings, client_problems
from authsvc.kernel.errors import Code, Refusal

PUBLIC_URL = "https://auth.example.com"
WEB = ClientSettings(
    origins=("https://app.example.com", "https://www.example.com"),
    return_to=("https://app.example.com/",),
    audiences=("orders-api", "stock-api"),
    account_api=True,
)
SHOP = ClientSettings(
    origins=("https://shop.example.com",),
    return_to=("https://shop.example.com/app",),
    audiences=("shop-api",),
)
CLI = ClientSettings(native=True, audiences=("orders-api",), label="Command line")
TABLE = {"web": WEB, "shop": SHOP, "cli": CLI}


def clients(
    table: Mapping[str, ClientSettings] = TABLE, *, public_url: str = PUBLIC_URL, dev: bool = False
) -> Clients:
    return Clients.of(table, public_url=public_url, dev=dev)


def named(everyone: Clients, name: str) -> Client:
    client = everyone.by_id(name)
    assert client is not None
    return client


class TestWhoIsCalling:
    def test_each_origin_belongs_to_its_client(self) -> None:
        everyone = clients()
        for origin, name in (
            ("https://app.example.com", "web"),
            ("https://www.example.com", "web"),
            ("https://shop.example.com", "shop"),
            (PUBLIC_URL, "ui"),
        ):
            assert everyone.by_origin(origin) == everyone.by_id(name)
            assert everyone.is_allowed_origin(origin)

    @pytest.mark.parametrize(
        "origin",
        [
            "",
            "null",
            "*",
            "https://evil.example",
            "https://app.example.com/",
            "https://APP.example.com",
            "https://app.example.com:443",
            "http://app.example.com",
            "https://app.example.com.evil.example",
            "https://xapp.example.com",
            "http://localhost:5173",
            "https://app.example.com https://evil.example",
        ],
    )
    def test_near_misses_belong_to_nobody(self, origin: str) -> None:
        assert clients().by_origin(origin) is None
        assert not clients().is_allowed_origin(origin)

    def test_the_hosted_screens_are_a_client_of_their_own(self) -> None:
        ui = named(clients(), "ui")
        assert ui.hosted
        assert ui.audience(None) == ("authsvc",)
        assert ui.audience("authsvc") == ("authsvc",)

    def test_an_app_on_our_own_origin_shares_it_with_the_screens(self) -> None:
        shared = ClientSettings(origins=(PUBLIC_URL,), audiences=("orders-api",))
        client = clients({"web": shared}).by_origin(PUBLIC_URL)
        assert client is not None
        assert (client.id, client.hosted) == ("web", True)
        assert client.audience(None) == ("orders-api",)
        assert client.audience("authsvc") == ("authsvc",)

    def test_dev_mode_lets_any_localhost_port_speak_for_the_first_web_client(self) -> None:
        local = ClientSettings(origins=("http://localhost:3000",), audiences=("orders-api",))
        everyone = clients({"cli": CLI, "web": local}, public_url="http://localhost:8000", dev=True)
        assert everyone.by_origin("http://localhost:5173") == everyone.by_id("web")
        assert everyone.by_origin("http://localhost:8000") == everyone.by_id("ui")
        assert everyone.by_origin("http://127.0.0.1:5173") is None
        assert everyone.by_origin("http://localhost.evil.example") is None

    def test_dev_mode_without_clients_knows_only_the_screens(self) -> None:
        everyone = clients({}, public_url="http://localhost:8000", dev=True)
        assert everyone.by_origin("http://localhost:5173") is None

    def test_an_unknown_name_is_nobody(self) -> None:
        assert clients().by_id("nobody") is None


class TestAudiences:
    def test_all_of_the_clients_own_unless_it_names_one(self) -> None:
        web = named(clients(), "web")
        assert web.audience(None) == ("orders-api", "stock-api")
        assert web.audience("stock-api") == ("stock-api",)
        assert web.audience("authsvc") == ("authsvc",)

    def test_a_client_of_the_account_api_alone_gets_that(self) -> None:
        only = ClientSettings(origins=("https://me.example.com",), account_api=True)
        assert named(clients({"me": only}), "me").audience(None) == ("authsvc",)

    @pytest.mark.parametrize("audience", ["authsvc", "orders-api", "", "shop-api shop-api"])
    def test_others_are_refused(self, audience: str) -> None:
        with pytest.raises(Refusal) as refused:
            named(clients(), "shop").audience(audience)
        assert refused.value.code is Code.VALIDATION_FAILED
        assert refused.value.pointer == "#/audience"


class TestReturning:
    def test_under_a_registered_prefix(self) -> None:
        everyone = clients()
        url = "https://shop.example.com/app/basket?x=1"
        assert everyone.check_return_to(named(everyone, "shop"), url) == url

    @pytest.mark.parametrize(
        ("name", "url"),
        [
            ("shop", "https://shop.example.com/apple"),
            ("shop", "https://app.example.com/"),
            ("shop", "https://evil.example/"),
            ("shop", "javascript:alert(1)"),
            ("cli", "https://app.example.com/"),
            ("web", "http://localhost:5173/"),
            ("ui", "https://auth.example.com/v1/x"),
        ],
    )
    def test_elsewhere_is_refused_and_the_log_names_the_setting(self, name: str, url: str) -> None:
        everyone = clients()
        with pytest.raises(Refusal) as refused:
            everyone.check_return_to(named(everyone, name), url)
        assert refused.value.code is Code.RETURN_TO_NOT_ALLOWED
        assert refused.value.pointer == "#/return_to"
        assert url not in refused.value.log
        if url.startswith("http"):
            assert f"clients.{name}.return_to" in refused.value.log

    def test_the_hosted_screens_return_to_themselves(self) -> None:
        everyone = clients()
        url = f"{PUBLIC_URL}/ui/account"
        assert everyone.check_return_to(named(everyone, "ui"), url) == url

    def test_dev_mode_returns_to_any_localhost_page_of_a_web_client(self) -> None:
        local = ClientSettings(origins=("http://localhost:3000",), audiences=("orders-api",))
        everyone = clients({"web": local, "cli": CLI}, public_url="http://localhost:8000", dev=True)
        url = "http://localhost:5173/deep"
        assert everyone.check_return_to(named(everyone, "web"), url) == url
        for name, other in (
            ("cli", url),
            ("web", "http://localhost:5173/../x"),
            ("web", "http://localhost.evil.example/"),
        ):
            with pytest.raises(Refusal):
                everyone.check_return_to(named(everyone, name), other)


class TestTable:
    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"origins": ["https://app.example.com"]},
            {"origins": [], "audiences": ["a"]},
            {"origins": ["https://app.example.com/"], "audiences": ["a"]},
            {"origins": ["https://a.example.com"] * 2, "audiences": ["a"]},
            {"origins": ["https://a.example.com"], "audiences": ["authsvc"]},
            {"origins": ["https://a.example.com"], "audiences": ["a b"]},
            {"origins": ["https://a.example.com"], "audiences": [""]},
            {"origins": ["https://a.example.com"], "audiences": ["a", "a"]},
            {"native": True},
            {"native": True, "audiences": ["a"], "origins": ["https://a.example.com"]},
            {"native": True, "audiences": ["a"], "return_to": ["app.example.com"]},
            {"native": True, "audiences": ["a"], "return_to": ["https://a.example.com/#x"]},
            {"native": True, "audiences": ["a"], "return_to": ["https://a.example.com/?x=1"]},
            {"native": True, "audiences": ["a"], "return_to": ["http://a.example.com/"]},
            {"native": True, "audiences": ["a"], "return_to": ["https://*.example.com/"]},
            {"native": True, "audiences": ["a"], "redirect": []},
        ],
    )
    def test_an_entry_that_makes_no_sense_is_refused(self, values: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            ClientSettings.model_validate(values)

    def test_the_table_of_the_tests_is_fine(self) -> None:
        assert client_problems(TABLE, public_url=PUBLIC_URL, dev=False) == []

    def test_one_origin_cannot_have_two_clients_and_both_are_named(self) -> None:
        twin = ClientSettings(origins=("https://app.example.com",), audiences=("b",))
        [problem] = client_problems({"web": WEB, "twin": twin}, public_url=PUBLIC_URL, dev=False)
        assert "clients.web.origins" in problem
        assert "clients.twin.origins" in problem
        with pytest.raises(ValueError, match=r"clients\.twin\.origins"):
            clients({"web": WEB, "twin": twin})

    @pytest.mark.parametrize("name", ["ui", "Web", "a b", "", "-a", "a" * 65, "é"])
    def test_a_name_that_is_reserved_or_odd_is_refused(self, name: str) -> None:
        assert client_problems({name: SHOP}, public_url=PUBLIC_URL, dev=False)

    def test_another_site_is_refused_unless_it_is_localhost_in_dev(self) -> None:
        far = ClientSettings(origins=("https://myapp.io",), audiences=("a",))
        [problem] = client_problems({"far": far}, public_url=PUBLIC_URL, dev=False)
        assert "clients.far.origins" in problem
        near = ClientSettings(origins=("http://localhost:5173",), audiences=("a",))
        assert client_problems({"near": near}, public_url=PUBLIC_URL, dev=True)
        assert not client_problems({"near": near}, public_url="http://localhost:8000", dev=True)
