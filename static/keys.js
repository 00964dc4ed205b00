/* Shortcuts. A single key moves, opens or chooses; it never sends anything. data-shortcuts="off" on <html> ends them all but
 * Ctrl+Enter and Escape. Rows are [data-row]; controls name their key in aria-keyshortcuts; nav links in data-go. */
(() => {
  "use strict";
  const { all } = window.holdpoint;
  const root = document.documentElement;
  let going = 0;

  const typing = (target) => target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=submit])");

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return send(event);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (root.dataset.shortcuts === "off" || typing(event.target) || document.querySelector("dialog[open]")) return;
    const act = going > Date.now() ? goTo(event.key) : KEYS[event.key] || turnPage(event) || choose(event.key);
    going = event.key === "g" ? Date.now() + 1500 : 0;
    if (act) { event.preventDefault(); act(); }
  });

  const KEYS = {
    "?": () => document.getElementById("help").showModal(),
    "/": () => document.querySelector("#go, input[type=search]")?.focus(),
    g: () => {},
    j: () => step(1),
    k: () => step(-1),
    x: () => tickRow(),
  };

  function goTo(key) {
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    return link && (() => link.click());
  }

  /* A link is followed, an answer is chosen, a fold is opened for typing, a button only gets the focus: pressing it stays a
   * decision of its own. */
  function choose(key) {
    const named = all("[aria-keyshortcuts]").filter((one) => one.getAttribute("aria-keyshortcuts").split(" ").includes(key) && one.offsetParent !== null);
    const control = named.find((one) => current()?.contains(one)) || named[0]; // in a list: the row one stands on
    if (!control) return null;
    return () => {
      if (control.matches("a[href]")) return control.click();
      if (control.matches("summary")) return unfold(control.parentElement);
      if (control.matches("input[type=radio]") && !control.checked) {
        control.checked = true;
        control.dispatchEvent(new Event("change", { bubbles: true }));
      }
      control.focus();
    };
  }

  function unfold(fold) {
    fold.open = true;
    fold.querySelector("textarea, select, input:not([type=hidden])")?.focus();
  }

  const rows = () => all("[data-row]").filter((row) => row.offsetParent !== null);
  const current = () => document.activeElement?.closest("[data-row]");
  function step(by) {
    const list = rows();
    const at = list.indexOf(current());
    const row = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + by, 0), list.length - 1)];
    row?.querySelector("a[href], button")?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }
  function tickRow() {
    const box = current()?.querySelector("input[type=checkbox]");
    if (!box) return;
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /* The form one is in; the page's own where one is in none. A search, the help and a link have a Ctrl+Enter of their own: the
   * browser's, a new tab. None of them may send a decision that stands filled in elsewhere on the page. */
  function record({ target }) {
    if (document.querySelector("dialog[open]") || target.closest?.("a")) return null;
    const own = target.closest?.("form, button, summary");
    return own ? own.closest("form[method=post]") : document.querySelector("form[data-record]");
  }

  function send(event) {
    const form = record(event);
    if (!form) return;
    event.preventDefault();
    form.querySelector("button:not([type]), button[type=submit]")?.click(); // as a finger would: a locked button says why
  }

  /* A column beside the content scrolls by itself; from one of its buttons it is still the page that is read on. */
  function turnPage(event) {
    const by = { PageDown: 1, PageUp: -1 }[event.key];
    return by && event.target.closest("aside") && (() => window.scrollBy(0, by * innerHeight * 0.85));
  }
})();
