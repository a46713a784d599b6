"""axe-core on every page of a site: in both languages, light and dark, wide and narrow, with parts opened and used."""

import re
import unittest
from typing import Any, Iterator, List, Tuple, Type

from playwright.sync_api import Page

from browsing import NARROW, WIDE, Visit, map_ready

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
(tags) => axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`)))
"""


def looks() -> Iterator[Tuple[str, Any]]:
    for width, viewport in (("wide", WIDE), ("narrow", NARROW)):
        for scheme in ("light", "dark"):
            narrow = width == "narrow"
            yield f"{width}, {scheme}", {
                "viewport": viewport,
                "color_scheme": scheme,
                "is_mobile": narrow,
                "has_touch": narrow,
                "reduced_motion": "reduce",
                # The page's own policy would refuse the script of the test.
                "bypass_csp": True,
            }


def pages(folder: Any, dataset: str) -> List[str]:
    """Every page that a person comes to, from the catalogue on."""
    waiting, seen = ["index.html"], []
    while waiting:
        path = waiting.pop()
        if path in seen or not (folder / path).is_file():
            continue
        seen.append(path)
        for link in re.findall(r'href="([^"#?]*\.html)"', (folder / path).read_text("utf-8").replace("&#x2f;", "/")):
            if not link.startswith(("http:", "https:")):
                target = (folder / path).parent / link
                waiting.append(str(target.resolve().relative_to(folder)))
    assert any(path.startswith(dataset) for path in seen), seen
    return sorted(seen)


def used(page: Page) -> None:
    """Opens what can be opened, so that it is looked at too."""
    if page.locator("#map").count() and page.locator("[data-map]").count():
        map_ready(page)
        page.locator(".map-list li button").first.click()
        page.locator(".map-card h3").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")


class Axe(unittest.TestCase):
    site: Type[Any]

    def test_no_page_breaks_a_rule_of_axe(self) -> None:
        site = self.site
        every = pages(site.folder, site.dataset)
        looked = 0
        for look, options in looks():
            with Visit(site.browser, site.base, **options) as visit:
                for path in every:
                    page = visit.page(path)
                    used(page)
                    page.evaluate(site.axe)
                    with self.subTest(path=path, look=look):
                        self.assertEqual(page.evaluate(RUN, TAGS), [])
                    page.close()
                    looked += 1
        print(f"{site.__name__}: axe looked {looked} times, at {len(every)} pages")


def suite(site: Type[Any]) -> unittest.TestSuite:
    named = type(f"{site.__name__}Axe", (Axe,), {"site": site})
    return unittest.defaultTestLoader.loadTestsFromTestCase(named)
