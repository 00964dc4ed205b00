/* What every page does beyond links and forms: says things, counts down, sends once, keeps focus and typed text.
 *
 * No framework, nothing inline, nothing evaluated. Attributes that only scripts set start with data-js-; live updates
 * leave them alone. Live regions are in live.js, shortcuts in keys.js, the review page's reading record in review.js. */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const drift = Date.parse(root.dataset.now) - Date.now() || 0;
  const now = () => Date.now() + drift;
  root.dataset.js = "";

  // --- Saying things ------------------------------------------------------------------------------------------
  let unsaid = [];
  function say(text) {
    if (!unsaid.length) setTimeout(() => { document.getElementById("status").textContent = unsaid.join(" "); unsaid = []; }, 150);
    else if (unsaid.includes(text)) return;
    document.getElementById("status").textContent = "";
    unsaid.push(text);
  }

  const never = () => false;
  let endsWith = never; // does what the toast says end once this form, or whatever else was sent, is answered with a yes?
  function alarm(text, detail = "", ...remedies) {
    endsWith = never;
    const close = element("button", "Close", { type: "button", className: "button" });
    const toast = document.getElementById("alert");
    const before = document.activeElement;
    close.dataset.close = "";
    close.onclick = () => {
      const inside = toast.contains(document.activeElement);
      toast.replaceChildren();
      if (inside) before?.focus();
    };
    toast.replaceChildren(element("p", text, { className: "strong" }), ...(detail ? [element("p", detail)] : []), ...remedies, close);
  }

  const element = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text, ...properties });

  function sayNewMessages() {
    for (const message of all("[data-said]:not([data-js-said])")) {
      message.dataset.jsSaid = "";
      say(message.innerText.trim().replace(/\s+/g, " ")); // textContent runs paragraphs together
    }
  }
  // A list was filtered beside the keyboard: its name and how many are in it, or that nothing is.
  function sayFound(list) {
    const found = list?.querySelector(".empty .strong") ?? list?.querySelector("h2");
    if (found) say(found.textContent.trim());
  }
  document.addEventListener("announce", (event) => say(event.detail.value));

  // --- Time: by the server's clock, in the same words as _format.py ----------------------------------------------
  const MARKS = [[0, "is overdue"], [5, "is due in 5 minutes"], [15, "is due in 15 minutes"]];
  const lastLeft = new Map();

  function coarse(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
    return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
  }

  function countDown(due) {
    const left = Math.trunc((Date.parse(due.dataset.due) - now()) / 1000);
    write(due.querySelector("[data-left]"), left > 0 ? `in ${coarse(left)}` : `overdue by ${coarse(-left)}`);
    due.dataset.tone = left <= 0 ? "critical" : left <= 300 ? "danger" : left <= 900 ? "wait" : "neutral";
    if (due.dataset.announce) announceDue(due.dataset.announce, left);
  }

  function announceDue(name, left) {
    const before = lastLeft.get(name);
    lastLeft.set(name, left);
    const mark = MARKS.find(([minutes]) => before > minutes * 60 && left <= minutes * 60);
    if (mark) say(`${name} ${mark[1]}.`);
  }

  function growOld(span) {
    const left = Math.trunc((Date.parse(span.closest("time").dateTime) - now()) / 1000);
    write(span, left > 0 ? `in ${coarse(left)}` : left === 0 ? "now" : `${coarse(-left)} ago`);
  }

  // A page that was left open says so: its times name no day as long as that is today.
  function tellAge(updated) {
    const age = Math.trunc((now() - Date.parse(updated.dateTime)) / 1000);
    write(updated.parentElement.querySelector("[data-age]"), age >= 3600 ? `, ${coarse(age)} ago` : "");
  }

  const write = (place, text) => { if (place && place.textContent !== text) place.textContent = text; };
  function tick() {
    all("[data-due]").forEach(countDown);
    all("[data-ago]").forEach(growOld);
    all("[data-updated]").forEach(tellAge);
  }
  setInterval(tick, 1000);

  // --- Sending once -----------------------------------------------------------------------------------------------
  const sending = new WeakMap(); // form or button -> how to give it back

  function hold(source, pressed) {
    const buttons = source.matches("form") ? [...source.elements].filter((one) => one.type === "submit") : [source];
    const label = pressed && [...pressed.childNodes];
    for (const button of buttons) { button.setAttribute("aria-disabled", "true"); button.dataset.jsBusy = ""; }
    // As large as before: what stands beside it would move under the pointer, and a second press would be one of that.
    const was = element("span", "");
    was.dataset.jsWas = "";
    pressed?.replaceChildren(was, element("span", pressed.dataset.busy || "Saving…"));
    was.append(...(label || []));
    const timer = setTimeout(() => release(source), 30000);
    sending.set(source, () => {
      clearTimeout(timer);
      for (const button of buttons) { button.removeAttribute("aria-disabled"); delete button.dataset.jsBusy; }
      pressed?.replaceChildren(...label);
      document.dispatchEvent(new CustomEvent("holdpoint:released"));
    });
  }

  function release(source) {
    sending.get(source)?.();
    sending.delete(source);
  }

  function refuse(event, why) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (why === OUTDATED) alarm(why, "It could not be asked for a while whether anything has changed. What you typed stays.", tryNow());
    else if (why) say(why);
  }

  // The line that says so may stand far above: who presses a button there would see nothing happen.
  const OUTDATED = "This page is out of date, so nothing was sent.";
  function tryNow() {
    const button = element("button", "Try now", { type: "button", className: "button primary" });
    button.dataset.tryNow = "";
    return button;
  }

  const whyLocked = (control) =>
    control?.closest("[data-needs-fresh]") && "jsStale" in root.dataset ? OUTDATED
    : control?.getAttribute("aria-disabled") === "true" ? control.dataset.why || "Not possible right now." : "";

  // The second half of a double click may meet a page that has come meanwhile: nobody has read what it would press there.
  const isOfAPress = ({ detail }, control) => detail > 1 && control?.type === "submit" && control.form?.method === "post";

  document.addEventListener("click", (event) => {
    const control = event.target.closest("button, a, input[type=submit], label");
    if (isOfAPress(event, control)) return refuse(event, "");
    if (whyLocked(control)) refuse(event, "jsBusy" in control.dataset ? "" : whyLocked(control));
  }, true);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const pressed = event.submitter || form.querySelector("button:not([type]), [type=submit]");
    if (sending.has(form)) return refuse(event, "");
    if (whyLocked(pressed)) return refuse(event, whyLocked(pressed));
    if (form.getAttribute("method")?.toLowerCase() === "post" || form.matches("[hx-post]")) hold(form, pressed);
    saveSent(form);
  }, true);

  // The browser may show a page again as it was left: nothing on it is being sent any more.
  window.addEventListener("pageshow", () => all("form").forEach(release));

  document.addEventListener("formdata", (event) => {
    if (!event.target.matches("[data-tidy]")) return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });

  // --- Typed text outlives a sign-in, a reload and a refusal: in this tab, for the same person -------------------------
  const person = document.querySelector(".person .name")?.textContent ?? "";
  const typed = () => all("form[data-keep] :is(textarea, select, input:not([type=hidden], [type=checkbox], [type=radio], [type=password], [type=file], [data-once])), form[data-keep=ticks] :is([type=checkbox], [type=radio])").filter((field) => field.name);
  // A tick is kept only where a form says so: an answer or a "viewed" is never given by a script.
  const isTick = (field) => field.matches("[type=checkbox], [type=radio]");
  const valueOf = (field) => isTick(field) ? String(field.checked) : field.value;
  // By the address its form is sent to, which is also that of the page a form comes back on when it was not taken.
  const draftOf = (field) => `draft ${person} ${new URL(field.form.getAttribute("action") ?? "", location.href).pathname} ${field.form.id} ${field.name}${isTick(field) ? ` ${field.value}` : ""}`;
  const textsIn = (fields) => fields.map((field) => [draftOf(field), valueOf(field), field.form.id]);
  // What the page filled in is not theirs: brought back, it would undo what somebody else has changed meanwhile.
  const given = (field) => field.matches("select") ? ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value : isTick(field) ? String(field.defaultChecked) : field.defaultValue;
  const notTaken = (form) => form.matches(":has([data-errors], [data-refusal], [aria-invalid=true])");
  const theirs = (field) => valueOf(field) !== given(field) || notTaken(field.form);
  const filled = () => textsIn(typed().filter(theirs));
  const store = (texts) => texts.forEach(([draft, text]) => sessionStorage.setItem(draft, text));

  // A text whose form is not on this page stays: the form may come back.
  function restoreDrafts() {
    const back = typed().map((field) => [field, draftOf(field)]).filter(([, draft]) => sessionStorage.getItem(draft) !== null);
    for (const [field, draft] of back) {
      const text = sessionStorage.getItem(draft);
      sessionStorage.removeItem(draft);
      if (valueOf(field) === text) continue;
      if (isTick(field)) field.checked = text === "true";
      else field.value = text;
      const fold = field.closest("details");
      if (fold) fold.open = true;
    }
    if (back.length) say("What you had typed is back.");
  }

  // Has anybody chosen or typed anything in it? What a script ticks by itself is no answer.
  const changed = (field) => field.matches("textarea, select, input:not([type=hidden])") && valueOf(field) !== given(field);
  const begun = (form) => notTaken(form) || [...form.elements].some((field) => field.name !== "viewed" && changed(field));
  const outdated = new Set(); // forms begun about something else than what a live update shows

  // What was typed in a form that came back is in it as if the page had given it: a live update would take it back.
  function ownAgain(form) {
    for (const field of form.elements) {
      const { value, checked } = field;
      if (isTick(field)) Object.assign(field, { defaultChecked: false, checked });
      else if (field.matches("select")) { for (const option of field.options) option.defaultSelected = false; field.value = value; }
      else if (field.matches("textarea, input:not([type=hidden])")) Object.assign(field, { defaultValue: "", value });
    }
  }
  const ownTyped = () => all("form[data-keep]").filter(notTaken).forEach(ownAgain);

  // What others do may take a form away under the hands of somebody who types in it.
  const written = () => textsIn(typed().filter((field) => field.matches("textarea, input") && !isTick(field) && field.value.trim() && field.value !== given(field)));
  const unanswered = new Set(); // forms that were sent, and whose answer never came

  function tellTakenAway(texts) {
    const there = new Set(typed().map(draftOf));
    const gone = texts.filter(([draft]) => !there.has(draft));
    if (!gone.length) return restoreDrafts();
    const words = gone.map(([, text]) => `“${text}”`).join(" ");
    if (gone.some(([, , form]) => unanswered.has(form))) return alarm("The form that you sent is gone.", `No answer came, but this page is up to date again: see on it whether what you sent was recorded. You had typed: ${words}.`);
    store(gone);
    alarm("This changed while you were typing, and the form is gone.", `What you had typed was not sent: ${words}. If the form comes back, it is in it.`);
  }

  function tellOutdated() {
    const forms = new Set(outdated);
    outdated.clear();
    if (!forms.size) return;
    if ([...forms].some((form) => unanswered.has(form))) alarm("This was changed since you sent the form.", "No answer came, but this page is up to date again: see on it whether what you sent was recorded.", reload());
    else alarm("This was changed while you had it open.", "What you have filled in speaks of what was here before. Read it again, and start anew.", reload());
    endsWith = (form) => forms.has(form);
  }

  // A form that loads a page is gone before its answer comes. Where that is a sign-in or a refusal, its text waits for it.
  function saveSent(form) {
    if (!form.matches("[data-keep]:not([hx-post])")) return;
    sessionStorage.setItem("sent", JSON.stringify(filled()));
    sessionStorage.setItem("sent from", location.href.split("#")[0]);
  }

  function keepSent() {
    const sent = JSON.parse(sessionStorage.getItem("sent") || "[]");
    const from = sessionStorage.getItem("sent from");
    const refused = document.querySelector("[data-keeps-text]");
    // Nobody knows what an address that was typed answers: a later page does.
    if (!refused && from && !document.referrer) return restoreDrafts();
    sessionStorage.removeItem("sent");
    sessionStorage.removeItem("sent from");
    // An answer comes from the form's page. The browser's own page of a lost connection has no script that would say so.
    const lost = !refused && from && document.referrer !== from;
    if (refused || lost) store(sent);
    if (lost) alarm("No answer came to the form that you sent.", "It may have been recorded all the same: look before you send it again. What you typed is in it when you open it.");
    if (!refused) return restoreDrafts();
    const kept = Object.keys(sessionStorage).some((key) => key.startsWith("draft "));
    for (const promise of all("[data-kept]", refused)) promise.hidden = !kept;
  }

  // --- Requests of htmx ---------------------------------------------------------------------------------------------
  const isPoll = (ctx) => Boolean(ctx?.request?.headers?.["X-Live"]);
  const PLAIN = {
    400: "That could not be read. Nothing was changed.", 403: "You may not do this.", 404: "This is no longer there.", 413: "That is too large.", 429: "Too many requests. Wait a moment.",
  };

  htmx.registerExtension("holdpoint", {
    // A live update never closes what a person opened, and never overwrites what they typed or ticked.
    htmx_before_morph_attr: (target, { attrName, newValue }) => {
      if (attrName === "open") return false;
      // A place that was given the focus is no tab stop of its own. Without this attribute the browser takes the focus away.
      if (attrName === "tabindex" && target === document.activeElement) return false;
      // What somebody has begun to fill in speaks of what they read: the server compares that with what waits then.
      if (attrName === "value" && target.type === "hidden" && target.form?.elements.digest && begun(target.form)) {
        if (target.name === "digest" && target.value !== newValue) outdated.add(target.form.id);
        return false;
      }
      if (attrName === "value" && target.defaultValue !== undefined && target.value !== target.defaultValue) return false;
      if (attrName === "checked" && target.checked !== target.defaultChecked) return false;
      return attrName === "aria-disabled" && "jsBusy" in target.dataset ? false : undefined;
    },
    htmx_before_morph_node: (target, { newNode }) => {
      if (target instanceof HTMLTextAreaElement && target.value !== target.defaultValue) newNode.defaultValue = target.defaultValue;
    },
    htmx_after_request: (source, { ctx }) => {
      if (ctx.hx.redirect) leaveForSignIn(ctx);
      // A refusal without a place of its own goes to the messages: the form, and what was typed in it, stays.
      if (ctx.response.status >= 400 && !ctx.hx.retarget && /\sdata-refusal[\s>]/.test(ctx.text)) {
        Object.assign(ctx.hx, { retarget: "#messages", reswap: "innerHTML", reselect: "[data-refusal]" });
      }
    },
  });

  function leaveForSignIn(ctx) {
    store(filled());
    const address = new URL(ctx.hx.redirect, location.href);
    if (address.searchParams.has("next")) address.searchParams.set("next", location.pathname + location.search);
    ctx.hx.redirect = address.pathname + address.search;
  }

  const wants = (ctx) => ctx.response && [409, 422].includes(ctx.response.status);
  document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
    const answer = new DOMParser().parseFromString(ctx.text, "text/html");
    const reason = answer.querySelector("[data-refusal]");
    const tooOld = Boolean(reason?.matches("[data-too-old]"));
    const told = tooOld && document.querySelector("#alert [data-keep-reload]");
    if (wants(ctx) || (isPoll(ctx) && (!tooOld || told))) return;
    const status = ctx.response.status;
    const remedy = answer.querySelector("[data-remedy]")?.textContent.trim() ?? "";
    const reference = ctx.response.headers.get("X-Request-ID");
    if (status === 502 || status === 504) return answerLost(ctx); // from what stands between us: it knows no more than the browser
    const text = status >= 500 ? "Something went wrong on our side. Nothing was half done." : PLAIN[status] || "That did not work.";
    const detail = `${remedy} Your page is unchanged.${reference ? ` Reference ${reference}.` : ""}`;
    alarm((reason?.querySelector(".strong") || reason)?.textContent.trim() || text, detail, ...(tooOld ? [reload()] : []));
    if (!isPoll(ctx)) document.querySelector("#alert [data-keep-reload]")?.focus();
    endsWith = () => true;
  });
  function reload() {
    const button = element("button", "Reload, keeping what you typed", { type: "button", className: "button primary" });
    button.dataset.keepReload = "";
    return button;
  }
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (ctx && !answered(ctx) && !isPoll(ctx)) answerLost(ctx);
  });
  const answered = (ctx) => ctx.text !== undefined; // to its last byte: a connection breaks in the middle, too
  function answerLost(ctx) {
    const sent = ctx.request?.method?.toUpperCase() === "POST";
    if (sent) unanswered.add(ctx.sentBy);
    alarm("The connection was lost.", `Your page and your text are unchanged.${sent ? " What you sent may have arrived all the same." : ""} Try again.`);
    endsWith = () => true;
  }

  let slow;
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (isPoll(ctx)) return;
    ctx.target?.setAttribute?.("aria-busy", "true");
    slow ??= setTimeout(() => { root.dataset.jsLoading = ""; }, 200);
    const source = ctx.sourceElement;
    ctx.sentBy = (source.form ?? source).id; // once the answer stands on the page, htmx has put that in the source's place
    if (source.matches("button") && !sending.has(source)) hold(source, source.matches("[hx-post]") ? source : null);
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (isPoll(ctx)) return;
    if (ctx.target instanceof Element) ctx.target.removeAttribute("aria-busy");
    if (answered(ctx) && ctx.response.status < 500) unanswered.delete(ctx.sentBy);
    if (answered(ctx) && ctx.response.status < 400 && endsWith(ctx.sentBy)) document.querySelector("#alert [data-close]")?.click();
    clearTimeout(slow);
    slow = undefined;
    delete root.dataset.jsLoading;
    release(ctx.sourceElement);
    if (ctx.sourceElement.form) release(ctx.sourceElement.form);
  });

  // --- Focus: a control that disappears hands it to what took its place -----------------------------------------------
  let held = null;
  let typing = [];
  document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
    typing = isPoll(ctx) ? written() : [];
    const active = document.activeElement;
    const row = active?.closest("[data-row]");
    const place = row ? all("[data-row]", row.parentElement).indexOf(row) : -1;
    held = active && active !== document.body ? { list: row?.parentElement.id, place } : null;
    if (ctx.target instanceof Element && ctx.target.id) ctx.targetId = ctx.target.id;
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    tick();
    sayNewMessages();
    if (isPoll(ctx)) tellTakenAway(typing);
    else ownTyped();
    tellOutdated();
    const place = document.getElementById(ctx.targetId) || (typeof ctx.target === "string" ? document.querySelector(ctx.target) : null);
    if (ctx.sourceElement.matches(".filters") && !wants(ctx)) sayFound(place);
    const fault = wants(ctx) && (place || document).querySelector("[data-errors], [data-refusal], [aria-invalid=true]");
    if (fault) return focusOn(fault);
    const lost = !document.activeElement || document.activeElement === document.body;
    if (held && lost) focusOn(nextRow() || heir(place), { preventScroll: inSight(place) });
  });

  function nextRow() {
    const rows = held.place < 0 ? [] : all("[data-row]", document.getElementById(held.list) || document);
    return (rows[held.place] || rows.at(-1))?.querySelector("a, button, input");
  }
  // Where one goes on, wherever that stands: the heading of a whole page comes before it.
  const heir = (place) => place && (place.querySelector("[data-focus]") || place.querySelector("h1, h2, h3") || place);
  // What took its place where the person looks: the page does not move under them.
  function inSight(place) {
    const { top, bottom } = place?.getBoundingClientRect() ?? {};
    return top < innerHeight && bottom > 0;
  }
  function focusOn(target, how) {
    if (!target) return;
    if (target.tabIndex < 0 && !target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
    target.focus(how);
  }

  // --- Small things on the page ---------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) copyText(copy);
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open).showModal();
    if (event.target.matches("dialog")) event.target.close();
    if (event.target.closest("[data-keep-reload]")) { event.preventDefault(); store(filled()); location.reload(); }
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    else if (event.key === "Escape" && event.target.matches("#go") && !event.target.value) document.getElementById("main").focus();
    else if (event.key === "Escape") document.querySelector("#alert [data-close]")?.click();
  });
  // A column that sticks to the window does not move along as the browser counts on: it scrolls too little, and the focus is
  // out of sight. What a pointer can press is in sight, below the bar, and stays where it is.
  document.addEventListener("focusin", ({ target }) => {
    const { top, bottom } = target.getBoundingClientRect();
    if (!target.closest("aside") || (bottom > 48 && top < innerHeight)) return;
    for (let before = -1, tries = 0; before !== scrollY && tries < 100; tries += 1) {
      before = scrollY;
      target.scrollIntoView({ block: "nearest" });
    }
  });
  // Whoever tabs on has left the menu.
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    const menu = relatedTarget && target.closest("details.menu[open]");
    if (menu && !menu.contains(relatedTarget)) menu.open = false;
  });

  async function copyText(button) {
    const done = await toClipboard(button.dataset.copy).catch(() => false);
    if (!done) return alarm("Copying is not allowed here.", button.dataset.copy);
    button.dataset.jsCopied = "";
    setTimeout(() => { delete button.dataset.jsCopied; }, 1500);
    say("Copied.");
  }

  // navigator.clipboard exists only in secure contexts; a first run on plain HTTP takes the old road.
  async function toClipboard(text) {
    if (navigator.clipboard) { await navigator.clipboard.writeText(text); return true; }
    const field = element("textarea", text, { className: "sr-only", readOnly: true });
    const back = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    back?.focus();
    return done;
  }

  // --- Edges: what scrolls sideways shows on which side it goes on ---------------------------------------------------
  function showEdges(scroller) {
    const beyond = scroller.scrollWidth - scroller.clientWidth;
    const start = Math.abs(scroller.scrollLeft);
    const [left, right] = getComputedStyle(scroller).direction === "rtl" ? [beyond - start, start] : [start, beyond - start];
    const edge = [left > 1 && "left", right > 1 && "right"].filter(Boolean).join(" ");
    if (!edge) delete scroller.dataset.jsEdge;
    else if (scroller.dataset.jsEdge !== edge) scroller.dataset.jsEdge = edge;
  }
  const edges = () => all(".scroll, .nav, .tabs").forEach(showEdges);
  document.addEventListener("scroll", ({ target }) => { if (target.matches?.(".scroll, .nav, .tabs")) showEdges(target); }, true);
  for (const change of ["htmx:after:swap", "toggle"]) document.addEventListener(change, edges, true);
  for (const change of ["resize", "load"]) window.addEventListener(change, edges);

  window.holdpoint = { say, alarm, now, all, element, focusOn, heir, whyLocked };
  tick();
  // On a narrow screen the bar is wider than the page: where one is comes first. Only the bar moves: the page may stand at
  // an error, at a part that its address names, or where the browser brought it back to.
  for (const here of all(".nav [aria-current]")) {
    const [{ left, width }, bar] = [here.getBoundingClientRect(), here.closest(".nav")];
    bar.scrollLeft += left + width / 2 - innerWidth / 2;
  }
  edges();
  sayNewMessages();
  ownTyped();
  keepSent();
  // What the address points at has the focus: a chosen step or part lies far below its list.
  if (location.hash) focusOn(document.getElementById(location.hash.slice(1)));
})();
