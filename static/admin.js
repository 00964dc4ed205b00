/* What a form of the admin does beyond Django's own scripts: it is sent once, and what was typed outlives a sign-in that ran out. */
(() => {
  "use strict";

  // --- Sent once, however often it is pressed. Back makes it ready again, and so do thirty seconds. --------------------
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (sent.has(form)) return event.preventDefault();
    sent.add(form);
    setTimeout(() => sent.delete(form), 30000);
    saveSent(form);
  });
  window.addEventListener("pageshow", () => sent.clear());

  // --- Typed text: in this tab, for the same person. The page of the sign-in, or of a refusal, keeps it (keepSent in app.js). --
  const person = document.querySelector("#user-tools strong")?.textContent ?? "";
  const draftOf = (form) => `draft ${person} ${location.pathname} ${form.id} ${form.getAttribute("action") ?? ""}`;
  // Not the left one of the two lists that Django makes of a list of groups or permissions: it is named after the other.
  const fields = (form) => [...form.elements].filter((field) => field.matches("textarea, select, input:not([type=hidden], [type=password], [type=file], [type=submit])") && field.name && !field.matches("select.filtered[name$=_old]"));
  const ticks = (field) => field.matches("[type=checkbox], [type=radio]");
  const options = (list, which) => [...list.options].filter((option) => option[which]).map((option) => [option.value, option.text]).sort();
  // What was chosen when the page came: the two lists do not know it any more.
  const lists = new Map([...document.querySelectorAll("select.selectfilter, select.selectfilterstacked")].map((list) => [list.name, options(list, "defaultSelected")]));
  const said = (field) => ticks(field) ? field.checked : field.matches("select") ? options(field, "selected") : field.value;
  const given = (field) => ticks(field) ? field.defaultChecked : field.matches("select") ? lists.get(field.name) ?? options(field, "defaultSelected") : field.defaultValue;
  // What the page filled in is not theirs: brought back, it would undo what somebody else has saved meanwhile.
  const refused = (field) => field.form.matches(":has(.errorlist)");
  const theirs = (field) => JSON.stringify(said(field)) !== JSON.stringify(given(field)) || refused(field);
  const holds = (pairs, value) => pairs.some((pair) => pair[0] === value);
  const without = (pairs, others) => pairs.filter(([value]) => !holds(others, value));
  // Of a list, what they chose and what they took out of it; of one that was not taken nobody knows against what.
  const changed = (field) => refused(field) ? { chosen: said(field) } : { added: without(said(field), given(field)), removed: without(given(field), said(field)) };

  function saveSent(form) {
    const typed = fields(form).map((field) => (!theirs(field) ? null : field.matches("select") ? changed(field) : said(field)));
    sessionStorage.setItem("sent", JSON.stringify([[draftOf(form), JSON.stringify(typed)]]));
    sessionStorage.setItem("sent from", location.href.split("#")[0]);
  }

  function restore(form) {
    const told = JSON.parse(sessionStorage.getItem(draftOf(form)) || "null");
    sessionStorage.removeItem(draftOf(form));
    const places = fields(form);
    if (told?.length !== places.length) return false; // another version of the form
    places.forEach((field, at) => {
      if (told[at] === null) return;
      if (ticks(field)) field.checked = told[at];
      else if (field.matches("select")) choose(field, told[at]);
      else field.value = told[at];
    });
    return true;
  }

  // A person is looked up while one types: the list holds only whoever is chosen.
  function choose(list, { chosen, added = chosen, removed }) {
    for (const [value, text] of added) if (![...list.options].some((option) => option.value === value)) list.add(new Option(text, value));
    for (const option of list.options) option.selected = holds(added, option.value) || (!chosen && option.selected && !holds(removed, option.value));
  }

  // A page that another one than the form's led to is no answer (keepSent in app.js): what was typed waits for its form.
  const from = sessionStorage.getItem("sent from");
  const lost = from && document.referrer && document.referrer !== from;
  if (lost) for (const [draft, text] of JSON.parse(sessionStorage.getItem("sent") || "[]")) sessionStorage.setItem(draft, text);
  if (!from || document.referrer) for (const kept of ["sent", "sent from"]) sessionStorage.removeItem(kept);
  if (lost) note(document.getElementById("content"), "No answer came to the form that you sent. It may have been saved all the same: look before you send it again. What you typed is in it when you open it.");
  const back = [...document.querySelectorAll("#content form[method=post]")].filter(restore);
  if (back.length) note(back[0], "What you had typed is back. It is not saved yet.");

  function note(place, textContent) {
    const said = Object.assign(document.createElement("p"), { className: "why-not", role: "status", textContent });
    place.before(said);
  }
})();
