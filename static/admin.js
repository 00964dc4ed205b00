/* A form of the admin is sent once, however often it is pressed. Back makes it ready again, and so do thirty seconds. */
(() => {
  "use strict";
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (sent.has(form)) return event.preventDefault();
    sent.add(form);
    setTimeout(() => sent.delete(form), 30000);
  });
  window.addEventListener("pageshow", () => sent.clear());
})();
