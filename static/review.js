/* The review page's reading record. A part with data-section counts as viewed after a second on screen (a fold: opened and on
 * screen). Viewing ticks its box (input name="viewed") in form[data-decision]; without this script a person ticks it by hand.
 * Milliseconds and openings go into the form's input name="reading". Buttons with data-unlock wait for every box with
 * data-must, unless Reject is chosen; pressed too early they lead to the first part still to be read. */
(() => {
  "use strict";
  const { all } = window.holdpoint;
  const STEP = 250;
  const ENOUGH = 1000;
  const read = {}; // section -> { ms, opens }
  const onScreen = new Set();
  const form = () => document.querySelector("form[data-decision]");
  const boxes = () => [...(form()?.elements ?? [])].filter((field) => field.name === "viewed");
  const entry = (section) => (read[section] ??= { ms: 0, opens: 0 });

  const watcher = new IntersectionObserver((changes) => {
    for (const { target, intersectionRatio, intersectionRect } of changes) {
      const seen = intersectionRatio >= 0.6 || intersectionRect.height >= innerHeight / 2;
      onScreen[seen ? "add" : "delete"](target);
    }
  }, { threshold: [0, 0.2, 0.4, 0.6, 0.8, 1] });

  const open = (part) => !part.matches("details") || part.open;
  setInterval(() => {
    if (document.hidden) return;
    for (const part of onScreen) {
      if (!part.isConnected) onScreen.delete(part);
      else if (open(part)) entry(part.dataset.section).ms += STEP;
    }
    show();
  }, STEP);

  function show() {
    for (const box of boxes()) {
      if (!box.checked && (read[box.value]?.ms ?? 0) >= ENOUGH) box.checked = true;
      box.setAttribute("aria-readonly", "true");
    }
    // Signing alone asks for the same parts, in a form of its own.
    for (const box of all("#glass-form [name=viewed]")) box.checked ||= (read[box.value]?.ms ?? 0) >= ENOUGH;
    all("[data-unlock]").forEach(unlock);
    offer();
    const record = form()?.elements.namedItem("reading");
    if (record) record.value = JSON.stringify(read);
  }

  // Refusing is possible at once; whoever has not chosen yet is told what approving still needs.
  const rejecting = () => form()?.elements.namedItem("verdict")?.value === "reject";
  // Only the reasons that fit the answer are offered; what was chosen and no longer fits is let go.
  function offer() {
    const reason = form()?.querySelector("[data-when-rejecting]");
    const answer = form()?.elements.namedItem("verdict")?.value;
    if (!reason || !answer) return;
    const unfit = rejecting() ? reason.dataset.notWhenRejecting : reason.dataset.whenRejecting;
    for (const group of reason.querySelectorAll("optgroup")) group.hidden = group.disabled = group.label === unfit;
    if (reason.selectedOptions[0]?.parentElement.disabled) reason.value = "";
  }

  const unread = () => (rejecting() ? [] : boxes().filter((box) => "must" in box.dataset && !box.checked));

  function unlock(button) {
    if ("jsBusy" in button.dataset) return;
    const missing = unread().map((box) => box.labels[0]?.textContent.trim() || box.value);
    const why = missing.length ? `Still to view before approving: ${missing.join(", ")}.` : "";
    if (why) { button.setAttribute("aria-disabled", "true"); button.dataset.why = why; } else { button.removeAttribute("aria-disabled"); }
    const note = button.form?.querySelector("[data-unlock-note]");
    if (note && note.textContent !== why) note.textContent = why;
  }

  function leadOn() {
    const part = document.querySelector(`[data-section="${CSS.escape(unread()[0].value)}"]`);
    const heading = part?.querySelector("summary, h2");
    if (!heading) return;
    if (heading.matches("h2")) heading.setAttribute("tabindex", "-1");
    part.scrollIntoView({ block: "start" });
    heading.focus({ preventScroll: true });
  }

  // On window: app.js refuses the click on the document and says why; this comes before it.
  window.addEventListener("click", ({ target }) => {
    const button = target.closest?.("[data-unlock]");
    if (!button || "jsStale" in document.documentElement.dataset) return;
    show();
    if (!("jsBusy" in button.dataset) && unread().length) leadOn();
  }, true);
  document.addEventListener("click", (event) => { if (event.target.matches("form[data-decision] input[name=viewed]")) event.preventDefault(); });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details[data-section]") && event.target.open) entry(event.target.dataset.section).opens += 1;
  }, true);
  const watch = () => all("[data-section]").forEach((part) => watcher.observe(part));
  document.addEventListener("htmx:after:swap", () => { watch(); show(); });
  for (const moment of ["holdpoint:released", "change"]) document.addEventListener(moment, show);
  watch();
  show();
})();
