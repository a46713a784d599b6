"""axe-core on every page of a site: in both languages, light and dark, wide and narrow, with parts opened and used."""

import re
import unittest
from typing import Any, Iterator, List, Tuple, Type
from urllib.parse import quote

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
    """Asks axe about pages as they are."""

    site: Type[Any]

    def looked(self, page: Page, look: str) -> None:
        page.evaluate(self.site.axe)
        with self.subTest(page=page.url, look=look):
            self.assertEqual(page.evaluate(RUN, TAGS), [])


class Pages(Axe):
    def test_no_page_breaks_a_rule_of_axe(self) -> None:
        site = self.site
        every = pages(site.folder, site.dataset)
        for look, options in looks():
            with Visit(site.browser, site.base, **options) as visit:
                for path in every:
                    page = visit.page(path)
                    used(page)
                    self.looked(page, look)
                    page.close()
        print(f"axe looked at {len(every)} pages in {len(list(looks()))} ways")


class Console(Axe):
    """What a page shows only where queries run."""

    def test_no_result_and_no_mistake_breaks_a_rule_of_axe(self) -> None:
        site = self.site
        schema = site.dataset.replace("-", "_")
        good, bad = f"SELECT * FROM {schema}.indicateurs", f"SELECT comune FROM {schema}.structures"
        for look, options in looks():
            with Visit(site.browser, site.base, **options) as visit:
                # The browser itself notes that a query was refused.
                visit.expected.append("400")
                for language in ("", "en/"):
                    for query, shown in ((good, ".console-result table"), (bad, "#console-problem pre")):
                        page = visit.page(f"{site.dataset}/{language}sql.html#q={quote(query)}")
                        page.locator(shown).first.wait_for()
                        used(page)
                        self.looked(page, look)
                        page.close()


def suite(site: Type[Any], kind: Type[Axe]) -> unittest.TestSuite:
    named = type(f"{site.__name__}{kind.__name__}Axe", (kind,), {"site": site})
    return unittest.defaultTestLoader.loadTestsFromTestCase(named)
