/* Keeps a claim while its request is being read: form[data-renew] (seconds) is sent again by itself, but only from a page that is seen
 * and on which somebody moved, scrolled or typed since the last time. A page left alone lets its claim lapse. */
(() => {
  "use strict";
  let moved = false;
  let last = Date.now();
  for (const sign of ["scroll", "pointermove", "keydown"]) addEventListener(sign, () => { moved = true; }, { passive: true, capture: true });
  setInterval(() => {
    const form = document.querySelector("form[data-renew]");
    if (!form || document.hidden || !moved || Date.now() - last < form.dataset.renew * 1000) return;
    [last, moved] = [Date.now(), false];
    htmx.ajax("POST", form.action, { source: form, target: "#claim", swap: "outerHTML", headers: { "X-Live": "1" } });
  }, 5000);
})();
