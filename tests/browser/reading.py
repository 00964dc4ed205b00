"""How somebody in a browser reads a request: each part on screen for a moment, then its box ticked by hand."""


def read_through(page, form="#decision-form"):
    for box in page.locator(f"{form} input[name=viewed]").all():
        page.locator(f"[data-section={box.get_attribute('value')}]").scroll_into_view_if_needed()
        # A second on screen is enough, and before it a tick is not taken.
        page.wait_for_timeout(1400)
        box.check()
