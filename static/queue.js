/* The queue's selection. Rows are ticked by hand or by x; the bar says how many. Approving together is offered only while the ticked
 * rows are equal ones of the first tier (same data-alike) and few enough; the server judges again. Without this file the bar works. */
(() => {
  "use strict";
  const { all, say } = window.holdpoint;
  const MOST = 20;
  const bar = () => document.querySelector("form[data-bulk]");
  const boxes = () => all("input[data-select]");

  function show() {
    const form = bar();
    if (!form) return;
    const ticked = boxes().filter((box) => box.checked);
    const kinds = new Set(ticked.map((box) => box.dataset.alike || ""));
    form.querySelector("[data-bulk-count]").textContent = `${ticked.length} selected`;
    const fits = form.elements.namedItem("rows").value === "selected" && ticked.length > 0 && ticked.length <= MOST && kinds.size === 1 && !kinds.has("");
    form.querySelector("[data-bulk-approve]").hidden = !fits;
    const none = form.elements.namedItem("rows").value === "selected" && !ticked.length;
    for (const button of all("button[name=act]", form)) {
      if ("jsBusy" in button.dataset) continue;
      button.dataset.why = "Select rows first, or choose all that match.";
      if (none) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }

  document.addEventListener("change", (event) => { if (event.target.matches("[data-select], form[data-bulk] select")) show(); });
  document.addEventListener("reset", (event) => { if (event.target.matches("[data-bulk]")) { setTimeout(show); say("Nothing is selected."); } });
  for (const change of ["htmx:after:swap", "holdpoint:released"]) document.addEventListener(change, show);
  show();
})();
