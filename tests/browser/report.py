"""Opens HTML reports in headless Chromium: no error in the console, sorting, filters, keyboard, themes, screenshots.

Not part of the test suite, which needs no browser. See README.md beside it.
"""

import argparse
import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

WIDTHS = (1280, 400)


def check(truth, what):
    if not truth:
        sys.exit(f"FAILED: {what}")
    print(f"  ok: {what}")


def texts(page, selector):
    return page.eval_on_selector_all(selector, "nodes => nodes.map(node => node.textContent)")


def sorts(page):
    """Every sortable table can be turned round from the keyboard, and says so."""
    tables = page.query_selector_all("div.table")
    checked = 0
    for table in tables:
        button = table.query_selector("thead th button")
        rows = table.query_selector_all("tbody tr")
        if button is None or len(rows) < 3:
            continue
        button.focus()
        page.keyboard.press("Enter")
        head = table.query_selector("thead th")
        first = head.get_attribute("aria-sort")
        up = [row.text_content() for row in table.query_selector_all("tbody tr > :first-child")]
        page.keyboard.press("Space")
        second = head.get_attribute("aria-sort")
        down = [row.text_content() for row in table.query_selector_all("tbody tr > :first-child")]
        if {first, second} != {"ascending", "descending"} or (len(set(up)) > 1 and up == down):
            sys.exit(f"FAILED: a table does not sort: {first}, {second}, {up[:3]}, {down[:3]}")
        checked += 1
    check(checked > 0, f"{checked} tables sort from the keyboard and say in which order")


def filters(page):
    box = page.query_selector("#trace input[type=search]")
    before = len(page.query_selector_all("#trace tbody tr"))
    box.fill("no such operator anywhere")
    page.wait_for_timeout(300)
    check(len(page.query_selector_all("#trace tbody tr")) == 0, "the trace can be filtered to nothing")
    box.fill("")
    page.wait_for_timeout(300)
    check(len(page.query_selector_all("#trace tbody tr")) == before, "and back")


def overflows(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def look(browser, path, shots):
    print(path)
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
            page = context.new_page()
            problems, requests = [], []
            page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("request", lambda request: requests.append(request.url))
            page.goto(path.resolve().as_uri())
            page.wait_for_selector("#trace")
            if shots:
                page.screenshot(path=shots / f"{path.stem}-{width}-{scheme}.png", full_page=True)
            check(overflows(page) <= 0, f"{scheme}, {width} pixels: nothing sticks out sideways")
            sorts(page)
            filters(page)
            theme = page.evaluate("document.documentElement.dataset.theme")
            check(theme == scheme, f"the page follows the system's {scheme} scheme")
            page.focus("#theme")
            page.keyboard.press("Enter")
            check(page.evaluate("document.documentElement.dataset.theme") != theme, "the button turns the theme round")
            with page.expect_download() as download:
                page.click("#save")
            data = json.loads(pathlib.Path(download.value.path()).read_text())
            check("passes" in (data[0] if isinstance(data, list) else data), "the data can be saved")
            points = page.query_selector_all("#pipelines .plot [role=button]")
            if points:
                points[-1].focus()
                page.keyboard.press("Enter")
                check(page.query_selector("#pipelines [aria-pressed=true]") is not None, "a point of the plot chooses its pipeline")
            check(all(url.startswith(("file:", "blob:", "data:")) for url in requests), "nothing is loaded")
            check(not problems, f"nothing in the console {problems}")
            context.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=pathlib.Path, help="written by `edgesmith optimize MODEL --report report.html`")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--screenshots", type=pathlib.Path, help="a folder to put screenshots into")
    args = parser.parse_args()
    if args.screenshots:
        args.screenshots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        for path in args.reports:
            look(browser, path, args.screenshots)
        browser.close()


if __name__ == "__main__":
    main()
