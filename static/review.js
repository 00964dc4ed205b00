/* The review page's reading record. A part with data-section counts as viewed after a second on screen (a fold: opened and on
 * screen). Viewing ticks its box (input name="viewed") in form[data-decision]; without this script a person ticks it by hand, with
 * it a click leads to the part. Milliseconds, openings and the folds opened go into the form's input name="reading". Buttons with
 * data-unlock wait for every box with data-must, unless Reject is chosen; pressed too early they lead to the first part unread. */
(() => {
  "use strict";
  const { all, say } = window.holdpoint;
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
    narrow();
    all("[data-unlock]").forEach(unlock);
    const record = form()?.elements.namedItem("reading");
    if (record) record.value = JSON.stringify(read);
  }

  // Refusing is possible at once; whoever has not chosen yet is told what approving still needs.
  const rejecting = () => form()?.elements.namedItem("verdict")?.value === "reject";
  const unread = () => (rejecting() ? [] : boxes().filter((box) => "must" in box.dataset && !box.checked));

  function unlock(button) {
    if ("jsBusy" in button.dataset) return;
    const missing = unread().map((box) => box.labels[0]?.textContent.trim() || box.value);
    const why = missing.length ? `Still to view before approving: ${missing.join(", ")}.` : "";
    if (why) { button.setAttribute("aria-disabled", "true"); button.dataset.why = why; } else { button.removeAttribute("aria-disabled"); }
    const note = button.form?.querySelector("[data-unlock-note]");
    if (note && note.textContent !== why) note.textContent = why;
  }

  // A reason speaks for one answer: those of the other are no choice once the answer is chosen.
  function narrow() {
    const list = form()?.elements.namedItem("reason_code");
    const fitting = list?.getAttribute(`data-fit-${form().elements.namedItem("verdict")?.value}`)?.split(" ");
    if (!fitting) return;
    for (const option of list.options) option.hidden = option.disabled = option.value !== "" && !fitting.includes(option.value);
    for (const group of all("optgroup", list)) group.hidden = [...group.children].every((option) => option.hidden);
    if (list.selectedOptions[0]?.disabled) list.value = "";
  }

  function leadTo(section) {
    const part = document.querySelector(`[data-section="${CSS.escape(section)}"]`);
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
    if (!("jsBusy" in button.dataset) && unread().length) leadTo(unread()[0].value);
  }, true);
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!box.matches("form[data-decision] input[name=viewed]")) return;
    event.preventDefault();
    if ((read[box.value]?.ms ?? 0) >= ENOUGH) return;
    leadTo(box.value);
    say(`“${box.labels[0]?.textContent.trim()}” was not on your screen yet. Here it is; its box ticks itself.`);
  });
  // A fold inside a part is opened, or not: the record names those that were.
  document.addEventListener("toggle", ({ target: fold }) => {
    const part = fold.closest?.("[data-section]");
    if (!part || !fold.open || fold.dataset.kept) return void delete fold.dataset?.kept;
    const seen = entry(part.dataset.section);
    if (part === fold) seen.opens += 1;
    else if (fold.id && !seen.folds?.includes(fold.id)) seen.folds = [...(seen.folds ?? []), fold.id];
  }, true);
  // What is put in the place of the page, after a refusal for instance, is as open as it was.
  let kept = [];
  document.addEventListener("htmx:before:swap", () => { kept = all("#review details[id][open]").map((fold) => fold.id); });
  document.addEventListener("htmx:after:swap", () => {
    for (const fold of kept.map((id) => document.getElementById(id))) if (fold && !fold.open) Object.assign(fold, { open: true }).dataset.kept = "yes";
    kept = [];
  });
  // Another act, or more said about it: nobody has viewed that yet.
  const seen = () => form()?.elements.namedItem("view")?.value;
  let view = seen();
  function forget() {
    if (view && seen() && view !== seen()) {
      for (const part of Object.keys(read)) delete read[part];
      for (const box of all("#review [name=viewed], #second-look [name=viewed]")) box.checked = false;
    }
    view = seen() ?? view;
  }
  const watch = () => all("[data-section]").forEach((part) => watcher.observe(part));
  document.addEventListener("htmx:after:swap", () => { forget(); watch(); show(); });
  for (const moment of ["holdpoint:released", "change"]) document.addEventListener(moment, show);
  watch();
  show();
})();
