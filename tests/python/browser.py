#!/usr/bin/env python3
"""Uses a published site as people do, in a real browser: Debian's chromium, driven by Playwright.

    python3 browser.py PUBLIC_FOLDER DATASET AXE_JS [SERVER_URL]

The folder is served as plain files, under the strict content security policy of a careful host; what a server adds is asked of
SERVER_URL, where `essaim serve` shows the same store. Screenshots go to the folder that ESSAIM_SCREENSHOTS names, if any.
"""

import csv
import io
import json
import os
import re
import sys
import unittest
from pathlib import Path
from typing import Any, Dict, List, Tuple
from urllib.parse import unquote

from playwright.sync_api import Page, expect, sync_playwright

import browser_axe
import browser_many
import browsing
from browsing import NARROW, STRICT, Visit, focused, map_ready, tab_to, until

LIGHT = 150_000


class Site(unittest.TestCase):
    """What every site offers, whoever serves it. Subclasses say where it is."""

    folder: Path
    dataset: str
    axe: str
    base: str
    browser: Any
    #: Whether queries run there.
    queries = False

    def visit(self, **options: Any) -> Visit:
        return Visit(self.browser, self.base, **options)

    def latest(self, name: str) -> Path:
        return self.folder / self.dataset / "latest" / name

    def rows(self, table: str) -> List[Dict[str, str]]:
        with open(self.latest(f"{table}.csv"), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def picture(self, page: Any, name: str, **options: Any) -> None:
        """Of a page, or of a part of one."""
        folder = os.environ.get("ESSAIM_SCREENSHOTS")
        if folder:
            page.screenshot(path=str(Path(folder) / f"{type(self).__name__}-{name}.png"), **options)

    # Finding and reading ---------------------------------------------------------------------------------------------

    def test_a_person_finds_the_dataset_and_reads_its_key_figures(self) -> None:
        figures = self.rows("chiffres_cles")
        with self.visit() as visit:
            page = visit.page("index.html")
            page.locator(".cards a").first.click()
            expect(page).to_have_url(f"{self.base}{self.dataset}/index.html")
            cards = page.locator(".keys li")
            expect(cards).to_have_count(len(figures))
            for at, row in enumerate(figures):
                value = cards.nth(at).locator("strong").inner_text()
                digits = "".join(filter(str.isdigit, value))
                self.assertEqual(digits, row["pourcentage"] or row["n"])
                expect(cards.nth(at)).to_contain_text(row["libelle"])
            self.picture(page, "wide", full_page=True)

    def test_the_first_page_is_light_before_the_map(self) -> None:
        with self.visit() as visit:
            weights: Dict[str, int] = {}
            visit.context.on("response", lambda response: weights.update({response.url: len(response.body())}))
            page = visit.page(f"{self.dataset}/index.html")
            page.wait_for_load_state("networkidle")
            self.assertFalse([url for url in weights if "/map-" in url or url.endswith(".geojson")], weights)
            total = sum(weights.values())
            print(f"{type(self).__name__}: the first page is {total} bytes before the map, {len(weights)} requests")
            self.assertLess(total, LIGHT, weights)

    def test_the_other_language_shows_the_same_view(self) -> None:
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            page.get_by_role("button", name="Guadeloupe").click()
            self.moved(page)
            page.locator(".top a[hreflang=en]").click()
            expect(page.locator("html")).to_have_attribute("lang", "en")
            map_ready(page)
            zoom, latitude, longitude = self.view(page)
            self.assertGreater(zoom, 7)
            self.assertTrue(15.8 < latitude < 16.6 and -62 < longitude < -60.9, page.url)
            expect(page.get_by_role("button", name="Show all")).to_be_visible()

    def test_without_script_everything_is_there(self) -> None:
        with self.visit(java_script_enabled=False) as visit:
            for language, title in (("", "Chiffres clés"), ("en/", "Key figures")):
                page = visit.page(f"{self.dataset}/{language}index.html")
                expect(page.locator("#key-figures")).to_have_text(title)
                expect(page.locator(".map img")).to_be_visible()
                expect(page.locator(".map-app")).to_have_count(0)
                self.assertGreater(page.locator("#tables ~ details a[href$='.csv']").count(), 10)
                page.goto(f"{self.base}{self.dataset}/{language}sql.html")
                expect(page.get_by_role("heading", name="DuckDB")).to_be_visible()
                expect(page.locator(".console")).to_be_hidden()

    # The map ---------------------------------------------------------------------------------------------------------

    def test_a_person_filters_the_map_to_a_network_and_opens_a_card(self) -> None:
        wanted = [row for row in self.rows("reseaux_implantations") if row["longitude"]]
        kept = [row for row in wanted if row["reseau"] == "fabrique_a_initiatives"]
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            expect(page.locator(".map-app")).to_contain_text(re.compile(r"Contours\s: IGN, Admin Express, Licence Ouverte 2\.0\."))
            self.picture(page.locator("[data-map]"), "map")
            for box in page.locator(".kinds label").filter(has_not_text="Fabriques").all():
                box.locator("input").uncheck()
            page.get_by_role("button", name="Tout voir").click()
            expect(page.locator(".map-list h3")).to_have_text(f"Lieux visibles ({len(kept)})")
            expect(page.locator(".map-status")).to_have_text(re.compile(f"^{len(kept)} lieux sur "))
            page.locator(".map-list li button").first.click()
            card = page.locator(".map-card")
            expect(card.locator("h3")).to_be_focused()
            name = card.locator("h3").inner_text()
            row = next(row for row in kept if row["nom"] == name)
            expect(card).to_contain_text(row["commune"])
            self.picture(page.locator("[data-map]"), "card")
            # The address brings the same back.
            shared = page.url
            again = visit.page(shared[len(self.base) :])
            expect(again.locator(".map-card h3")).to_have_text(name)
            expect(again.locator(".map-list h3")).to_have_text(f"Lieux visibles ({len(kept)})")
            page.keyboard.press("Escape")
            expect(card).to_be_hidden()
            self.assertTrue(focused(page, ".map-list li button"))

    def test_answers_filter_only_those_who_publish_them(self) -> None:
        rows = [row for row in self.rows("structures") if row["longitude"]]
        silent = {row["nom"] for row in rows if row["reponses_publiees"] == "false"}
        self.assertTrue(silent)
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            page.get_by_text("Filtrer par réponse").click()
            page.get_by_role("button", name="Tout voir").click()
            for column, code in (("statut_juridique", "association"), ("reseaux", "tiers_lieux")):
                page.locator(f"#map-is-{column}").select_option(code)
            fits = [
                row["nom"]
                for row in rows
                if row["statut_juridique"] == "association" and "tiers_lieux" in row["reseaux"].split("|")
            ]
            self.assertTrue(fits and not silent & set(fits))
            expect(page.locator(".map-status")).to_have_text(re.compile(f"^{len(fits)} lieux? sur "))
            names = page.locator(".map-list li button > span[lang]:nth-of-type(2)").all_inner_texts()
            self.assertEqual(sorted(names), sorted(fits)[: len(names)] if len(fits) <= 20 else sorted(names))
            self.assertFalse(silent & set(names))
            # Those who keep their answers to themselves have a card that says so, and no answer in it.
            page.get_by_role("button", name="Effacer les filtres").click()
            page.locator("#map-text").fill(sorted(silent)[0])
            expect(page.locator(".map-status")).to_have_text(re.compile("^[1-9] lieux? sur "))
            # Registries may have a place of the same name.
            page.locator(".map-list li button:has(.dot.a)").first.click()
            expect(page.locator(".map-card h3")).to_have_text(sorted(silent)[0])
            expect(page.locator(".map-card dl")).not_to_contain_text("Statut juridique")
            expect(page.locator(".map-card dl")).to_contain_text("non")

    def test_a_place_can_be_searched_without_its_accents(self) -> None:
        row = next(row for row in self.rows("structures") if "é" in row["nom"] and row["longitude"])
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/en/index.html")
            map_ready(page)
            page.get_by_role("button", name="Show all").click()
            page.locator("#map-text").fill(row["nom"].replace("é", "E"))
            expect(page.locator(".map-list li button").first).to_contain_text(row["nom"])

    def test_the_map_is_used_by_keyboard_alone(self) -> None:
        with self.visit(reduced_motion="reduce") as visit:
            page = visit.page(f"{self.dataset}/index.html#map")
            map_ready(page)
            tab_to(page, ".kinds input")
            page.keyboard.press("Space")
            expect(page.locator(".kinds input").first).not_to_be_checked()
            tab_to(page, ".map-canvas")
            before = self.view(page)
            self.press(page, "+")
            closer = self.view(page)
            self.assertGreater(closer[0], before[0])
            self.press(page, "ArrowRight")
            self.assertGreater(self.view(page)[2], closer[2])
            tab_to(page, ".map-list li button")
            name = page.evaluate("document.activeElement.children[1].textContent")
            page.keyboard.press("Enter")
            expect(page.locator(".map-card h3")).to_have_text(name)
            self.assertTrue(focused(page, ".map-card h3"))
            page.keyboard.press("Escape")
            expect(page.locator(".map-card")).to_be_hidden()
            self.assertEqual(page.evaluate("document.activeElement.children[1].textContent"), name)
            page.keyboard.press("ArrowDown")
            self.assertTrue(focused(page, ".map-list li:nth-child(2) button"))

    @staticmethod
    def moved(page: Page) -> None:
        """Waits until the address tells a view."""
        until(page, "location.hash.startsWith('#map?view=')")

    @staticmethod
    def press(page: Page, key: str) -> None:
        """Presses a key, and waits until the address tells another view."""
        before = page.evaluate("location.hash")
        page.keyboard.press(key)
        until(page, "(hash) => location.hash !== hash", before)

    @staticmethod
    def view(page: Page) -> List[float]:
        hash_ = unquote(page.url.partition("#map?")[2])
        view = dict(part.split("=", 1) for part in hash_.split("&") if "=" in part).get("view", "0/0/0")
        return [float(number) for number in view.split("/")]

    def test_the_wheel_scrolls_the_page_and_with_ctrl_the_map(self) -> None:
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            page.locator(".map-canvas").scroll_into_view_if_needed()
            box = page.locator(".map-canvas").bounding_box()
            assert box
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            top = page.evaluate("scrollY")
            page.mouse.wheel(0, 200)
            until(page, "(top) => scrollY > top", top)
            self.assertNotIn("#map?view=", page.url)
            page.keyboard.down("Control")
            page.mouse.wheel(0, -120)
            page.keyboard.up("Control")
            self.moved(page)

    def test_on_paper_the_drawn_map_stands_in_place_of_the_other(self) -> None:
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            expect(page.locator(".map img")).to_be_hidden()
            page.emulate_media(media="print")
            expect(page.locator(".map img")).to_be_visible()
            expect(page.locator(".map-app")).to_be_hidden()
            self.picture(page, "print", full_page=True)

    # Files -----------------------------------------------------------------------------------------------------------

    def test_a_person_downloads_the_csv(self) -> None:
        with self.visit() as visit:
            page = visit.page(f"{self.dataset}/index.html")
            link = page.locator("#tables ~ details a[href$='/structures.csv']")
            link.locator("xpath=ancestor::details").locator("summary").click()
            with page.expect_download() as waiting:
                link.click()
            data = Path(waiting.value.path()).read_bytes()
            self.assertEqual(data, self.latest("structures.csv").read_bytes())
            self.assertIn("nom", next(csv.reader(io.StringIO(data.decode("utf-8")))))

    # Telephones ------------------------------------------------------------------------------------------------------

    def test_nothing_is_wider_than_a_telephone(self) -> None:
        for scheme in ("light", "dark"):
            with self.visit(viewport=NARROW, color_scheme=scheme, is_mobile=True, has_touch=True) as visit:
                for path in ("index.html", f"{self.dataset}/index.html", f"{self.dataset}/sql.html"):
                    page = visit.page(path)
                    if page.locator("#map").count():
                        map_ready(page)
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    self.assertLessEqual(wide, NARROW["width"], path)
                    name = path.replace("/", "-").removesuffix(".html")
                    self.picture(page, f"narrow-{scheme}-{name}", full_page=True)

    def test_one_finger_scrolls_the_page_and_two_zoom_the_map(self) -> None:
        with self.visit(viewport=NARROW, is_mobile=True, has_touch=True) as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            page.locator(".map-canvas").scroll_into_view_if_needed()
            touches = visit.context.new_cdp_session(page)

            def touch(kind: str, *points: Tuple[float, float]) -> None:
                fingers = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
                touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

            def middle() -> Tuple[float, float]:
                box = page.locator(".map-canvas").bounding_box()
                assert box
                return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

            top = page.evaluate("scrollY")
            x, y = middle()
            touch("touchStart", (x, y))
            for step in range(12):
                touch("touchMove", (x, y - 10 * step))
            touch("touchEnd")
            until(page, "(top) => scrollY > top", top)
            page.locator(".map-canvas").scroll_into_view_if_needed()
            x, y = middle()
            touch("touchStart", (x - 20, y), (x + 20, y))
            for step in range(12):
                touch("touchMove", (x - 20 - 6 * step, y), (x + 20 + 6 * step, y))
            touch("touchEnd")
            until(page, "parseFloat(location.hash.split('view=')[1]) >= 6")

    def test_what_is_pressed_is_large_enough(self) -> None:
        with self.visit(viewport=NARROW, is_mobile=True, has_touch=True) as visit:
            page = visit.page(f"{self.dataset}/index.html")
            map_ready(page)
            for face in page.locator(".map-app button:visible, .map-app select:visible").all():
                box = face.bounding_box()
                assert box
                self.assertGreaterEqual(min(box["width"], box["height"]), 24, face.inner_text())


class PlainFiles(Site):
    """The public folder behind a host of plain files."""

    def test_a_query_cannot_run_and_the_page_says_how_else(self) -> None:
        with self.visit() as visit:
            # The browser itself notes that the address is not there.
            visit.expected.append("404")
            page = visit.page(f"{self.dataset}/sql.html")
            page.get_by_role("button", name="Exécuter").click()
            expect(page.locator("#console-problem")).to_contain_text("DuckDB")
            expect(page.get_by_role("heading", name="DuckDB")).to_be_visible()

    def test_a_page_from_the_disk_stays_as_it_was_written(self) -> None:
        with Visit(self.browser, self.folder.as_uri() + "/") as visit:
            page = visit.page(f"{self.dataset}/index.html#map")
            expect(page.locator(".map img")).to_be_visible()
            expect(page.locator(".map-app")).to_have_count(0)


class Served(Site):
    """The same store shown by `essaim serve`."""

    queries = True

    def console(self, visit: Visit, language: str = "") -> Page:
        page = visit.page(f"{self.dataset}/{language}sql.html")
        page.locator("[data-console][data-script=ready]").wait_for()
        return page

    @property
    def schema(self) -> str:
        return self.dataset.replace("-", "_")

    def ask(self, page: Page, query: str) -> None:
        page.locator("#console-query").fill(query)
        page.keyboard.press("Control+Enter")

    def test_a_person_runs_a_query_and_shares_its_link(self) -> None:
        structures = self.rows("structures")
        query = f"SELECT count(*) AS n, 'à & #?' AS texte\nFROM {self.schema}.structures"
        with self.visit() as visit:
            page = self.console(visit)
            self.ask(page, query)
            cells = page.locator(".console-result tbody td")
            expect(cells).to_have_text([str(len(structures)), "à & #?"])
            expect(page.locator(".console-result caption")).to_contain_text("1 ligne")
            expect(page.locator(".console-result .pages")).to_be_hidden()
            self.picture(page, "console", full_page=True)
            again = visit.page(page.url[len(self.base) :])
            expect(again.locator("#console-query")).to_have_value(query)
            expect(again.locator(".console-result tbody td")).to_have_text([str(len(structures)), "à & #?"])
            # The other language runs it too.
            again.locator(".top a[hreflang=en]").click()
            expect(again.locator(".console-result caption")).to_contain_text("1 row")

    def test_a_result_is_downloaded_in_each_form(self) -> None:
        import pyarrow.ipc
        import pyarrow.parquet

        names = sorted(row["nom"] for row in self.rows("structures"))
        with self.visit() as visit:
            page = self.console(visit, "en/")
            self.ask(page, f"SELECT nom FROM {self.schema}.structures ORDER BY nom")
            page.locator(".console-result").wait_for()
            got: Dict[str, bytes] = {}
            for form in ("CSV", "Parquet", "JSON", "Arrow"):
                with page.expect_download() as waiting:
                    page.locator(".console-result a", has_text=form).first.click()
                got[form] = Path(waiting.value.path()).read_bytes()
            rows = csv.DictReader(io.StringIO(got["CSV"].decode("utf-8")))
            self.assertEqual(sorted(row["nom"] for row in rows), names)
            table = pyarrow.parquet.read_table(io.BytesIO(got["Parquet"]))
            self.assertEqual(sorted(table["nom"].to_pylist()), names)
            self.assertEqual(len(json.loads(got["JSON"])["rows"]), len(names))
            stream = pyarrow.ipc.open_stream(io.BytesIO(got["Arrow"])).read_all()
            self.assertEqual(sorted(stream["nom"].to_pylist()), names)

    def test_a_mistake_is_shown_with_a_caret_and_mended(self) -> None:
        with self.visit() as visit:
            # The browser itself notes that the query was refused.
            visit.expected.append("400")
            page = self.console(visit)
            self.ask(page, f"SELECT nom,\n       comune\nFROM {self.schema}.structures")
            problem = page.locator("#console-problem")
            expect(problem.locator("pre")).to_have_text(re.compile("^       comune\n       \\^"))
            expect(problem).to_contain_text("ligne 2, colonne 8")
            expect(problem).to_contain_text("commune")
            expect(page.locator("#console-query")).to_be_focused()
            self.picture(page, "mistake", full_page=True)
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowRight")
            page.keyboard.type("m")
            page.keyboard.press("Control+Enter")
            expect(problem).to_be_empty()
            expect(page.locator(".console-result caption")).to_contain_text("lignes")

    def test_columns_examples_and_history_fill_the_query(self) -> None:
        with self.visit() as visit:
            page = self.console(visit)
            query = page.locator("#console-query")
            page.locator("[data-use] button").nth(1).click()
            expect(query).to_have_value(
                f"SELECT region, count(*) AS n\nFROM {self.schema}.structures\nGROUP BY region\nORDER BY n DESC, region"
            )
            page.keyboard.press("Control+Enter")
            page.locator(".console-result").wait_for()
            query.fill("SELECT ")
            page.locator(f"summary:has-text('{self.schema}.structures')").click()
            page.locator("[data-insert=region] button:visible").first.click()
            expect(query).to_have_value("SELECT region")
            page.reload()
            page.locator(".console-history summary").click()
            page.locator(".console-history button.query").first.click()
            expect(query).to_have_value(re.compile(r"^SELECT region, count\(\*\)"))
            page.get_by_role("button", name="Effacer l’historique").click()
            expect(page.locator(".console-history")).to_be_hidden()
            self.assertIsNone(page.evaluate("localStorage.getItem('essaim-queries')"))

    def test_a_long_result_is_turned_page_by_page(self) -> None:
        count = len(self.rows("indicateurs"))
        self.assertGreater(count, 50)
        with self.visit() as visit:
            page = self.console(visit)
            self.ask(page, f"SELECT * FROM {self.schema}.indicateurs")
            expect(page.locator(".console-result tbody tr")).to_have_count(50)
            page.get_by_role("button", name="Suivantes").click()
            expect(page.locator(".console-result .pages")).to_contain_text(f"51–{min(100, count)} sur {count}")

    def test_the_console_is_used_by_keyboard_alone(self) -> None:
        with self.visit() as visit:
            page = self.console(visit)
            tab_to(page, "#console-query")
            page.keyboard.press("Control+a")
            page.keyboard.type(f"SELECT 1 AS un FROM {self.schema}.chiffres_cles LIMIT 1")
            tab_to(page, ".console button.main")
            page.keyboard.press("Enter")
            expect(page.locator(".console-result tbody td")).to_have_text(["1"])
            tab_to(page, ".console-result a")


def main() -> int:
    if not browsing.chromium():
        print("SKIPPED: no chromium is installed (tests/run.sh installs it)")
        return 0
    arguments = sys.argv[1:]
    Site.folder, Site.dataset = Path(arguments[0]).resolve(), arguments[1]
    Site.axe = Path(arguments[2]).read_text("utf-8")
    server = arguments[3] if len(arguments) > 3 else None
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite()
    with browsing.hosted(Site.folder, {"Content-Security-Policy": STRICT}) as plain, sync_playwright() as playwright:
        Site.browser = browsing.launch(playwright)
        PlainFiles.base = plain
        suite.addTests(loader.loadTestsFromTestCase(PlainFiles))
        suite.addTests(browser_axe.suite(PlainFiles, browser_axe.Pages))
        suite.addTests(browser_many.suite(Site))
        if server:
            Served.base = server
            suite.addTests(loader.loadTestsFromTestCase(Served))
            suite.addTests(browser_axe.suite(Served, browser_axe.Console))
        chosen = os.environ.get("ESSAIM_BROWSER_TESTS")
        if chosen:
            every = [test for test in flat(suite) if chosen in test.id()]
            suite = unittest.TestSuite(every)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
        Site.browser.close()
    print(f"{result.testsRun} tests of the site in chromium {'passed' if result.wasSuccessful() else 'FAILED'}")
    return 0 if result.wasSuccessful() and result.testsRun else 1


def flat(suite: unittest.TestSuite) -> List[unittest.TestCase]:
    tests: List[unittest.TestCase] = []
    for test in suite:
        tests.extend(flat(test) if isinstance(test, unittest.TestSuite) else [test])
    return tests


if __name__ == "__main__":
    sys.exit(main())
