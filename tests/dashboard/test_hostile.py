"""RELIABILITY S12: texts from outside that want to be programs are shown as the texts that they are."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from selenium import webdriver

from tests.dashboard.browser import resize
from tests.dashboard.hostile import CORPUS, hostile
from tests.dashboard.stage import Person
from tests.dashboard.threads import in_background

pytestmark = pytest.mark.timeout(120)
#: What a page made of markup would have: elements that are not the page's own.
STRANGERS = """
  const ours = 'html,head,meta,title,link,script[src^="static/"],body,noscript,div,header,nav,main,section,a,p,span,ul'
    + ',ol,li,dl,dt,dd,h1,h2,h3,button,input,select,option,label,details,summary,time,meter,svg,polyline,rect,canvas'
    + ',table,tbody,tr,td,form:not([action])';
  return [...document.querySelectorAll('*')].filter((e) => !e.matches(ours)).map((e) => e.outerHTML.slice(0, 200));
"""
HANDLERS = """
  return [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some(({ name, value }) =>
    name.startsWith('on') || (['href', 'src', 'action'].includes(name) && /^\\s*(java|data|vb)/i.test(value))))
    .map((e) => e.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module")
def address(driver: webdriver.Chrome) -> Iterator[str]:
    with in_background(hostile) as url:
        yield url


def test_the_corpus_is_large() -> None:
    assert len(set(CORPUS)) >= 50


@pytest.mark.parametrize("view", ["markets", "market", "health", "premium"])
def test_nothing_of_what_is_said_is_executed(driver: webdriver.Chrome, address: str, view: str) -> None:
    resize(driver, 1280, 4000)
    person = Person(driver, address)
    person.leave()
    person.asked()
    venue = CORPUS[2]
    person.go(f"market/{quote(venue, safe='')}/{quote(CORPUS[0], safe='')}" if view == "market" else view)
    person.reads("#pill", "Live")
    shown = {
        "markets": (".code", set(CORPUS)),
        "market": ("h1", {CORPUS[0]}),
        "health": (".card h3", set(CORPUS)),
        "premium": (".empty", {"The premium needs Upbit and OKX: start the gateway with both."}),
    }[view]
    person.until(lambda: shown[1] <= set(person.texts(shown[0])), f"the texts, as they are, in {view}")
    if view == "health":
        notices = person.texts(".notices li")
        assert [text for text in CORPUS if not any(text in notice for notice in notices)] == [], "each announcement"
        assert any(CORPUS[1] in text for text in person.texts(".gaps-list .cause"))
    for element in person.all("a, button")[:20]:
        driver.execute_script("arguments[0].dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))", element)
    assert driver.execute_script(STRANGERS) == []
    assert driver.execute_script(HANDLERS) == []
    assert driver.execute_script("return window.harm ?? 0") == 0
    assert person.asked() == []
    assert person.complaints() == []


def test_the_policy_would_stop_what_the_page_let_through(driver: webdriver.Chrome, address: str) -> None:
    """The second wall: even code of the page's own could not do it."""
    person = Person(driver, address)
    person.go("markets")
    person.see("#pill")
    assert "TrustedHTML" in tried(driver, "element.innerHTML = '<b>x</b>'")
    assert "Trusted" in tried(driver, "document.createElement('script').text = 'window.harm = 1'")
    tried(driver, "element.setAttribute('onclick', 'window.harm = 1'); element.click()")
    assert driver.execute_script("return window.harm ?? 0") == 0
    person.complaints()


def tried(driver: webdriver.Chrome, attempt: str) -> str:
    """What came of it."""
    guarded = f"try {{ {attempt}; return 'done' }} catch (e) {{ return `${{e}}` }}"
    return str(driver.execute_script(f"const element = document.createElement('i'); {guarded}"))
